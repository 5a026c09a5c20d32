import { array, assert, double, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ellipse, rectangle } from '../../src/synthetic/paths.js';
import { type Path, rasterize } from '../../src/synthetic/rasterize.js';

function coverageOf(path: Path, width: number, height: number): number[][] {
  const rows = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  rasterize(path, width, height, (y, from, to, coverage) => {
    for (let x = from; x < to; x++) rows[y][x] = coverage[x];
  });
  return rows;
}

describe('rasterize', () => {
  test('edge pixels get the covered share', () => {
    // [1.25, 3.5) x [0.5, 2): columns 1, 2, 3 get 0.75, 1, 0.5; row 0 half of that.
    expect(coverageOf([rectangle(1.25, 0.5, 2.25, 1.5)], 5, 3)).toEqual([
      [0, 0.375, 0.5, 0.25, 0],
      [0, 0.75, 1, 0.5, 0],
      [0, 0, 0, 0, 0],
    ]);
  });

  test('a polygon inside another cuts a hole (even-odd)', () => {
    const rows = coverageOf([rectangle(0, 0, 5, 5), rectangle(1, 1, 3, 3)], 5, 5);
    expect(rows.flat().reduce((a, b) => a + b, 0)).toBeCloseTo(25 - 9, 6);
    expect(rows[2][2]).toBe(0);
  });

  test('the sum of the coverage is the area', () => {
    const total = coverageOf([ellipse(32, 32, 20, 12, 64)], 64, 64)
      .flat()
      .reduce((a, b) => a + b, 0);
    // A 64-gon has sin(2 pi / 64) / (2 pi / 64) = 0.99839 of the ellipse's area.
    expect(total / (Math.PI * 20 * 12)).toBeCloseTo(0.998, 2);
  });

  test('any polygon stays within the raster and within [0, 1]', () => {
    const number = double({ min: -50, max: 50, noNaN: true });
    assert(
      property(array(number, { minLength: 6, maxLength: 20 }), (numbers) => {
        const points = numbers.slice(0, numbers.length - (numbers.length % 2));
        const values = coverageOf([points], 16, 12).flat();
        expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...values)).toBeLessThanOrEqual(1 + 1e-5);
      }),
      { numRuns: 200 },
    );
  });
});
