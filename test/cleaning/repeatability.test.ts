/** @file On photographs with known homographies, against what OpenCV 4.6 and VLFeat 0.9.21 reach by the same evaluator. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../scripts/repeatability/evaluate.js';
import { detectFeatures } from '../../src/cleaning/features/detect.js';
import { descriptorLength, type Features } from '../../src/cleaning/features/features.js';
import { readGreyImage } from '../../src/cleaning/features/grey-image.js';
import { sharedData } from '../support/data.js';

// scripts/repeatability/run.ts, 1000 keypoints, images 1 and 2 of graf
const peers = {
  sift: { repeatability: 0.682, matchingScore: 0.619 },
  'hessian-affine': { repeatability: 0.809, matchingScore: 0.759 },
};

test.skipIf(sharedData === undefined).each(['sift', 'hessian-affine'] as const)(
  '%s: within three points of its peer on a change of viewpoint',
  async (detector) => {
    const folder = join(sharedData as string, 'vgg_affine/graf');
    const features = async (i: number) => {
      const image = await readGreyImage(join(folder, `img${i}.png`), { longest: 'none' });
      return detectFeatures(image, { detector, maxKeypoints: 1000 });
    };
    const homography = readFileSync(join(folder, 'H1to2p'), 'utf8').trim().split(/\s+/).map(Number);
    const score = evaluate(await features(1), await features(2), homography);
    expect(score.repeatability).toBeGreaterThan(peers[detector].repeatability - 0.03);
    expect(score.matchingScore).toBeGreaterThan(peers[detector].matchingScore - 0.03);
  },
);

describe('evaluate', () => {
  /** Circles with descriptors that are all different. */
  function circles(rows: readonly [x: number, y: number, radius: number][]): Features {
    const descriptors = new Uint8Array(rows.length * descriptorLength);
    for (let i = 0; i < rows.length; i++) descriptors[i * descriptorLength + i] = 255;
    const frames = Float32Array.from(rows.flatMap(([x, y, r]) => [x, y, r, 0, 0, r]));
    return {
      count: rows.length,
      frames,
      responses: new Float32Array(rows.length),
      descriptors,
      width: 100,
      height: 100,
    };
  }
  const twice = [2, 0, 0, 0, 2, 0, 0, 0, 1];

  test('circles of twice the size correspond under a scaling by two; overlap ends at 40 % error', () => {
    const first = circles([
      [10, 10, 3],
      [20, 30, 3],
      [30, 10, 3],
    ]);
    // same; area 1.6 times as large: error 1 - 1 / 1.6 = 0.375; area 1.8 times: 0.44
    const second = circles([
      [20, 20, 6],
      [40, 60, 6 * Math.sqrt(1.6)],
      [60, 20, 6 * Math.sqrt(1.8)],
    ]);
    expect(evaluate(first, second, twice)).toEqual({ regions: 3, repeatability: 2 / 3, matchingScore: 2 / 3 });
  });

  test('only what both images show counts', () => {
    const first = circles([
      [10, 10, 3],
      [80, 80, 3],
    ]);
    expect(evaluate(first, circles([[20, 20, 6]]), twice)).toEqual({ regions: 1, repeatability: 1, matchingScore: 1 });
  });
});
