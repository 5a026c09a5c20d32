/** @file Hessian-affine regions of blobs whose shape is known. */
import { describe, expect, test } from 'vitest';
import { elongation, type Matrix2, shorterAxis } from '../../../src/cleaning/features/affine-shape.js';
import { type Features, frameLength } from '../../../src/cleaning/features/features.js';
import type { GreyImage } from '../../../src/cleaning/features/grey-image.js';
import { hessianAffineFeatures } from '../../../src/cleaning/features/hessian-affine.js';

const [x0, y0] = [82.3, 70.8];

/** A Gaussian blob of standard deviations `long` at `angle` and `short`, on grey. */
function blob(long: number, short: number, angle: number): GreyImage {
  const [width, height] = [160, 140];
  const data = new Float32Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [(i % width) - x0, Math.floor(i / width) - y0];
    const u = (x * Math.cos(angle) + y * Math.sin(angle)) / long;
    const v = (y * Math.cos(angle) - x * Math.sin(angle)) / short;
    data[i] = 60 + 150 * Math.exp(-(u * u + v * v) / 2);
  }
  return { data, width, height };
}

/** The strongest region. */
function strongest({ frames, count }: Features) {
  expect(count).toBeGreaterThan(0);
  const [x, y, a, b, c, d] = frames.subarray(0, frameLength);
  const shape: Matrix2 = [a, b, c, d];
  return { x, y, shape, axis: 0.5 * Math.atan2(2 * (a * c + b * d), a * a + b * b - c * c - d * d) };
}

describe('a Gaussian blob', () => {
  test.each([
    [8, 8, 0],
    [9, 6, 0.4],
    [10, 5, 1.2],
    [12, 5, -0.7],
  ])('of half axes %d and %d at %d rad: centre, elongation and direction', (long, short, angle) => {
    const { x, y, shape, axis } = strongest(hessianAffineFeatures(blob(long, short, angle), { upright: true }));
    expect(Math.hypot(x - x0, y - y0)).toBeLessThan(0.3);
    // what the shape adapts to is the blob blurred by a level a sixth of an octave (0 to 1/3) below the region's scale
    const blur = shorterAxis(shape) * 2 ** (-1 / 6);
    const wanted = Math.sqrt((long ** 2 + blur ** 2) / (short ** 2 + blur ** 2));
    expect(Math.abs(elongation(shape) / wanted - 1)).toBeLessThan(0.1);
    if (long !== short) expect(Math.abs(Math.sin(axis - angle))).toBeLessThan(0.05);
    expect(shape[1]).toBe(0);
  });

  test('round, of deviation 8: sigma^4 det H peaks at scale 8', () => {
    const { shape } = strongest(hessianAffineFeatures(blob(8, 8, 0)));
    const scale = Math.sqrt(shape[0] * shape[3] - shape[1] * shape[2]);
    expect(Math.abs(scale / 8 - 1)).toBeLessThan(0.05);
  });

  test('too elongated is none', () => {
    const { frames, count } = hessianAffineFeatures(blob(40, 3, 0.5));
    for (let i = 0; i < count; i++) {
      const [, , a, b, c, d] = frames.subarray(frameLength * i, frameLength * (i + 1));
      expect(elongation([a, b, c, d])).toBeLessThanOrEqual(6.01);
    }
  });
});
