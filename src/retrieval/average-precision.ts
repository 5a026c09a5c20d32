/**
 * @file Average precision of one ranked list and the two rules the field uses for it. Pure numbers.
 *
 * Ranks are 0-based and free of junk: an item that is junk for a query neither counts nor advances the rank. With n
 * positives, the j-th of them (from 0) at rank r gives
 *   trapezoid   ½ (p0 + p1) / n,  p0 = j / r (1 at r = 0),  p1 = (j + 1) / (r + 1)
 *   finite sum  p1 / n
 * The trapezoid is what the Oxford/Paris program compute_ap and the Holidays script do (there in float32, here in
 * float64); the finite sum is what scikit-learn and most class-label benchmarks call average precision. Positives that
 * are not in the list add nothing and stay in n.
 */

export const averagePrecisionRules = ['trapezoid', 'finite-sum'] as const;
export type AveragePrecisionRule = (typeof averagePrecisionRules)[number];

/** 0-based ranks of the positives in `ranking` (best first), with junk items taken out of the list. */
export function ranksOfPositives<T>(ranking: Iterable<T>, positives: ReadonlySet<T>, junk: ReadonlySet<T>): number[] {
  const ranks: number[] = [];
  let rank = 0;
  for (const item of ranking) {
    if (junk.has(item)) continue;
    if (positives.has(item)) ranks.push(rank);
    rank++;
  }
  return ranks;
}

/**
 * Average precision from the ascending `ranks` of the positives found and the number of positives there are.
 * NaN without positives: such a query says nothing and stays out of a mean.
 */
export function averagePrecision(
  ranks: ArrayLike<number>,
  positives: number,
  rule: AveragePrecisionRule = 'trapezoid',
): number {
  if (positives === 0) return Number.NaN;
  let sum = 0;
  for (let j = 0; j < ranks.length; j++) {
    const after = (j + 1) / (ranks[j] + 1);
    const before = ranks[j] === 0 ? 1 : j / ranks[j];
    sum += rule === 'trapezoid' ? (before + after) / 2 : after;
  }
  return sum / positives;
}

/** Share of the positives among the first `k` results: |positives in the first k| / |positives|. NaN without positives. */
export function recallAt(ranks: ArrayLike<number>, positives: number, k: number): number {
  return positives === 0 ? Number.NaN : countBelow(ranks, k) / positives;
}

/** 1 if any of the first `k` results is a positive, else 0. Averaged, it is metric learning's "recall@k". */
export function hitAt(ranks: ArrayLike<number>, k: number): number {
  return countBelow(ranks, k) > 0 ? 1 : 0;
}

/** Share of the first `k` results that are positives. */
export function precisionAt(ranks: ArrayLike<number>, k: number): number {
  return countBelow(ranks, k) / k;
}

/** Mean of the numbers that are not NaN; NaN if there is none. */
export function meanOfDefined(values: Iterable<number>): number {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

function countBelow(ascending: ArrayLike<number>, limit: number): number {
  let count = 0;
  while (count < ascending.length && ascending[count] < limit) count++;
  return count;
}
