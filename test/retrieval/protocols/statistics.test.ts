import { describe, expect, test } from 'vitest';
import { bootstrapInterval, type UnitValue } from '../../../src/retrieval/protocols/bootstrap.js';
import { pairedTest } from '../../../src/retrieval/protocols/paired-test.js';
import { golden } from './golden.js';

const unitsOf = (groups: readonly (readonly number[])[]): UnitValue[] =>
  groups.flatMap((values, unit) => values.map((value) => ({ unit: `landmark ${unit}`, value })));
const pairsOf = (groups: readonly (readonly number[])[]) =>
  unitsOf(groups).map(({ unit, value }) => ({ unit, first: 0.4, second: 0.4 + value }));

describe('bootstrapInterval', () => {
  test('agrees with all equally likely resamples of the landmarks', () => {
    for (const { groups, mean, low, high } of golden.bootstrap) {
      const interval = bootstrapInterval(unitsOf(groups), { samples: 100_000, seed: 3 });
      expect(interval.mean).toBeCloseTo(mean, 12);
      expect(interval.low).toBeGreaterThanOrEqual(low[0] - 1e-12);
      expect(interval.low).toBeLessThanOrEqual(low[1] + 1e-12);
      expect(interval.high).toBeGreaterThanOrEqual(high[0] - 1e-12);
      expect(interval.high).toBeLessThanOrEqual(high[1] + 1e-12);
      expect(interval).toMatchObject({ units: groups.length, level: 0.95, samples: 100_000 });
    }
  });

  test('landmarks are drawn whole: repeating each query changes nothing, drawing queries alone narrows it', () => {
    const { groups } = golden.bootstrap[0];
    const once = bootstrapInterval(unitsOf(groups));
    const twice = bootstrapInterval(unitsOf(groups.map((group) => [...group, ...group])));
    expect(twice.low).toBeCloseTo(once.low, 12);
    expect(twice.high).toBeCloseTo(once.high, 12);
    const alike = [0.1, 0.5, 0.9].map((value) => [value, value, value, value, value]);
    const alone = unitsOf(alike).map(({ value }, i) => ({ unit: `query ${i}`, value }));
    const width = ({ low, high }: { low: number; high: number }) => high - low;
    expect(width(bootstrapInterval(alone))).toBeLessThan(0.7 * width(bootstrapInterval(unitsOf(alike))));
  });

  test('the seed decides, and a higher level is wider', () => {
    const values = unitsOf(golden.bootstrap[1].groups);
    expect(bootstrapInterval(values, { seed: 5 })).toEqual(bootstrapInterval(values, { seed: 5 }));
    expect(bootstrapInterval(values, { seed: 6 })).not.toEqual(bootstrapInterval(values, { seed: 5 }));
    const wide = bootstrapInterval(values, { level: 0.99 });
    const narrow = bootstrapInterval(values, { level: 0.8 });
    expect(wide.low).toBeLessThan(narrow.low);
    expect(wide.high).toBeGreaterThan(narrow.high);
  });

  test('equal values have an interval of no width; what cannot be drawn from is refused', () => {
    const same = bootstrapInterval(unitsOf([[0.5], [0.5], [0.5]]));
    expect([same.low, same.high]).toEqual([0.5, 0.5]);
    expect(() => bootstrapInterval(unitsOf([[0.1, 0.2]]))).toThrow(/1 units to draw from, at least 2/);
    expect(() => bootstrapInterval(unitsOf([[0.1], [Number.NaN]]))).toThrow(/"landmark 1" is NaN/);
    expect(() => bootstrapInterval(unitsOf([[0.1], [0.2]]), { samples: 0 })).toThrow(/0 resamples/);
    expect(() => bootstrapInterval(unitsOf([[0.1], [0.2]]), { level: 95 })).toThrow(/level 95/);
  });
});

describe('pairedTest', () => {
  test('equals the count over all sign choices', () => {
    for (const { groups, mean, p } of golden.signFlips) {
      const result = pairedTest(pairsOf(groups));
      expect(result.difference).toBeCloseTo(mean, 12);
      expect(result.p).toBeCloseTo(p, 12);
      expect(result).toMatchObject({ exact: true, units: groups.length });
      expect(result.interval!.low).toBeLessThan(mean);
      expect(result.interval!.high).toBeGreaterThan(mean);
    }
  });

  test('swapping the systems turns the sign and keeps p', () => {
    const pairs = pairsOf(golden.signFlips[1].groups);
    const there = pairedTest(pairs);
    const back = pairedTest(pairs.map(({ unit, first, second }) => ({ unit, first: second, second: first })));
    expect(back.difference).toBeCloseTo(-there.difference, 12);
    expect(back.p).toBe(there.p);
  });

  test('up to five units no difference can be told from chance, and that is said', () => {
    // all of n units win: p = 2 / 2^n
    const allWon = (units: number) => pairedTest(pairsOf(Array.from({ length: units }, () => [0.5])));
    expect(allWon(2)).toMatchObject({ p: 0.5, tooFew: true });
    expect(allWon(5)).toMatchObject({ p: 0.0625, tooFew: true });
    expect(allWon(6)).toMatchObject({ p: 0.03125, tooFew: false });
  });

  test('drawn signs come near the exact p of a sum of equal differences', () => {
    // 20 units, 15 wins of equal size: p = P(|heads - 10| >= 5) of 20 coins = 0.04138947
    const groups = Array.from({ length: 20 }, (_, i) => [i < 15 ? 0.1 : -0.1]);
    const result = pairedTest(pairsOf(groups), { samples: 100_000 });
    expect(result.exact).toBe(false);
    expect(Math.abs(result.p - 0.04138947)).toBeLessThan(0.003);
  });

  test('equal systems have p = 1; one unit has no interval; none is refused', () => {
    const equal = pairedTest(pairsOf([[0], [0], [0]]));
    expect(equal).toMatchObject({ difference: 0, p: 1 });
    expect(pairedTest(pairsOf([[0.2, 0.1]]))).toMatchObject({ p: 1, interval: undefined });
    expect(() => pairedTest([])).toThrow(/no queries/);
    expect(() => pairedTest([{ unit: 'a', first: Number.NaN, second: 1 }])).toThrow(RangeError);
  });
});
