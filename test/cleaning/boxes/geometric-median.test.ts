import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { geometricMedian } from '../../../src/cleaning/boxes/geometric-median.js';

function cost(points: readonly number[], dimension: number, y: ArrayLike<number>, weights?: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < points.length / dimension; i++) {
    let squared = 0;
    for (let d = 0; d < dimension; d++) squared += (points[i * dimension + d] - y[d]) ** 2;
    sum += (weights?.[i] ?? 1) * Math.sqrt(squared);
  }
  return sum;
}

test('the Fermat point of a right triangle', () => {
  // Torricelli's point of (0,0), (1,0), (0,1): x = y = (3 - sqrt 3) / 6.
  const [x, y] = geometricMedian([0, 0, 1, 0, 0, 1], 2, { tolerance: 1e-12 });
  expect(x).toBeCloseTo((3 - Math.sqrt(3)) / 6, 9);
  expect(y).toBeCloseTo((3 - Math.sqrt(3)) / 6, 9);
});

test('the diagonals of a convex quadrangle cross in its median', () => {
  const [x, y] = geometricMedian([0, 0, 4, 0, 5, 3, 0, 2], 2, { tolerance: 1e-12 });
  // (0,0)-(5,3) and (4,0)-(0,2): 3x = 5y, x + 2y = 4.
  expect(x).toBeCloseTo(20 / 11, 8);
  expect(y).toBeCloseTo(12 / 11, 8);
});

test('a corner of at least 120 degrees is the median itself, though the data point is hit', () => {
  expect([...geometricMedian([0, 0, 10, 1, -10, 1], 2)].map(Math.abs)).toEqual([
    expect.closeTo(0, 4),
    expect.closeTo(0, 4),
  ]);
});

test('an iterate on a data point that is not the median leaves it', () => {
  // The mean, where the iteration starts, is the point (0, 0); the median is not.
  const points = [0, 0, -1, 0, -1, 0.5, -1, -0.5, 3, 0];
  const [x, y] = geometricMedian(points, 2);
  expect(y).toBeCloseTo(0, 6);
  expect(x).toBeLessThan(-0.3);
});

test('one point, equal points and a majority', () => {
  expect([...geometricMedian([3, 4, 5, 6], 4)]).toEqual([3, 4, 5, 6]);
  expect([...geometricMedian([1, 2, 1, 2, 1, 2], 2)]).toEqual([1, 2]);
  const [x] = geometricMedian([7, 7, 7, 100, -40], 1);
  expect(x).toBeCloseTo(7, 3);
});

test('a weight counts as copies of the point', () => {
  const weighted = geometricMedian([0, 0, 4, 0, 1, 5], 2, { weights: [1, 2, 3], tolerance: 1e-12 });
  const copied = geometricMedian([0, 0, 4, 0, 4, 0, 1, 5, 1, 5, 1, 5], 2, { tolerance: 1e-12 });
  expect(weighted[0]).toBeCloseTo(copied[0], 6);
  expect(weighted[1]).toBeCloseTo(copied[1], 6);
});

test('no nearby point costs less, the order of points does not matter', () => {
  const coordinate = fc.integer({ min: -50, max: 50 });
  const boxes = fc.array(fc.tuple(coordinate, coordinate, coordinate, coordinate), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(boxes, (list) => {
      const points = list.flat();
      const median = geometricMedian(points, 4);
      const best = cost(points, 4, median);
      for (let d = 0; d < 4; d++) {
        for (const step of [-1, -0.1, 0.1, 1]) {
          const moved = Float64Array.from(median);
          moved[d] += step;
          expect(cost(points, 4, moved)).toBeGreaterThan(best - 1e-3);
        }
      }
      expect(cost(points, 4, geometricMedian(list.toReversed().flat(), 4))).toBeCloseTo(best, 3);
    }),
  );
});

test('no points, or a weight of zero, is refused', () => {
  expect(() => geometricMedian([], 4)).toThrow('make no points');
  expect(() => geometricMedian([1, 2, 3], 2)).toThrow('make no points');
  expect(() => geometricMedian([1, 2], 1, { weights: [1, 0] })).toThrow('weight 0 of point 1');
});
