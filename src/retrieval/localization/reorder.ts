/** @file The top of a ranking in another order. Plain numbers. */
import { rankedItems } from '../ranking.js';

/**
 * Puts the best `depth` of the ranking by `similarities` [N] (of the rows that `eligible` lets through) into the order of new scores, which
 * `rescore` gives for them, best first; the others stay behind them in their order. Returns [N] descending places as similarities,
 * N for the first (exact up to 2^24 rows): what was similarity is no longer comparable across the border.
 */
export function reorderTop(
  similarities: Float32Array,
  depth: number,
  rescore: (rows: Int32Array) => ArrayLike<number>,
  eligible: (row: number) => boolean = () => true,
): Float32Array {
  const order = rankedItems(similarities);
  const top = order.filter(eligible).subarray(0, depth);
  const scores = rescore(top);
  if (scores.length !== top.length) {
    throw new Error(`reorderTop: ${top.length} scores expected, got ${scores.length}.`);
  }
  const ranked = Int32Array.from(top.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
  const moved = new Set(top);
  const places = new Float32Array(similarities.length);
  let place = similarities.length;
  for (const i of ranked) places[top[i]] = place--;
  for (const row of order) if (!moved.has(row)) places[row] = place--;
  return places;
}
