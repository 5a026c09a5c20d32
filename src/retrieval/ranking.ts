/**
 * @file Similarities and ranks over descriptor tables, on plain typed arrays.
 *
 * Descriptors are unit rows, so similarity is the dot product. Every order here is: similarity descending, equal
 * similarities in database order. (The usual numpy `argsort(-s)` leaves ties undefined.)
 */

import type { DescriptorRows } from '../linear/rows.js';
import { TopK } from './top-k.js';

/** Descriptors by id: row i of `data` [N, D] belongs to `ids[i]`. */
export interface DescriptorTable extends DescriptorRows {
  ids: readonly string[];
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
