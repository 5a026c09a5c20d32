/** @file Which queries one system ranks better than another, and which of them a report shows. Pure numbers. */

/** The same query under two systems. */
export interface QueryGain<Q> {
  before: Q;
  after: Q;
  /** AP after minus AP before. */
  gain: number;
}

/** Queries that both systems ranked, largest gain first, ties in the order of `before`. */
export function queryGains<Q extends { id: string; ap: number }>(
  before: readonly Q[],
  after: readonly Q[],
): QueryGain<Q>[] {
  const afterOf = new Map(after.map((score) => [score.id, score]));
  return before
    .flatMap((score) => {
      const other = afterOf.get(score.id);
      return other === undefined ? [] : [{ before: score, after: other, gain: other.ap - score.ap }];
    })
    .toSorted((a, b) => b.gain - a.gain);
}

/** AP differences of at most half a point count as equal. */
export function betterAndWorse(gains: readonly { gain: number }[]): { better: number; worse: number } {
  return {
    better: gains.filter(({ gain }) => gain > 0.005).length,
    worse: gains.filter(({ gain }) => gain < -0.005).length,
  };
}

/** The largest gain, one above the middle, the middle and the largest loss: no choosing of nice ones only. */
export function exampleGains<T>(gains: readonly T[]): { place: string; gain: T }[] {
  const places = { 'largest gain': 0, 'upper quarter': 0.25, median: 0.5, 'largest loss or smallest gain': 1 };
  const taken = new Set<number>();
  return Object.entries(places).flatMap(([place, share]) => {
    const at = Math.round(share * (gains.length - 1));
    if (gains.length === 0 || taken.has(at)) return [];
    taken.add(at);
    return [{ place, gain: gains[at] }];
  });
}
