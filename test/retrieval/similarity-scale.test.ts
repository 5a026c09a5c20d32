import { expect, test } from 'vitest';
import {
  scaleFigures,
  shareBelow,
  shareText,
  similarityText,
  UnrelatedPairs,
} from '../../src/retrieval/similarity-scale.js';

test('a similarity lies above the share of unrelated pairs that are smaller', () => {
  const scale = Float32Array.of(0.1, 0.2, 0.2, 0.4);
  expect([0, 0.1, 0.2, 0.3, 0.5].map((value) => shareBelow(scale, value))).toEqual([0, 0, 0.25, 0.75, 1]);
  expect(similarityText(0.3, scale)).toBe('0.300 (75 %)');
  expect(similarityText(0.3, undefined)).toBe('0.300');
  expect(scaleFigures(new Float32Array(0))).toBeUndefined();
});

test('100 % only where all pairs are below', () => {
  expect([1, 0.99999, 0.995, 0.5, 0.00001, 0].map(shareText)).toEqual([
    '100 %',
    '> 99.9 %',
    '99.5 %',
    '50 %',
    '< 0.1 %',
    '0 %',
  ]);
});

test('many pairs are sampled evenly, without those that are related', () => {
  const [queries, rows] = [1024, 5000];
  const pairs = new UnrelatedPairs(queries);
  const similarities = Float32Array.from({ length: rows }, (_, row) => row / rows);
  for (let query = 0; query < queries; query++) pairs.add(similarities, new Set([query]), new Set([4999]));
  const scale = pairs.scale();
  expect(scale.length).toBeGreaterThan(queries * 240);
  expect(scale.length).toBeLessThanOrEqual(1 << 18);
  expect(scaleFigures(scale)!.median).toBeCloseTo(0.5, 1);
  expect(scaleFigures(scale)!.max).toBeLessThan(4999 / rows);
});
