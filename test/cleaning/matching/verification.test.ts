import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AffineMap,
  applyMap,
  determinant,
  invertMap,
  stretches,
} from '../../../src/cleaning/matching/affine-map.js';
import { verify } from '../../../src/cleaning/matching/verification.js';
import { featuresOf, matchesInOrder, planarScene } from '../scene.js';

/** A view of a plane: turned, scaled, foreshortened, moved. */
const views = fc
  .record({
    turn: fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
    axis: fc.double({ min: 0, max: Math.PI, noNaN: true }),
    scale: fc.double({ min: 0.4, max: 2.5, noNaN: true }),
    tilt: fc.double({ min: 1, max: 2.5, noNaN: true }),
    shift: fc.tuple(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -200, max: 200 })),
  })
  .map(({ turn, axis, scale, tilt, shift }): AffineMap => {
    const rotation = (angle: number) => [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)];
    const times = ([a, b, c, d]: number[], [e, f, g, h]: number[]) => [
      a * e + b * g,
      a * f + b * h,
      c * e + d * g,
      c * f + d * h,
    ];
    const squeezed = times(rotation(-axis), times([scale, 0, 0, scale / tilt], rotation(axis)));
    const [a, b, c, d] = times(rotation(turn), squeezed);
    return [a, b, shift[0], c, d, shift[1]];
  });

describe.each(['single', 'ransac'] as const)('verify, %s', (method) => {
  test('finds the view among outliers, and the same inliers as the true map', () => {
    fc.assert(
      fc.property(views, fc.integer({ min: 15, max: 60 }), fc.nat(60), fc.nat(1000), (map, inliers, outliers, seed) => {
        const { a, b, matches } = planarScene({ map, inliers, outliers, noisePx: 0.5, frameNoise: 0.1, seed });
        const { count, affine } = verify(a, b, matches, { method });
        // each position is off by at most 0.71 px, the tolerance is 8; a few outliers may agree with the map by chance
        expect(count).toBeGreaterThanOrEqual(inliers * 0.95);
        const back = invertMap(affine!)!;
        for (let m = 0; m < inliers; m++) {
          const [x, y] = a.frames.subarray(6 * m, 6 * m + 2);
          const [u, v] = applyMap(map, x, y);
          const [s, t] = applyMap(affine!, x, y);
          expect(Math.min(Math.hypot(s - u, t - v), Math.hypot(...minus(applyMap(back, u, v), x, y)))).toBeLessThan(8);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('every inlier is within the tolerance both ways, every place is used once, and the map is a plausible one', () => {
    fc.assert(
      fc.property(views, fc.integer({ min: 8, max: 40 }), fc.nat(1000), (map, inliers, seed) => {
        // places on a coarse lattice coincide often; the second image is half the size
        const { a, b, matches } = planarScene({ map, inliers, outliers: 30, noisePx: 6, frameNoise: 0.2, seed });
        for (let k = 0; k < a.count; k++) a.frames[6 * k] = Math.round(a.frames[6 * k] / 160) * 160;
        b.width = 320;
        b.height = 240;
        const found = verify(a, b, matches, { method, minInliers: 4 });
        if (found.affine === null) return;
        const back = invertMap(found.affine)!;
        const [large, small] = stretches(found.affine);
        expect(determinant(found.affine)).toBeGreaterThan(0);
        expect(large / small).toBeLessThanOrEqual(5);
        const places: string[][] = [[], []];
        for (let k = 0; k < found.count; k++) {
          const [x, y] = a.frames.subarray(6 * found.inliers[2 * k], 6 * found.inliers[2 * k] + 2);
          const [u, v] = b.frames.subarray(6 * found.inliers[2 * k + 1], 6 * found.inliers[2 * k + 1] + 2);
          expect(Math.hypot(...minus(applyMap(found.affine, x, y), u, v))).toBeLessThanOrEqual(4.001);
          expect(Math.hypot(...minus(applyMap(back, u, v), x, y))).toBeLessThanOrEqual(8.001);
          places[0].push(`${x} ${y}`);
          places[1].push(`${u} ${v}`);
        }
        for (const list of places) expect(new Set(list).size).toBe(found.count);
      }),
      { numRuns: 60 },
    );
  });

  test('the map is the least-squares fit of its own inliers: their errors are orthogonal to 1, x and y', () => {
    fc.assert(
      fc.property(views, fc.integer({ min: 4, max: 60 }), fc.nat(60), fc.nat(1000), (map, inliers, outliers, seed) => {
        const { a, b, matches } = planarScene({ map, inliers, outliers, noisePx: 9, frameNoise: 0.3, seed });
        const found = verify(a, b, matches, { method, minInliers: 4 });
        if (found.affine === null) return;
        const sums = [0, 0, 0, 0, 0, 0];
        for (let k = 0; k < found.count; k++) {
          const [x, y] = a.frames.subarray(6 * found.inliers[2 * k], 6 * found.inliers[2 * k] + 2);
          const [u, v] = b.frames.subarray(6 * found.inliers[2 * k + 1], 6 * found.inliers[2 * k + 1] + 2);
          const [du, dv] = minus(applyMap(found.affine, x, y), u, v);
          for (const [i, factor] of [1, x / 640, y / 480].entries()) {
            sums[i] += du * factor;
            sums[3 + i] += dv * factor;
          }
        }
        for (const sum of sums) expect(Math.abs(sum)).toBeLessThan(1e-6 * found.count);
      }),
      { numRuns: 300 },
    );
  });

  test('the tolerance is that of a 640 px image', () => {
    // every second position in b is 12 px off to one side or the other
    const scene = (side: number) => {
      const { a, b, matches } = planarScene({
        map: [1, 0, 0, 0, 1, 0],
        inliers: 60,
        width: side,
        height: side * 0.75,
      });
      for (let k = 0; k < 30; k++) b.frames[6 * k] += k % 2 === 0 ? 12 : -12;
      return verify(a, b, matches, { method }).count;
    };
    expect(scene(640)).toBeGreaterThanOrEqual(30);
    expect(scene(640)).toBeLessThan(45);
    expect(scene(1280)).toBe(60);
  });

  test('a mirror image is not verified', () => {
    const { a, b, matches } = planarScene({ map: [-1, 0, 640, 0, 1, 0], inliers: 40 });
    // frames of a detector are never mirrored
    for (let k = 0; k < b.count; k++) {
      b.frames[6 * k + 2] *= -1;
      b.frames[6 * k + 4] *= -1;
    }
    expect(verify(a, b, matches, { method }).affine).toBeNull();
  });

  test('extreme scales and shears are not verified', () => {
    const at = (map: AffineMap) => {
      const { a, b, matches } = planarScene({ map, inliers: 40 });
      return verify(a, b, matches, { method }).affine;
    };
    expect(at([0.5, 0, 0, 0, 0.5, 0])).not.toBeNull();
    expect(at([0.02, 0, 100, 0, 0.02, 100])).toBeNull();
    expect(at([2, 0, 0, 0, 0.2, 100])).toBeNull();
  });

  test('a thumbnail of a twentieth is no extreme scale', () => {
    const { a, b, matches } = planarScene({ map: [0.05, 0, 0, 0, 0.05, 0], inliers: 40 });
    const thumbnail = { ...b, width: a.width / 20, height: a.height / 20 };
    expect(verify(a, thumbnail, matches, { method }).affine).not.toBeNull();
  });

  test('points on a line, in a heap, or all on one place verify nothing', () => {
    const frame = [5, 0, 0, 5];
    const cases = {
      line: Array.from({ length: 40 }, (_, k) => [10 * k, 5 * k, ...frame]),
      heap: Array.from({ length: 40 }, (_, k) => [100 + (k % 5), 100 + (k % 7), ...frame]),
      place: Array.from({ length: 40 }, () => [100, 100, ...frame]),
    };
    for (const frames of Object.values(cases)) {
      expect(verify(featuresOf(frames), featuresOf(frames), matchesInOrder(40), { method }).affine).toBeNull();
    }
    const collapsed = verify(
      featuresOf(Array.from({ length: 40 }, (_, k) => [15 * (k % 8), 15 * (k >> 3), ...frame])),
      featuresOf(cases.place),
      matchesInOrder(40),
      { method },
    );
    expect(collapsed).toEqual({ count: 0, inliers: new Uint32Array(0), affine: null });
  });

  test('a facade of equal windows, each matched with any other: a map of at most as many inliers as windows', () => {
    const windows = Array.from({ length: 64 }, (_, k) => [40 + 60 * (k % 8), 40 + 50 * (k >> 3), 4, 0, 0, 4]);
    const facade = featuresOf(windows);
    const matches = matchesInOrder(64 * 64);
    for (let m = 0; m < matches.count; m++) matches.pairs.set([m >> 6, m & 63], 2 * m);
    const { count } = verify(facade, facade, matches, { method });
    expect(count).toBeLessThanOrEqual(64);
    // three of 4096 matches rarely agree; one alone proposes a whole lattice
    if (method === 'single') expect(count).toBeGreaterThanOrEqual(32);
  });

  test("as many inliers as OpenCV's estimateAffine2D, on the same map", () => {
    const { width, height, scenes } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../golden/opencv-affine.json'), 'utf8'),
    ) as {
      width: number;
      height: number;
      scenes: { a: number[][]; b: number[][]; inliers: number; affine: number[] }[];
    };
    for (const scene of scenes) {
      const [a, b] = [featuresOf(scene.a, width, height), featuresOf(scene.b, width, height)];
      const { count, affine } = verify(a, b, matchesInOrder(a.count), { method });
      // OpenCV measures the error in b only, here it counts in both images
      expect(count).toBeGreaterThanOrEqual(0.93 * scene.inliers);
      expect(count).toBeLessThanOrEqual(1.07 * scene.inliers);
      for (const [x, y] of [[0, 0] as const, [width, 0] as const, [0, height] as const, [width, height] as const]) {
        const expected = applyMap(scene.affine as unknown as AffineMap, x, y);
        expect(Math.hypot(...minus(applyMap(affine!, x, y), ...expected))).toBeLessThan(8);
      }
    }
  });

  test('equal input, equal output; too few matches verify nothing', () => {
    const { a, b, matches } = planarScene({ map: [1, 0.2, 5, -0.1, 0.9, 8], inliers: 30, outliers: 60, noisePx: 5 });
    expect(verify(a, b, matches, { method })).toEqual(verify(a, b, matches, { method }));
    expect(verify(a, b, matches, { method, minInliers: 31 + 30 }).affine).toBeNull();
    expect(verify(a, b, matchesInOrder(2), { method, minInliers: 1 }).affine).toBeNull();
    expect(verify(featuresOf([]), featuresOf([]), matchesInOrder(0), { method }).count).toBe(0);
    expect(() => verify(a, b, matches, { method, tolerancePx: 0 })).toThrow('tolerancePx above 0 expected, got 0');
  });
});

function minus([x, y]: readonly number[], u: number, v: number): [number, number] {
  return [x - u, y - v];
}
