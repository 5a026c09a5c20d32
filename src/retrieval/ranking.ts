/**
 * @file Similarities and ranks over descriptor tables, on plain typed arrays.
 *
 * Descriptors are unit rows, so similarity is the dot product. Every order here is: similarity descending, equal
 * similarities in database order. (The usual numpy `argsort(-s)` leaves ties undefined.)
 */

import { TopK } from './top-k.js';

/** Rows of descriptors without names. */
export interface DescriptorRows {
  /** D, the row length. */
  dimension: number;
  /** [N, D] row-major. */
  data: Float32Array;
}

/** Descriptors by id: row i of `data` [N, D] belongs to `ids[i]`. */
export interface DescriptorTable extends DescriptorRows {
  ids: readonly string[];
}

/** N of rows [N, D]. */
export function rowCount({ data, dimension }: DescriptorRows): number {
  return dimension === 0 ? 0 : data.length / dimension;
}

/** Gives the similarities [B, N] of a block of query rows [B, D] to every database row. */
export type Similarity = (queries: Float32Array) => Float32Array | Promise<Float32Array>;

// One tile of database rows (64 x 2048 floats = 512 KB) stays in the L2 cache while all queries of a block pass over it.
const databaseTile = 64;

/** Dot products on this thread with float64 sums, about 1 G multiply-adds/s; see engineSimilarity for big tables. */
export function plainSimilarity(database: DescriptorRows): Similarity {
  const { data, dimension } = database;
  const rows = rowCount(database);
  return (queries) => {
    const count = queries.length / dimension;
    const out = new Float32Array(count * rows); // [B, N]
    for (let tile = 0; tile < rows; tile += databaseTile) {
      const end = Math.min(rows, tile + databaseTile);
      for (let q = 0; q < count; q++) {
        const a = q * dimension;
        let n = tile;
        // Four rows at a time: each query value is loaded once and the four sums do not wait for each other.
        for (; n + 4 <= end; n += 4) {
          const b = n * dimension;
          let s0 = 0;
          let s1 = 0;
          let s2 = 0;
          let s3 = 0;
          for (let i = 0; i < dimension; i++) {
            const value = queries[a + i];
            s0 += value * data[b + i];
            s1 += value * data[b + dimension + i];
            s2 += value * data[b + 2 * dimension + i];
            s3 += value * data[b + 3 * dimension + i];
          }
          out[q * rows + n] = s0;
          out[q * rows + n + 1] = s1;
          out[q * rows + n + 2] = s2;
          out[q * rows + n + 3] = s3;
        }
        for (; n < end; n++) {
          let sum = 0;
          for (let i = 0; i < dimension; i++) sum += queries[a + i] * data[n * dimension + i];
          out[q * rows + n] = sum;
        }
      }
    }
    return out;
  };
}

/**
 * 0-based, junk-free, ascending ranks of the items `positives` under `similarities` [N], without sorting the list:
 * only the P positives are sorted, every other item is counted into the gap it falls in. O((N + P) log P).
 */
export function positiveRanks(
  similarities: Float32Array,
  positives: Iterable<number>,
  junk: ReadonlySet<number>,
): Int32Array {
  const sorted = Int32Array.from(new Set(positives))
    .filter((item) => !junk.has(item))
    .sort((a, b) => similarities[b] - similarities[a] || a - b);
  const found = sorted.length;
  const values = Float32Array.from(sorted, (item) => similarities[item]);
  const worst = found === 0 ? Number.POSITIVE_INFINITY : values[found - 1];
  const items = new Int32Array(found + 1); // items[j]: those behind positive j - 1 and not behind positive j
  const gapOf = (item: number): number => {
    const value = similarities[item];
    if (value < worst) return found;
    let [low, high] = [0, found];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] > value || (values[middle] === value && sorted[middle] <= item)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  // All items are counted, and then junk and the positives, which are few, taken out: no look-up for each item.
  for (let item = 0; item < similarities.length; item++) items[gapOf(item)]++;
  for (const item of junk) items[gapOf(item)]--;
  for (const item of sorted) items[gapOf(item)]--;
  let before = 0;
  return sorted.map((_, j) => {
    before += items[j];
    return before + j;
  });
}

/** Item numbers in order of similarity, best first, ties by database order; the first `limit` of them. */
export function rankedItems(similarities: Float32Array, limit: number = similarities.length): Int32Array {
  if (limit < similarities.length) {
    const best = new TopK(1, limit);
    best.offer(0, similarities);
    return best.finish().rows;
  }
  const order = Int32Array.from(similarities.keys());
  return order.sort((a, b) => similarities[b] - similarities[a] || a - b);
}
