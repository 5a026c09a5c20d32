/** @file A query together with its nearest photographs, as one vector. */
import { QueryError } from '../errors.js';
import { expandQueries, parseQueryExpansion } from '../retrieval/expansion.js';
import type { CollectionStore, StoredNeighbour } from './vector-store.js';

/** Of unit length. `text`: `aqe:K` or `alpha:A:K`. @throws QueryError for another. */
export async function expandedQuery(
  store: CollectionStore,
  query: Float32Array,
  text: string,
  nearest: (vector: Float32Array, count: number) => Promise<StoredNeighbour[]>,
): Promise<Float32Array> {
  const expansion = parseQueryExpansion(text);
  if (expansion === undefined) {
    throw new QueryError(
      `Query expansion: expected aqe:K such as aqe:10, or alpha:A:K such as alpha:3:50, got "${text}".`,
    );
  }
  const found = await nearest(query, expansion.k);
  const neighbours = {
    count: found.length,
    rows: Int32Array.from(found.keys()),
    similarities: Float32Array.from(found, ({ similarity }) => similarity),
  };
  const rows = await store.vectors(found.map(({ id }) => id));
  const { data } = expandQueries({ dimension: store.dimension, data: query }, rows, neighbours, expansion);
  // of unit length, so that its similarities compare with others
  const length = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? data : data.map((value) => value / length);
}
