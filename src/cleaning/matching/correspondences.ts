/** @file The points of two images' matches, best first, and which of them a map explains. */
import { type AffineMap, invertMap } from './affine-map.js';
import { type Features, frameLength } from '../features/features.js';
import type { Matches } from './matching.js';

/** Longest side of the image that tolerances in pixels are meant for. */
const referenceSide = 640;

/** Matched points of two images, ordered by the ratio of their descriptor distances, the most distinct first. */
export interface Correspondences {
  /** M. */
  count: number;
  /** Features of a and b, [M, 2]. */
  pairs: Uint32Array;
  /** Positions in a and in b, px, [M, 2]. */
  from: Float64Array;
  to: Float64Array;
  /** Number of the position in a and in b, [M]: features that differ only in orientation or shape share it. */
  fromPlace: Uint32Array;
  toPlace: Uint32Array;
  /** Longest side of a and of b over 640: what one reference pixel is there. */
  fromUnit: number;
  toUnit: number;
}

/** Gathers the matches' positions. */
export function correspondencesOf(a: Features, b: Features, { count, pairs, ratios }: Matches): Correspondences {
  const order = Uint32Array.from({ length: count }, (_, m) => m).sort((m, n) => ratios[m] - ratios[n] || m - n);
  const sorted = new Uint32Array(2 * count);
  const from = new Float64Array(2 * count);
  const to = new Float64Array(2 * count);
  order.forEach((m, k) => {
    const [i, j] = [pairs[2 * m], pairs[2 * m + 1]];
    sorted.set([i, j], 2 * k);
    from.set([a.frames[i * frameLength], a.frames[i * frameLength + 1]], 2 * k);
    to.set([b.frames[j * frameLength], b.frames[j * frameLength + 1]], 2 * k);
  });
  return {
    count,
    pairs: sorted,
    from,
    to,
    fromPlace: placesOf(from),
    toPlace: placesOf(to),
    fromUnit: Math.max(a.width, a.height) / referenceSide,
    toUnit: Math.max(b.width, b.height) / referenceSide,
  };
}

/** Which correspondences a map explains: reused by every hypothesis of one pair of images. */
export interface InlierSearch {
  /**
   * Writes the numbers of the inliers into `inliers` and returns how many they are: both transfer errors, of a's point in b and of b's point
   * in a, within `tolerancePx` reference pixels, and no place of either image twice (the better match stays). Of all
   * matches, or of those numbered in `among`, in ascending order.
   */
  find(map: AffineMap, tolerancePx: number, inliers: Uint32Array, among?: Uint32Array): number;
}

export function inlierSearch({ count, from, to, fromPlace, toPlace, fromUnit, toUnit }: Correspondences): InlierSearch {
  const usedFrom = new Uint32Array(count);
  const usedTo = new Uint32Array(count);
  const all = Uint32Array.from({ length: count }, (_, k) => k);
  let stamp = 0;
  return {
    find(map, tolerancePx, inliers, among = all) {
      const inverse = invertMap(map);
      if (inverse === null) return 0;
      const [a, b, tx, c, d, ty] = map;
      const [e, f, ux, g, h, uy] = inverse;
      const forward = (tolerancePx * toUnit) ** 2;
      const backward = (tolerancePx * fromUnit) ** 2;
      let found = 0;
      stamp++;
      for (const k of among) {
        const [x, y, u, v] = [from[2 * k], from[2 * k + 1], to[2 * k], to[2 * k + 1]];
        const dx = a * x + b * y + tx - u;
        const dy = c * x + d * y + ty - v;
        if (!(dx * dx + dy * dy <= forward)) continue;
        const bx = e * u + f * v + ux - x;
        const by = g * u + h * v + uy - y;
        if (!(bx * bx + by * by <= backward)) continue;
        if (usedFrom[fromPlace[k]] === stamp || usedTo[toPlace[k]] === stamp) continue;
        usedFrom[fromPlace[k]] = stamp;
        usedTo[toPlace[k]] = stamp;
        inliers[found++] = k;
      }
      return found;
    },
  };
}

/** Standard deviation of points along the direction in which they vary least, px. Small: they lie on a line or in a heap. */
export function leastSpread(points: Float64Array, indices: ArrayLike<number>): number {
  const count = indices.length;
  let [mx, my, xx, xy, yy] = [0, 0, 0, 0, 0];
  for (let k = 0; k < count; k++) {
    mx += points[2 * indices[k]] / count;
    my += points[2 * indices[k] + 1] / count;
  }
  for (let k = 0; k < count; k++) {
    const [x, y] = [points[2 * indices[k]] - mx, points[2 * indices[k] + 1] - my];
    xx += (x * x) / count;
    xy += (x * y) / count;
    yy += (y * y) / count;
  }
  const smaller = (xx + yy) / 2 - Math.hypot((xx - yy) / 2, xy);
  return Math.sqrt(Math.max(0, smaller));
}

/** Numbers the positions that differ by more than a quarter of a pixel. */
function placesOf(points: Float64Array): Uint32Array {
  const numbers = new Map<number, number>();
  return Uint32Array.from({ length: points.length / 2 }, (_, k) => {
    const key = Math.round(points[2 * k] * 4) * 2 ** 24 + Math.round(points[2 * k + 1] * 4);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}
