import { expect, test } from 'vitest';
import {
  allCells,
  cellsText,
  coveredCells,
  coveredShare,
  parseCells,
  sharedCells,
} from '../../../src/cleaning/matching/coverage.js';

const size = { width: 80, height: 160 };

test('cells with a point, each once; points on the border or beyond it belong to the outermost', () => {
  expect(coveredCells([], size)).toBe(0n);
  // Two points in the first cell, one in the second of the first row, one in the first of the second row.
  expect(coveredCells([5, 5, 9.9, 19.9, 10, 5, 5, 20], size)).toBe(0b1_0000_0011n);
  expect(coveredCells([80, 160, 79, 159, -0.5, -0.5], size)).toBe(2n ** 63n + 1n);
  const everywhere = Array.from({ length: 64 }, (_, i) => [10 * (i % 8) + 5, 20 * Math.floor(i / 8) + 5]).flat();
  expect(coveredCells(everywhere, size)).toBe(allCells);
});

test('shares of the picture, and of what two sets of cells have in common', () => {
  expect([0n, 0b1_0000_0011n, allCells].map(coveredShare)).toEqual([0, 3 / 64, 1]);
  expect(sharedCells(0b0111n, 0b1110n)).toBe(0.5);
  expect(sharedCells(0b0011n, 0b1100n)).toBe(0);
  expect(sharedCells(allCells, 0b1n)).toBe(1 / 64);
  expect(sharedCells(0n, 0n)).toBe(0);
});

test('as text and back', () => {
  expect(cellsText(0b1_0000_0011n)).toBe('0000000000000103');
  for (const cells of [0n, 1n, 2n ** 63n, allCells]) expect(parseCells(cellsText(cells))).toBe(cells);
});
