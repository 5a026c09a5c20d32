import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AffineMap,
  applyMap,
  composeMaps,
  determinant,
  fitAffine,
  identityMap,
  invertMap,
  stretches,
} from '../../../src/cleaning/matching/affine-map.js';
import { expectClose } from '../../support/close.js';

const value = fc.double({ min: -3, max: 3, noNaN: true });
const maps = fc
  .tuple(value, value, fc.integer({ min: -500, max: 500 }), value, value, fc.integer({ min: -500, max: 500 }))
  .map((numbers) => numbers as AffineMap)
  .filter((map) => Math.abs(determinant(map)) > 0.05);
const points = (minLength: number) =>
  fc.array(fc.tuple(fc.integer({ min: 0, max: 640 }), fc.integer({ min: 0, max: 480 })), { minLength, maxLength: 12 });

test('applyMap, determinant: by hand', () => {
  // x' = 1 + 2 + 3, y' = 2 (4 - 5) + 6
  expect(applyMap([1, 1, 3, 2, -2.5, 6], 1, 2)).toEqual([6, 3]);
  expect(determinant([1, 1, 3, 2, -2.5, 6])).toBe(-4.5);
});

test('invertMap undoes; composeMaps applies the inner map first', () => {
  fc.assert(
    fc.property(maps, maps, value, value, (outer, inner, x, y) => {
      expectClose(composeMaps(invertMap(inner)!, inner), identityMap, { absolute: 1e-6 });
      expectClose(applyMap(composeMaps(outer, inner), x, y), applyMap(outer, ...applyMap(inner, x, y)), {
        absolute: 1e-6,
      });
    }),
  );
  expect(invertMap([1, 2, 0, 2, 4, 0])).toBeNull();
});

test('stretches: a rotation keeps lengths, a shear does not', () => {
  expectClose(stretches([0.6, -0.8, 5, 0.8, 0.6, 5]), [1, 1]);
  // diag(3, 1/2) before a rotation
  expectClose(stretches([0.6 * 3, -0.8 / 2, 0, 0.8 * 3, 0.6 / 2, 0]), [3, 0.5]);
  // of the shear [[1, 1], [0, 1]]: the golden ratio and its inverse
  expectClose(stretches([1, 1, 0, 0, 1, 0]), [(1 + Math.sqrt(5)) / 2, (Math.sqrt(5) - 1) / 2]);
  expectClose(stretches([-2, 0, 0, 0, 1, 0]), [2, 1]);
});

test('fitAffine finds the map through three points or more', () => {
  fc.assert(
    fc.property(maps, points(3), (map, list) => {
      const [[x0, y0]] = list;
      // far enough from one line
      fc.pre(list.some(([x, y]) => list.some(([u, v]) => Math.abs((x - x0) * (v - y0) - (y - y0) * (u - x0)) > 100)));
      const to = list.flatMap(([x, y]) => applyMap(map, x, y));
      expectClose(fitAffine(list.flat(), to)!, map, { absolute: 1e-4 });
    }),
  );
});

test('fitAffine: no change of a coefficient lowers the squared error', () => {
  fc.assert(
    fc.property(points(5), points(5), (first, second) => {
      const n = Math.min(first.length, second.length);
      const [from, to] = [first.slice(0, n).flat(), second.slice(0, n).flat()];
      const fitted = fitAffine(from, to);
      fc.pre(fitted !== null);
      const error = (map: AffineMap) => {
        let sum = 0;
        for (let i = 0; i < 2 * n; i += 2) {
          const [x, y] = applyMap(map, from[i], from[i + 1]);
          sum += (x - to[i]) ** 2 + (y - to[i + 1]) ** 2;
        }
        return sum;
      };
      const least = error(fitted);
      for (let k = 0; k < 6; k++) {
        for (const step of [-0.01, 0.01]) {
          const moved = fitted.map((c, i) => (i === k ? c + step : c)) as unknown as AffineMap;
          expect(error(moved)).toBeGreaterThanOrEqual(least * (1 - 1e-9));
        }
      }
    }),
  );
});

test('fitAffine: points on a line, or too few, have no map; indices choose points', () => {
  expect(fitAffine([0, 0, 1, 2, 2, 4, 5, 10], [0, 0, 1, 1, 2, 3, 4, 4])).toBeNull();
  expect(fitAffine([0, 0, 1, 2], [0, 0, 1, 1])).toBeNull();
  const from = [0, 0, 9, 9, 1, 0, 0, 1];
  const to = [2, 3, -70, 50, 3, 3, 2, 5];
  expectClose(fitAffine(from, to, [0, 2, 3])!, [1, 0, 2, 0, 2, 3]);
});
