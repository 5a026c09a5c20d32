import { describe, expect, test } from 'vitest';
import {
  adapted,
  anisotropy,
  elongation,
  type Matrix2,
  shorterAxis,
  turned,
  upright,
  withShorterAxis,
} from '../../../src/cleaning/features/affine-shape.js';
import { expectClose } from '../../support/close.js';

/** Half axes 6 and 2, the longer one at 30 degrees, the frame turned by 50 more. */
const shape = turned(
  [6 * Math.cos(Math.PI / 6), -2 * Math.sin(Math.PI / 6), 6 * Math.sin(Math.PI / 6), 2 * Math.cos(Math.PI / 6)],
  (50 * Math.PI) / 180,
);
/** A A^T: the same for frames of one ellipse. */
const ellipse = ([a, b, c, d]: Matrix2) => [a * a + b * b, a * c + b * d, c * c + d * d];

describe('affine shapes', () => {
  test('half axes: 6 / 2 = 3, the shorter one 2', () => {
    expectClose([elongation(shape), shorterAxis(shape)], [3, 2]);
    expectClose(
      ellipse(withShorterAxis(shape, 1)),
      ellipse(shape).map((value) => value / 4),
    );
  });

  test('anisotropy: eigenvalues 9 and 1 of [[5, 4], [4, 5]]', () => expectClose(anisotropy(5, 4, 5), 9));

  test('turning and setting upright keep the ellipse; upright leaves v along y', () => {
    expectClose(ellipse(turned(shape, 1)), ellipse(shape));
    expectClose(ellipse(upright(shape)), ellipse(shape));
    expect(upright(shape)[1]).toBe(0);
    expect(upright(shape)[0]).toBeGreaterThan(0);
    expect(upright(shape)[3]).toBeGreaterThan(0);
  });

  test('adapted: dA^T M dA is a multiple of the identity, the area stays', () => {
    const [xx, xy, yy] = [5, 1.5, 2];
    const [a, b, c, d] = adapted([1, 0, 0, 1], xx, xy, yy);
    expectClose(a * d - b * c, 1);
    const off = a * (xx * b + xy * d) + c * (xy * b + yy * d);
    const first = a * (xx * a + xy * c) + c * (xy * a + yy * c);
    const second = b * (xx * b + xy * d) + d * (xy * b + yy * d);
    expectClose(off, 0);
    expectClose(first, second);
  });
});
