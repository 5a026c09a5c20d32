/** @file What any detector makes of images that are hardly any, and of several threads. */
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DetectOptions, detectFeatures } from '../../../src/cleaning/features/detect.js';
import { descriptorLength, type Features, frameLength } from '../../../src/cleaning/features/features.js';
import type { GreyImage } from '../../../src/cleaning/features/grey-image.js';
import { cellRandom } from '../../../src/synthetic/random.js';

const detectors = ['sift', 'hessian-affine'] as const;

/** Squares of random grey, `cell` px a side. */
function mosaic(width: number, height: number, cell = 6): GreyImage {
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    data[i] = 255 * cellRandom(1, Math.floor(x / cell), Math.floor(y / cell));
  }
  return { data, width, height };
}

function expectSound({ count, frames, responses, descriptors, width, height }: Features) {
  expect([frames.length, responses.length, descriptors.length]).toEqual([
    count * frameLength,
    count,
    count * descriptorLength,
  ]);
  for (let i = 0; i < count; i++) {
    const [x, y, a11, a12, a21, a22] = frames.subarray(frameLength * i, frameLength * (i + 1));
    expect(x >= 0 && x <= width - 1 && y >= 0 && y <= height - 1).toBe(true);
    // orientation kept: no mirrored frame
    expect(a11 * a22 - a12 * a21).toBeGreaterThan(0);
    expect(Number.isFinite(responses[i]) && responses[i] > 0).toBe(true);
  }
}

describe.each(detectors)('%s', (detector) => {
  const detect = (image: GreyImage, options: DetectOptions = {}) => detectFeatures(image, { detector, ...options });

  test.each([
    ['one grey level', 200, 100, () => 128],
    ['a smooth ramp', 200, 100, (x: number) => x],
    ['black', 64, 64, () => 0],
  ])('no texture, no features: %s', (_, width, height, level) => {
    const data = Uint8Array.from({ length: width * height }, (_value, i) => level(i % width));
    expect(detect({ data, width, height })).toMatchObject({ count: 0, width, height });
  });

  test.each([
    [1, 1],
    [1, 300],
    [300, 1],
    [2, 2],
    [7, 5],
    [16, 9],
    [33, 400],
  ])('%d x %d px', (width, height) => {
    for (const firstOctave of [-1, 0] as const) expectSound(detect(mosaic(width, height), { firstOctave }));
  });

  test('features of any mosaic are sound', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 20 }),
        (...size) => expectSound(detect(mosaic(...size), { maxKeypoints: 200 })),
      ),
      { numRuns: 30 },
    );
  });

  test('a mosaic has features, floats the same as bytes', () => {
    const image = mosaic(120, 90);
    const features = detect(image);
    expect(features.count).toBeGreaterThan(50);
    expectSound(features);
    expect(detect({ ...image, data: Float32Array.from(image.data) })).toEqual(features);
  });

  test('pixels that are not finite give no feature that is not', () => {
    const image = mosaic(120, 90);
    const data = Float32Array.from(image.data);
    data[50 * 120 + 60] = Number.NaN;
    data[10] = Number.POSITIVE_INFINITY;
    expectSound(detect({ ...image, data }));
  });

  test('an image that does not fit into memory is refused with what would', () => {
    const image = { data: new Uint8Array(5000 * 5000), width: 5000, height: 5000 };
    expect(() => detect(image)).toThrow(/5000x5000 px need \d+ MiB; scale the image down to 19 megapixels/);
  });

  test('data of another size than the image is refused', () => {
    expect(() => detect({ data: new Uint8Array(10), width: 5, height: 3 })).toThrow('5x3 px with 10 values');
  });

  test('worker threads find the same, each with kernels of its own', async () => {
    const image = mosaic(120, 90);
    const inWorker = (options: DetectOptions) =>
      new Promise<Features>((resolve, reject) => {
        const file = new URL('../../support/feature-worker.ts', import.meta.url);
        const code = `import('tsx/esm/api').then(({ register }) => { register(); return import('${file.href}'); });`;
        const worker = new Worker(code, { eval: true, workerData: { image, options } });
        worker.once('message', resolve).once('error', reject);
      });
    const both = await Promise.all([inWorker({ detector }), inWorker({ detector, maxKeypoints: 20 })]);
    expect(both).toEqual([detect(image), detect(image, { maxKeypoints: 20 })]);
  });
});

test('an unknown detector is refused', () => {
  expect(() => detectFeatures(mosaic(20, 20), { detector: 'surf' as 'sift' })).toThrow('unknown detector "surf"');
});
