/** @file Precision against recall: of one ranking, and the mean over queries. Pure numbers. */

type Curve = (readonly [recall: number, precision: number])[];

/**
 * The points behind AP: at each positive found, the recall and the precision with it. `ranks` are 0-based, junk-free and
 * ascending; a positive that was never found has no point.
 */
export function precisionRecall(ranks: ArrayLike<number>, positives: number): Curve {
  return Array.from({ length: ranks.length }, (_, j) => [(j + 1) / positives, (j + 1) / (ranks[j] + 1)] as const);
}

/**
 * Mean over queries of the interpolated precision (the largest at that recall or beyond; Manning, Raghavan & Schütze 2008,
 * 8.4) at `points` + 1 recalls from 0 to 1. A recall that a ranking never reaches has precision 0.
 */
export function meanPrecisionRecall(
  queries: readonly { ranks: ArrayLike<number>; positives: number }[],
  points = 20,
): Curve {
  const sums = new Float64Array(points + 1);
  for (const { ranks, positives } of queries) {
    const curve = precisionRecall(ranks, positives);
    let best = 0;
    let next = curve.length - 1;
    for (let i = points; i >= 0; i--) {
      for (; next >= 0 && curve[next][0] >= i / points - 1e-12; next--) best = Math.max(best, curve[next][1]);
      sums[i] += best;
    }
  }
  return Array.from(sums, (sum, i) => [i / points, sum / queries.length] as const);
}
