import { expect, test } from 'vitest';
import { coveredShare } from '../../../src/cleaning/matching/coverage.js';

test('cells with a point, each once; points on the border or beyond it belong to the outermost', () => {
  const size = { width: 80, height: 160 };
  expect(coveredShare([], size)).toBe(0);
  expect(coveredShare([5, 5, 9.9, 19.9, 10, 5, 5, 20], size)).toBe(3 / 64);
  expect(coveredShare([80, 160, 79, 159, -0.5, -0.5], size)).toBe(2 / 64);
  const everywhere = Array.from({ length: 64 }, (_, i) => [10 * (i % 8) + 5, 20 * Math.floor(i / 8) + 5]).flat();
  expect(coveredShare(everywhere, size)).toBe(1);
});
