import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  averagePrecision,
  hitAt,
  meanOfDefined,
  precisionAt,
  ranksOfPositives,
  recallAt,
} from '../../src/retrieval/average-precision.js';

/** The Oxford/Paris program's loop over the whole ranked list, in float64: what the rank form must equal. */
function trapezoidOverList(ranking: number[], positives: Set<number>, junk: Set<number>): number {
  let oldRecall = 0;
  let oldPrecision = 1;
  let ap = 0;
  let found = 0;
  let seen = 0;
  for (const item of ranking) {
    if (junk.has(item)) continue;
    if (positives.has(item)) found++;
    seen++;
    const recall = found / positives.size;
    const precision = found / seen;
    ap += (recall - oldRecall) * ((oldPrecision + precision) / 2);
    oldRecall = recall;
    oldPrecision = precision;
  }
  return ap;
}

describe('averagePrecision', () => {
  // Reference values computed from the published compute_ap definition.
  test.each([
    [[0], 1, 1, 1],
    [[1], 1, 0.25, 0.5], // ½ (0/1 + 1/2)
    [[0, 2], 2, 0.7916667, 0.8333333], // ½ (1 + ½ (1/2 + 2/3))
    [[1, 3, 4], 3, 0.4055556, 0.5333333],
    [[0, 5], 4, 0.3166667, 0.3333333], // two of the four positives are never found
  ])('ranks %j of %i positives: trapezoid %f, finite sum %f', (ranks, positives, trapezoid, finiteSum) => {
    expect(averagePrecision(ranks, positives)).toBeCloseTo(trapezoid, 6);
    expect(averagePrecision(ranks, positives, 'trapezoid')).toBeCloseTo(trapezoid, 6);
    expect(averagePrecision(ranks, positives, 'finite-sum')).toBeCloseTo(finiteSum, 6);
  });

  test('equals the walk over the whole list for any ranking with junk', () => {
    const labels = fc.array(fc.constantFrom('positive', 'negative', 'junk'), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(labels, (list) => {
        const of = (label: string) => new Set(list.flatMap((value, i) => (value === label ? [i] : [])));
        const positives = of('positive');
        const junk = of('junk');
        fc.pre(positives.size > 0);
        const ranking = list.map((_, i) => i);
        const ranks = ranksOfPositives(ranking, positives, junk);
        expect(averagePrecision(ranks, positives.size)).toBeCloseTo(trapezoidOverList(ranking, positives, junk), 12);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('a query without positives is NaN and stays out of the mean', () => {
    expect(averagePrecision([], 0)).toBeNaN();
    expect(recallAt([], 0, 5)).toBeNaN();
    expect(meanOfDefined([1, Number.NaN, 0.5])).toBe(0.75);
    expect(meanOfDefined([Number.NaN])).toBeNaN();
  });

  test('positives that are not in the list count as never found', () => {
    expect(averagePrecision([], 3)).toBe(0);
  });
});

test('ranksOfPositives: junk does not advance the rank', () => {
  //             junk  pos  neg  junk pos   ->  pos at 0, neg at 1, pos at 2
  const ranking = ['j1', 'a', 'x', 'j2', 'b'];
  expect(ranksOfPositives(ranking, new Set(['a', 'b']), new Set(['j1', 'j2']))).toEqual([0, 2]);
});

test('recall is a share of the positives, hit a yes or no, precision a share of k', () => {
  const ranks = [0, 3, 7]; // of 4 positives; one is missing
  expect(recallAt(ranks, 4, 1)).toBe(0.25);
  expect(recallAt(ranks, 4, 5)).toBe(0.5);
  expect(recallAt(ranks, 4, 100)).toBe(0.75);
  expect(hitAt([3], 3)).toBe(0);
  expect(hitAt([3], 4)).toBe(1);
  expect(precisionAt(ranks, 4)).toBe(0.5);
});
