import { expect, test } from 'vitest';
import type { AffineMap } from '../../../src/cleaning/matching/affine-map.js';
import { findOverlay } from '../../../src/cleaning/matching/banners.js';

const sizeA = { width: 640, height: 480 };
const sizeB = { width: 640, height: 426 };
/** Points of a in rows yMin to yMax, and where `map` takes them. */
function inliers(map: AffineMap, yMin: number, yMax: number, xMax = 640) {
  const from: number[] = [];
  const to: number[] = [];
  for (let i = 0; i < 30; i++) {
    const [x, y] = [(i * 97) % xMax, yMin + ((i * 31) % (yMax - yMin))];
    from.push(x, y);
    to.push(map[0] * x + map[1] * y + map[2], map[3] * x + map[4] * y + map[5]);
  }
  return { from, to };
}

const toBottom: AffineMap = [1, 0, 0, 0, 1, 426 - 480];

test('a strip of text along the bottom of two photographs of different height', () => {
  const pair = { affine: toBottom, sizeA, sizeB, correlation: 0.1, ...inliers(toBottom, 430, 478) };
  expect(findOverlay(pair)).toEqual({ kind: 'strip', side: 'bottom' });
});

test('strips at the other borders', () => {
  const same: AffineMap = [1, 0, 0, 0, 1, 0];
  const pair = { affine: same, sizeA, sizeB: sizeA, correlation: 0.1 };
  expect(findOverlay({ ...pair, ...inliers(same, 2, 50) })).toEqual({ kind: 'strip', side: 'top' });
  expect(findOverlay({ ...pair, ...inliers(same, 2, 470, 60) })).toEqual({ kind: 'strip', side: 'left' });
});

test('a mark over the middle of photographs of one size', () => {
  const same: AffineMap = [1.001, 0, 0.4, 0, 1, -0.3];
  const pair = { affine: same, sizeA, sizeB: sizeA, ...inliers(same, 200, 280) };
  expect(findOverlay({ ...pair, correlation: 0.2 })).toEqual({ kind: 'mark' });
  // Copies of one photograph agree everywhere for a better reason.
  expect(findOverlay({ ...pair, correlation: 0.9 })).toBeUndefined();
});

test('photographs of one thing are not suspected: shifted, scaled, turned, or with inliers beyond the strip', () => {
  const suspect = (affine: AffineMap, yMin: number, yMax: number) =>
    findOverlay({ affine, sizeA, sizeB, correlation: 0.1, ...inliers(affine, yMin, yMax) });
  expect(suspect([1, 0, 30, 0, 1, -30], 430, 478)).toBeUndefined();
  expect(suspect([0.8, 0, 0, 0, 0.8, 426 - 0.8 * 480 - 25], 430, 478)).toBeUndefined();
  expect(suspect([0.98, -0.17, 80, 0.17, 0.98, -100], 430, 478)).toBeUndefined();
  expect(suspect(toBottom, 60, 478)).toBeUndefined();
});
