/** @file Measures that belong to one benchmark, from the junk-free ranks of the positives. Fractions unless said. */
import { meanOfDefined } from '../average-precision.js';

export interface RankedPositives {
  /** 0-based, junk-free, ascending. */
  ranks: ArrayLike<number>;
}

/**
 * mP@k of the revisited benchmarks: precision among the first min(k, rank of the last positive), so that a query with few
 * positives can reach 1. Mean over `scores`; 0 for a query that finds none.
 */
export function meanPrecisionAt(scores: readonly RankedPositives[], k: number): number {
  return meanOfDefined(
    scores.map(({ ranks }) => {
      if (ranks.length === 0) return 0;
      const first = Math.min(k, ranks[ranks.length - 1] + 1);
      let found = 0;
      while (found < ranks.length && ranks[found] < first) found++;
      return found / first;
    }),
  );
}

/** UKBench's N-S score: how many of the first four results are right, from 0 to 4. */
export function nisterStewenius(scores: readonly RankedPositives[]): number {
  return meanOfDefined(scores.map(({ ranks }) => Array.from(ranks).filter((rank) => rank < 4).length));
}
