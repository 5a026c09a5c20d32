import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GramProducts } from '../../src/backend/index.js';
import { learnLw } from '../../src/linear/lw.js';

interface Golden {
  channels: number;
  kept: number;
  rows: number[];
  queries: number[];
  positives: number[];
  cases: { pairs: number; mean: number[]; added: number; components: number[][]; similarities: number[] }[];
}
const golden: Golden = JSON.parse(readFileSync(new URL('../golden/lw.json', import.meta.url), 'utf8'));
const { channels, kept } = golden;
const descriptors = { dimension: channels, data: Float32Array.from(golden.rows) };
const rows = golden.rows.length / channels;
const pairsOf = (count: number) =>
  [Int32Array.from(golden.queries.slice(0, count)), Int32Array.from(golden.positives.slice(0, count))] as const;

/** Unit rows P (x − m). */
function whitened({ mean, components }: { mean: Float32Array; components: Float32Array }): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const y = Array.from({ length: kept }, (_unused, k) => {
      let sum = 0;
      for (let i = 0; i < channels; i++) {
        sum += components[k * channels + i] * (golden.rows[row * channels + i] - mean[i]);
      }
      return sum;
    });
    const length = Math.hypot(...y);
    return y.map((value) => value / length);
  });
}

describe('learnLw equals numpy', () => {
  const [determined, singular] = golden.cases;

  test.each([
    ['plain sums', undefined],
    ['sums by the engine', () => new GramProducts(channels)],
  ])('mean, directions and similarities, %s', (_name, products) => {
    const lw = learnLw(descriptors, ...pairsOf(determined.pairs), { dimension: kept, products });
    expect(lw.regularisation).toBe(0);
    determined.mean.forEach((value, i) => expect(lw.mean[i]).toBeCloseTo(value, 6));
    determined.components.forEach((expected, k) => {
      const ours = lw.components.subarray(k * channels, (k + 1) * channels);
      const sign = Math.sign(expected[0] * ours[0]);
      const largest = Math.max(...expected.map(Math.abs));
      expected.forEach((value, i) => expect(Math.abs(sign * ours[i] - value) / largest).toBeLessThan(1e-5));
    });
    const y = whitened(lw);
    const worst = Math.max(
      ...determined.similarities.map((value, at) => {
        const [a, b] = [y[Math.floor(at / rows)], y[at % rows]];
        return Math.abs(value - a.reduce((sum, entry, k) => sum + entry * b[k], 0));
      }),
    );
    expect(worst).toBeLessThan(1e-5);
  });

  test('with fewer pairs than dimensions the same value is added to the diagonal', () => {
    const lw = learnLw(descriptors, ...pairsOf(singular.pairs), { dimension: kept });
    expect(singular.added).toBeGreaterThan(0);
    expect(lw.regularisation / singular.added).toBeCloseTo(1, 10);
  });
});

test('no pairs, too many dimensions', () => {
  const none = new Int32Array(0);
  expect(() => learnLw(descriptors, none, none)).toThrow(/^Lw: no pair/);
  expect(() => learnLw(descriptors, ...pairsOf(3), { dimension: 7 })).toThrow(/choose 1 to 6/);
});

test('as many directions as the descriptors vary in, where pairs are few', () => {
  // three pairs of six descriptors in twelve dimensions: five directions around their mean
  const data = Float32Array.from({ length: 6 * 12 }, (_, i) => Math.sin(i * i + 1));
  const lw = learnLw({ dimension: 12, data }, Int32Array.of(0, 2, 4), Int32Array.of(1, 3, 5));
  expect(lw.regularisation).toBeGreaterThan(0);
  expect(lw.dimension).toBe(5);
  expect(lw.components).toHaveLength(5 * 12);
  expect(lw.warnings[0]).toMatch(/^3 pairs to learn from, which vary in 5 directions and not in 12/);
});
