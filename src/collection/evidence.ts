/**
 * @file How surely a query shows what its nearest photograph shows: the mean similarity of the object's nearest photographs. Something that looks
 * alike from one side has one photograph that is as similar as a right one, and seldom several.
 */
import { evenly } from '../data/evenly.js';
import { innerProduct } from '../linear/rows.js';
import type { CollectionStore, StoredNeighbour } from './vector-store.js';

/** Photographs of an object that are compared at most. */
const mostCompared = 100;
/** From this similarity on, a photograph may be a copy. */
const copySimilarity = 0.999;

/**
 * Similarities of the object's photographs to a query [D], `nearest`, which is one of them, first, then falling; `nearest` alone where nobody says
 * what it shows. Those whose id or file is that of `without` do not count.
 */
export async function objectSimilarities(
  store: CollectionStore,
  query: Float32Array,
  nearest: StoredNeighbour,
  without?: { id: string; sha256: string },
): Promise<number[]> {
  const object = store.record(nearest.id)?.object;
  if (object === undefined) return [nearest.similarity];
  const others = store.having('object', object).filter((id) => id !== nearest.id && id !== without?.id);
  const ids = evenly(others, mostCompared);
  const { data } = await store.vectors(ids);
  const length = query.length;
  const similarities = ids.map((_, row) => innerProduct(query, data.subarray(row * length, (row + 1) * length)));
  const counted = similarities.filter(
    (similarity, row) => similarity < copySimilarity || store.record(ids[row])?.sha256 !== without?.sha256,
  );
  return [nearest.similarity, ...counted.toSorted((a, b) => b - a)];
}

/** The mean of the first `count`, or of all where there are fewer. */
export function meanOfFirst(similarities: readonly number[], count: number): number {
  const first = similarities.slice(0, count);
  return first.reduce((sum, each) => sum + each, 0) / first.length;
}

/**
 * What is compared with a threshold that was learned of so many `photographs` of an object; undefined where nothing is near. `without`: id of
 * a photograph that is no answer.
 */
export async function evidenceOf(
  store: CollectionStore,
  query: Float32Array,
  nearest: StoredNeighbour | undefined,
  photographs: number,
  without?: string,
): Promise<number | undefined> {
  if (nearest === undefined || photographs === 1) return nearest?.similarity;
  const itself = without === undefined ? undefined : store.record(without);
  return meanOfFirst(await objectSimilarities(store, query, nearest, itself), photographs);
}
