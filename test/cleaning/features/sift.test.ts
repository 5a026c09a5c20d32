/** @file SIFT against OpenCV's (golden values of scripts/reference-opencv-sift.py) and against its own symmetries. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { descriptorLength, type Features, frameLength } from '../../../src/cleaning/features/features.js';
import type { GreyImage } from '../../../src/cleaning/features/grey-image.js';
import { siftFeatures } from '../../../src/cleaning/features/sift.js';
import { cosine } from '../../support/close.js';

const folder = new URL('../../golden/sift/', import.meta.url);
interface Golden {
  images: {
    name: string;
    keypoints: [x: number, y: number, size: number, angle: number, response: number][];
    descriptors: string;
  }[];
}
const golden = JSON.parse(readFileSync(new URL('opencv-sift.json', folder), 'utf8')) as Golden;

async function goldenImage(name: string): Promise<GreyImage> {
  const image = sharp(new URL(`${name}.png`, folder).pathname).toColourspace('b-w');
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(1);
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

interface Keypoint {
  x: number;
  y: number;
  sigma: number;
  /** Radians, from +x towards +y. */
  angle: number;
}

function keypoint({ frames }: Features, i: number): Keypoint {
  const [x, y, a11, , a21] = frames.subarray(frameLength * i, frameLength * (i + 1));
  return { x, y, sigma: Math.hypot(a11, a21), angle: Math.atan2(a21, a11) };
}

const descriptor = ({ descriptors }: Features, i: number) =>
  descriptors.subarray(descriptorLength * i, descriptorLength * (i + 1));

const fiveDegrees = (5 * Math.PI) / 180;

/** The nearest feature within 0.5 px of the keypoint's scale, 5 % of it and five degrees, or undefined. */
function counterpart(features: Features, { x, y, sigma, angle }: Keypoint, tolerance = 0.5): number | undefined {
  let best: number | undefined;
  let nearest = tolerance * Math.max(1, sigma);
  for (let i = 0; i < features.count; i++) {
    const other = keypoint(features, i);
    const distance = Math.hypot(other.x - x, other.y - y);
    const turn = Math.abs(Math.atan2(Math.sin(other.angle - angle), Math.cos(other.angle - angle)));
    if (distance <= nearest && Math.abs(other.sigma / sigma - 1) <= 0.05 && turn <= fiveDegrees) {
      best = i;
      nearest = distance;
    }
  }
  return best;
}

describe('against OpenCV 4.6', () => {
  test.each(golden.images)(
    '$name: 99 % of its 500 strongest keypoints are found, with its descriptors',
    async (reference) => {
      const features = siftFeatures(await goldenImage(reference.name), { maxKeypoints: 520 });
      const bytes = Buffer.from(reference.descriptors, 'base64');
      let found = 0;
      const cosines: number[] = [];
      for (const [i, [x, y, size, angle, response]] of reference.keypoints.entries()) {
        // OpenCV 4.6 does not take back the quarter pixel by which doubling shifts the image
        const wanted = { x: x - 0.25, y: y - 0.25, sigma: size / 2, angle: (angle * Math.PI) / 180 };
        const match = counterpart(features, wanted, 0.1);
        if (match === undefined) continue;
        found++;
        expect(Math.abs(features.responses[match] / response - 1)).toBeLessThan(0.02);
        if ((i + 1) * descriptorLength > bytes.length) continue;
        const theirs = bytes.subarray(i * descriptorLength, (i + 1) * descriptorLength);
        cosines.push(cosine(descriptor(features, match), Float64Array.from(theirs, Math.sqrt)));
      }
      expect(found / reference.keypoints.length).toBeGreaterThanOrEqual(0.99);
      expect(Math.min(...cosines)).toBeGreaterThan(0.99);
      expect(cosines.length).toBeGreaterThan(90);
    },
  );
});

/** Pixel (x, y) of the result is pixel `from(x, y)` of the image. */
function remap(image: GreyImage, width: number, height: number, from: (x: number, y: number) => [number, number]) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = from(x, y);
      data[y * width + x] = image.data[v * image.width + u];
    }
  }
  return { data, width, height };
}

/**
 * Share of `before`'s keypoints, moved by `move`, that `after` has too, and the mean cosine of their descriptors. The first octave
 * does not depend on the direction the image is read in; the halved ones start at the left and top, so a turned image has others.
 */
function survivors(before: Features, after: Features, move: (point: Keypoint) => Keypoint) {
  const counts = { first: { total: 0, found: 0 }, later: { total: 0, found: 0 } };
  let similarity = 0;
  for (let i = 0; i < before.count; i++) {
    const point = keypoint(before, i);
    const octave = point.sigma < 1.75 ? counts.first : counts.later;
    octave.total++;
    const match = counterpart(after, move(point));
    if (match === undefined) continue;
    octave.found++;
    similarity += cosine(descriptor(before, i), descriptor(after, match));
  }
  const share = ({ total, found }: { total: number; found: number }) => found / total;
  expect(Math.min(counts.first.total, counts.later.total)).toBeGreaterThan(50);
  const found = counts.first.found + counts.later.found;
  return { first: share(counts.first), later: share(counts.later), similarity: similarity / found };
}

describe('symmetries', async () => {
  const image = await goldenImage('photograph-1');
  const { width, height } = image;
  const features = siftFeatures(image, { maxKeypoints: 300 });

  test('a quarter turn turns the keypoints and leaves their descriptors', () => {
    const turned = remap(image, height, width, (x, y) => [y, height - 1 - x]);
    const { first, later, similarity } = survivors(features, siftFeatures(turned, { maxKeypoints: 330 }), (point) => ({
      ...point,
      x: height - 1 - point.y,
      y: point.x,
      angle: point.angle + Math.PI / 2,
    }));
    expect(first).toBeGreaterThan(0.99);
    expect(later).toBeGreaterThan(0.7);
    expect(similarity).toBeGreaterThan(0.99);
  });

  test('a mirror image has mirrored keypoints', () => {
    const mirrored = remap(image, width, height, (x, y) => [width - 1 - x, y]);
    const { first, later } = survivors(features, siftFeatures(mirrored, { maxKeypoints: 330 }), (point) => ({
      ...point,
      x: width - 1 - point.x,
      angle: Math.PI - point.angle,
    }));
    expect(first).toBeGreaterThan(0.99);
    expect(later).toBeGreaterThan(0.7);
  });

  test('a shift by 16 px shifts the keypoints', () => {
    const part = remap(image, width - 16, height, (x, y) => [x + 16, y]);
    const inside = siftFeatures(part, { maxKeypoints: 600 });
    let total = 0;
    let found = 0;
    for (let i = 0; i < features.count; i++) {
      const point = keypoint(features, i);
      if (point.x < 16 + 12 * point.sigma) continue;
      total++;
      if (counterpart(inside, { ...point, x: point.x - 16 }) !== undefined) found++;
    }
    expect(total).toBeGreaterThan(100);
    expect(found / total).toBeGreaterThan(0.97);
  });

  test('an image twice as large has keypoints of twice the scale', () => {
    // pixels repeated and smoothed; only what is coarser than that compares
    const large = remap(image, 2 * width, 2 * height, (x, y) => [x >> 1, y >> 1]);
    const found = siftFeatures(large, { maxKeypoints: 3000 });
    let total = 0;
    let kept = 0;
    for (let i = 0; i < features.count; i++) {
      const { x, y, sigma, angle } = keypoint(features, i);
      if (sigma < 3) continue;
      total++;
      if (counterpart(found, { x: 2 * x + 0.5, y: 2 * y + 0.5, sigma: 2 * sigma, angle }) !== undefined) kept++;
    }
    expect(total).toBeGreaterThan(20);
    expect(kept / total).toBeGreaterThan(0.8);
  });

  test('the same image gives the same bytes, whatever was looked at in between', () => {
    siftFeatures(remap(image, 64, 48, (x, y) => [x, y]));
    expect(siftFeatures(image, { maxKeypoints: 300 })).toEqual(features);
  });

  test('maxKeypoints keeps the strongest', () => {
    const fewer = siftFeatures(image, { maxKeypoints: 40 });
    expect(fewer.count).toBe(40);
    expect(fewer.frames).toEqual(features.frames.slice(0, 40 * frameLength));
    expect(fewer.descriptors).toEqual(features.descriptors.slice(0, 40 * descriptorLength));
    expect([...features.responses]).toEqual([...features.responses].sort((a, b) => b - a));
  });
});
