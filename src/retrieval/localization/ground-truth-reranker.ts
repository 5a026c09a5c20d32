/** @file Re-ranking as a step of an evaluation. */
import type { DescriptorModel } from '../../models/descriptor.js';
import type { DescribeGroundTruthOptions, GroundTruthDescriptors } from '../describe-ground-truth.js';
import type { GroundTruth, Query } from '../ground-truth.js';
import type { CompactMap } from './compact-map.js';
import { describeGroundTruthMaps, type GroundTruthMaps } from './describe-maps.js';
import { modelRegions } from './model-regions.js';
import { reorderTop } from './reorder.js';
import { defaultRerankDepth, type RerankKind, type RerankOptions, rerankShortlist } from './rerank.js';

/** A second look at the top of every ranking, in the images' activation maps. */
export interface RerankChoice {
  rerank?: {
    kind: RerankKind;
    /** Length of the shortlist. */
    depth: number;
    /** Shorter ones and this, ascending: mAP is also measured at each. */
    depths?: number[];
  };
  /** The rest keeps its defaults. */
  localization?: Pick<RerankOptions, 'step' | 'aspectBound' | 'alpha' | 'read' | 'maxima'>;
  /** The list is ranked once more by the mean of the query and what was localised in so many of the best. */
  localizedQe?: number;
}

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

type Reranker = ReturnType<typeof groundTruthReranker>;

/** Describes a ground truth with its maps; what `rerankAt` gives for a length of the shortlist looks into them for as long as the model lives. */
export async function describeForRerank(
  model: DescriptorModel,
  groundTruth: GroundTruth,
  settings: DescribeGroundTruthOptions,
  { rerank: { kind }, localization, localizedQe }: RerankChoice & Required<Pick<RerankChoice, 'rerank'>>,
): Promise<{ described: GroundTruthDescriptors; rerankAt: (depth: number) => Reranker }> {
  const regions = kind === 'aml' ? undefined : modelRegions(model);
  const found = await describeGroundTruthMaps(model, groundTruth, { ...settings, regions });
  const options = { kind, model: regions, expansion: localizedQe, ...localization };
  return {
    described: found.described,
    rerankAt: (depth) => groundTruthReranker(groundTruth, found, { ...options, depth }),
  };
}
