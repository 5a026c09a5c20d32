/** @file Re-ranking as a step of an evaluation. */
import type { GroundTruth, Query } from '../ground-truth.js';
import type { CompactMap } from './compact-map.js';
import type { GroundTruthMaps } from './describe-maps.js';
import { reorderTop } from './reorder.js';
import { defaultRerankDepth, type RerankOptions, rerankShortlist } from './rerank.js';

export interface GroundTruthRerankOptions extends RerankOptions {
  /** Images of each ranking that are re-ranked. Default 1000. */
  depth?: number;
}

/**
 * The `rerank` of `evaluateDescriptors`: the first images of a query's ranking, in the order of what is localised in them. A query's own image
 * takes no part where the protocol drops it (it is in the query's junk), so it does not expand the query either; nor do rows
 * without a map.
 */
export function groundTruthReranker(
  groundTruth: GroundTruth,
  { maps, queries, described: { database } }: GroundTruthMaps,
  { depth = defaultRerankDepth, ...options }: GroundTruthRerankOptions,
): (query: Query, similarities: Float32Array) => Float32Array {
  const mapOf: (CompactMap | undefined)[] = database.ids.map((id) => maps.get(id));
  const imageOf = new Map(groundTruth.database.map(({ id, image }) => [id, image]));
  const known = new Map<CompactMap, Float32Array>();
  return (query, similarities) => {
    const target = queries.get(query.id);
    if (target === undefined) throw new Error(`groundTruthReranker: no map of the query "${query.id}".`);
    const own = new Set(query.junk.filter((id) => imageOf.get(id) === query.image));
    const rescore = (rows: Int32Array) =>
      rerankShortlist(
        target,
        [...rows].map((row) => mapOf[row]!),
        { known, ...options },
      ).scores;
    const eligible = (row: number) => mapOf[row] !== undefined && !own.has(database.ids[row]);
    return reorderTop(similarities, depth, rescore, eligible);
  };
}
