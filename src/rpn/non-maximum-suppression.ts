/** @file Greedy non-maximum suppression. */
import { type BoxRows, rowOverlap } from './box-rows.js';

/**
 * Positions, in their order, of the first `most` rows of `boxes` [N, 4] (best first) that overlap no row kept before them
 * by more than `threshold`. A row is compared with what is kept only, and the search ends with the last row needed: at
 * most N * `most` overlaps.
 */
export function suppressOverlapping(
  boxes: BoxRows,
  { threshold = 0.7, most = Infinity }: { threshold?: number; most?: number } = {},
): Int32Array {
  const count = boxes.length / 4;
  const kept = new Int32Array(Math.min(count, most));
  let keptCount = 0;
  for (let i = 0; i < count && keptCount < kept.length; i++) {
    let k = 0;
    while (k < keptCount && rowOverlap(boxes, kept[k], boxes, i) <= threshold) k++;
    if (k === keptCount) kept[keptCount++] = i;
  }
  return kept.subarray(0, keptCount);
}
