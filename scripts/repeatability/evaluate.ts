/**
 * @file Repeatability and matching score of local features under a known homography (Mikolajczyk et al., "A Comparison of
 * Affine Region Detectors", IJCV 2005, section 4).
 */
import { descriptorLength, type Features, frameLength } from '../../src/cleaning/features/features.js';

export interface Score {
  /** Regions in the part both images show, the fewer of the two. */
  regions: number;
  /** One-to-one correspondences with an overlap error of at most 40 %, of `regions`. */
  repeatability: number;
  /** Nearest neighbours by descriptor that are such correspondences, of `regions`. */
  matchingScore: number;
}

type Matrix3 = readonly number[];
/** Centre and symmetric matrix S of the ellipse |S^-1/2 (p - centre)| <= 1. */
interface Ellipse {
  index: number;
  x: number;
  y: number;
  xx: number;
  xy: number;
  yy: number;
  area: number; // of pi
}

const maxError = 0.4;
/** Regions are compared as if the first had this radius, px: otherwise large ones would always overlap. */
const radius = 30;
/** Points spread evenly over the unit disc. */
const disc = Array.from({ length: 400 }, (_, i) => {
  const [r, angle] = [Math.sqrt((i + 0.5) / 400), i * Math.PI * (3 - Math.sqrt(5))];
  return [r * Math.cos(angle), r * Math.sin(angle)] as const;
});

/** `homography` maps px of the first image to px of the second. */
export function evaluate(first: Features, second: Features, homography: Matrix3): Score {
  const there = common(first, second, homography);
  const back = new Set(common(second, first, invert(homography)).map(({ index }) => index));
  const targets = ellipses(second).filter(({ index }) => back.has(index));
  const regions = Math.min(there.length, targets.length);
  const pairs: { from: number; to: number; error: number }[] = [];
  for (const a of there) {
    for (const b of targets) {
      const error = overlapError(a, b);
      if (error <= maxError) pairs.push({ from: a.index, to: b.index, error });
    }
  }
  pairs.sort((a, b) => a.error - b.error);
  const [usedFrom, usedTo] = [new Set<number>(), new Set<number>()];
  const valid = new Set<string>();
  for (const { from, to } of pairs) {
    valid.add(`${from} ${to}`);
    if (usedFrom.has(from) || usedTo.has(to)) continue;
    usedFrom.add(from);
    usedTo.add(to);
  }
  let correct = 0;
  const matched = new Set<number>();
  for (const { index } of there) {
    const nearest = nearestNeighbour(first, index, second, targets);
    if (nearest === undefined || !valid.has(`${index} ${nearest}`) || matched.has(nearest)) continue;
    matched.add(nearest);
    correct++;
  }
  return { regions, repeatability: usedFrom.size / regions, matchingScore: correct / regions };
}

/** Features of `from` whose centre `to` shows, as ellipses in it; the homography is linear at a region's size. */
function common(from: Features, to: Features, h: Matrix3): Ellipse[] {
  return ellipses(from).flatMap(({ index, x, y, xx, xy, yy }) => {
    const w = h[6] * x + h[7] * y + h[8];
    const [u, v] = [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
    if (!(u >= 0 && v >= 0 && u <= to.width - 1 && v <= to.height - 1)) return [];
    const [a, b] = [(h[0] - u * h[6]) / w, (h[1] - u * h[7]) / w];
    const [c, d] = [(h[3] - v * h[6]) / w, (h[4] - v * h[7]) / w];
    return [
      ellipse(
        index,
        u,
        v,
        a * a * xx + 2 * a * b * xy + b * b * yy,
        a * c * xx + (a * d + b * c) * xy + b * d * yy,
        c * c * xx + 2 * c * d * xy + d * d * yy,
      ),
    ];
  });
}

function ellipses({ count, frames }: Features): Ellipse[] {
  return Array.from({ length: count }, (_, i) => {
    const [x, y, a, b, c, d] = frames.subarray(frameLength * i, frameLength * (i + 1));
    return ellipse(i, x, y, a * a + b * b, a * c + b * d, c * c + d * d);
  });
}

function ellipse(index: number, x: number, y: number, xx: number, xy: number, yy: number): Ellipse {
  return { index, x, y, xx, xy, yy, area: Math.sqrt(xx * yy - xy * xy) };
}

/** 1 - intersection / union. */
function overlapError(a: Ellipse, b: Ellipse): number {
  const scale = radius / Math.sqrt(a.area);
  const [dx, dy] = [(a.x - b.x) / scale, (a.y - b.y) / scale];
  const ratio = a.area / b.area;
  if (ratio < 1 - maxError || ratio > 1 / (1 - maxError)) return 1;
  if (dx * dx + dy * dy > 4 * (a.xx + a.yy)) return 1;
  // Cholesky factor of a, inverse of b
  const l11 = Math.sqrt(a.xx);
  const l21 = a.xy / l11;
  const l22 = a.area / l11;
  const determinant = b.area * b.area;
  let inside = 0;
  for (const [u, v] of disc) {
    const x = dx + l11 * u;
    const y = dy + l21 * u + l22 * v;
    if (b.yy * x * x - 2 * b.xy * x * y + b.xx * y * y <= determinant) inside++;
  }
  const intersection = (inside / disc.length) * a.area;
  return 1 - intersection / (a.area + b.area - intersection);
}

function nearestNeighbour(first: Features, index: number, second: Features, candidates: readonly Ellipse[]) {
  const a = descriptorLength * index;
  let [best, least]: [number | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
  for (const candidate of candidates) {
    const b = descriptorLength * candidate.index;
    let sum = 0;
    for (let k = 0; k < descriptorLength && sum < least; k++) {
      sum += (first.descriptors[a + k] - second.descriptors[b + k]) ** 2;
    }
    if (sum < least) [best, least] = [candidate.index, sum];
  }
  return best;
}

function invert([a, b, c, d, e, f, g, h, i]: Matrix3): Matrix3 {
  const [p, q, r] = [e * i - f * h, c * h - b * i, b * f - c * e];
  const [s, t, u] = [f * g - d * i, a * i - c * g, c * d - a * f];
  const [v, w, x] = [d * h - e * g, b * g - a * h, a * e - b * d];
  const determinant = a * p + b * s + c * v;
  return [p, q, r, s, t, u, v, w, x].map((value) => value / determinant);
}
