/** @file Features of two made-up views of one plane: what verification must find is known. */
import seedrandom from 'seedrandom';
import { type AffineMap, applyMap } from '../../src/cleaning/matching/affine-map.js';
import { type Features } from '../../src/cleaning/features/features.js';
import { type Matches } from '../../src/cleaning/matching/matching.js';

export interface SceneOptions {
  map: AffineMap;
  /** Matches that follow the map, and matches of random places. */
  inliers: number;
  outliers?: number;
  /** Positions in b are off by at most this, px. */
  noisePx?: number;
  /** Angle (radians) and factor by which frames are off at most, as orientation and scale of real features are. */
  frameNoise?: number;
  seed?: number;
  width?: number;
  height?: number;
}

/** Features of a frame each: [x, y, a11, a12, a21, a22]. */
export function featuresOf(frames: readonly (readonly number[])[], width = 640, height = 480): Features {
  const count = frames.length;
  return {
    count,
    frames: Float32Array.from(frames.flat()),
    responses: new Float32Array(count),
    descriptors: new Uint8Array(128 * count),
    width,
    height,
  };
}

/** Feature m of a with feature m of b, all equally distinct. */
export function matchesInOrder(count: number): Matches {
  return {
    count,
    pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1),
    distances: new Float32Array(count).fill(100),
    ratios: new Float32Array(count).fill(0.5),
  };
}

/** Inliers first, then outliers. Places of a lie anywhere, those of b where the map takes them, also outside of the picture. */
export function planarScene({
  map,
  inliers,
  outliers = 0,
  noisePx = 0,
  frameNoise = 0,
  seed = 1,
  width = 640,
  height = 480,
}: SceneOptions): { a: Features; b: Features; matches: Matches } {
  const random = seedrandom(`scene ${seed}`);
  const about = (size: number) => size * (2 * random() - 1);
  const similarity = (angle: number, scale: number) => [
    scale * Math.cos(angle),
    -scale * Math.sin(angle),
    scale * Math.sin(angle),
    scale * Math.cos(angle),
  ];
  const [first, second]: number[][][] = [[], []];
  for (let m = 0; m < inliers + outliers; m++) {
    const [x, y] = [random() * width, random() * height];
    const [p, q, r, s] = similarity(about(Math.PI), 2 + 10 * random());
    first.push([x, y, p, q, r, s]);
    if (m < inliers) {
      const [u, v] = applyMap(map, x, y);
      const [a, b, , c, d] = map;
      const [e, f, g, h] = similarity(about(frameNoise), 1 + about(frameNoise));
      const frame = [a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s];
      second.push([
        u + about(noisePx),
        v + about(noisePx),
        e * frame[0] + f * frame[2],
        e * frame[1] + f * frame[3],
        g * frame[0] + h * frame[2],
        g * frame[1] + h * frame[3],
      ]);
    } else {
      second.push([random() * width, random() * height, ...similarity(about(Math.PI), 2 + 10 * random())]);
    }
  }
  return {
    a: featuresOf(first, width, height),
    b: featuresOf(second, width, height),
    matches: matchesInOrder(inliers + outliers),
  };
}
