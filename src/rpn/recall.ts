/** @file How well boxes find the object: recall at an overlap, and its mean over overlaps (Hosang et al. 2016, "AR"). */
import { type BoxRows, rowOverlap } from './box-rows.js';

/** 0.5, 0.55 ... 0.95. */
export const recallOverlaps: readonly number[] = Array.from({ length: 10 }, (_, i) => (50 + 5 * i) / 100);

/** Largest overlap of a box (one row) with any row of `proposals`; 0 without one. */
export function bestOverlap(box: BoxRows, proposals: BoxRows): number {
  let best = 0;
  for (let i = 0; i < proposals.length / 4; i++) best = Math.max(best, rowOverlap(box, 0, proposals, i));
  return best;
}

/** Share of `overlaps` (one per object) of at least `threshold`. */
export function boxRecallAt(overlaps: readonly number[], threshold: number): number {
  return overlaps.filter((overlap) => overlap >= threshold).length / overlaps.length;
}

/** Mean of `boxRecallAt` over `recallOverlaps`. */
export function averageRecall(overlaps: readonly number[]): number {
  return recallOverlaps.reduce((sum, threshold) => sum + boxRecallAt(overlaps, threshold), 0) / recallOverlaps.length;
}
