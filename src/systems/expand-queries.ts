/**
 * @file The query expansion of R-MAC+: the best region (or the vector) of each of the first k results is added to the query, which is
 * searched again. Its published code divides by k where k + 1 vectors were added; the scale of a query does not change the ranks of
 * unit vectors, so that this is harmless.
 */
import { ownRows } from '../retrieval/expand-ground-truth.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { type DescriptorTable, rankedItems } from '../retrieval/ranking.js';
import { normalizeRows } from './pool-views.js';
import type { SystemSettings } from './settings.js';
import { nearestVectors, type VectorLayout } from './system-similarity.js';

/**
 * The queries expanded, or as they are where the settings ask for none. As in `expandGroundTruth` a query's own image is no result
 * where the ground truth has it as junk. One vector per query.
 */
export function expandSystemQueries(
  settings: SystemSettings,
  layout: VectorLayout,
  groundTruth: GroundTruth,
  { database, queries }: { database: DescriptorTable; queries: DescriptorTable },
): DescriptorTable {
  const { expansion, epsilon } = settings;
  if (expansion === undefined) return queries;
  const { dimension } = layout;
  const nearest = nearestVectors(settings, layout, database);
  const own = ownRows(groundTruth, queries, database);
  const data = Float32Array.from(queries.data);
  for (const [q, ownRow] of own.entries()) {
    const query = data.subarray(q * dimension, (q + 1) * dimension);
    const { values, best } = nearest(Float32Array.from(query));
    const results = rankedItems(values, expansion.results + 1).filter((image) => image !== ownRow);
    for (const image of results.subarray(0, expansion.results)) {
      const start = image * database.dimension + best[image] * dimension;
      for (let i = 0; i < dimension; i++) query[i] += database.data[start + i];
    }
    if (expansion.scale === 'sound') normalizeRows(query, dimension, epsilon);
    else for (let i = 0; i < dimension; i++) query[i] /= expansion.results;
  }
  return { ...queries, data };
}
