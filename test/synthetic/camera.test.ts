import { describe, expect, test } from 'vitest';
import { drawCamera, facadeHomography, invert, lookAt, project, transform } from '../../src/synthetic/camera.js';
import { facadeBox } from '../../src/synthetic/photograph.js';
import { Random } from '../../src/synthetic/random.js';

describe('camera', () => {
  test('a frontal view scales by focal / distance', () => {
    // 200 x 100 facade, camera at its middle 1000 away, f = 500: half size, centred in 400 x 300.
    const camera = lookAt(
      { width: 400, height: 300, focal: 500, position: [0, 50, 1000] },
      { target: [0, 50, 0], roll: 0 },
    );
    const h = facadeHomography(camera, 200, 100);
    const [left, top] = transform(h, 0, 0);
    const [right, bottom] = transform(h, 200, 100);
    expect(left).toBeCloseTo(200 - 50, 9);
    expect(top).toBeCloseTo(150 - 25, 9);
    expect(right).toBeCloseTo(250, 9);
    expect(bottom).toBeCloseTo(175, 9);
  });

  test('the homography agrees with projecting the points of the facade one by one', () => {
    for (let seed = 0; seed < 20; seed++) {
      const camera = drawCamera(new Random(seed), 900, 600, { size: 384, framing: seed % 2 ? 'whole' : 'part' });
      const h = facadeHomography(camera, 900, 600);
      expect(h[8]).toBe(1);
      for (const [u, v] of [
        [0, 0],
        [900, 0],
        [123, 456],
        [900, 600],
      ] as const) {
        // u right from the left edge, v down from the top: X = u - 450, Y = 600 - v.
        const [x, y, depth] = project(camera, [u - 450, 600 - v, 0]);
        const [hx, hy] = transform(h, u, v);
        expect(depth).toBeGreaterThan(0);
        expect(hx).toBeCloseTo(x, 6);
        expect(hy).toBeCloseTo(y, 6);
      }
    }
  });

  test('invert undoes transform', () => {
    const h = facadeHomography(drawCamera(new Random(3), 500, 800, { size: 320, framing: 'detail' }), 500, 800);
    const [x, y] = transform(h, 210, 333);
    const [u, v] = transform(invert(h), x, y);
    expect(u).toBeCloseTo(210, 6);
    expect(v).toBeCloseTo(333, 6);
  });
});

describe('facadeBox', () => {
  test('is the frame of the corners, in whole px, cut to the image', () => {
    // Scale 0.5, shift (10.5, -20): corners (10.5, -20) and (110.5, 30); rows above the image are cut.
    expect(facadeBox([0.5, 0, 10.5, 0, 0.5, -20, 0, 0, 1], { width: 200, height: 100 }, 400, 300)).toEqual({
      x: 10,
      y: 0,
      width: 101,
      height: 30,
    });
    expect(facadeBox([0.5, 0, 10.5, 0, 0.5, -20, 0, 0, 1], { width: 200, height: 100 }, 60, 20)).toEqual({
      x: 10,
      y: 0,
      width: 50,
      height: 20,
    });
  });
});
