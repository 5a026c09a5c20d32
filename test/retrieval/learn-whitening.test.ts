import '../support/engine.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { learnWhitening, sampleOf } from '../../src/retrieval/learn-whitening.js';
import { CovarianceAccumulator, learnPcaWhitening } from '../../src/linear/pca.js';
import { writeTwoColours } from './mean-colour-model.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-whiten-'));
const items = [1, 2, 3, 4].map((i) => ({ id: `${i}`, path: join(folder, `${i}.png`) }));
const broken = { id: 'broken', path: join(folder, 'broken.png') };
const colour = (i: number) => [i * 30, 255 - i * 20, (i * i * 37) % 256];

beforeAll(async () => {
  for (const [i, { path }] of items.entries()) await writeTwoColours(path, colour(i), colour(i + 5));
  writeFileSync(broken.path, 'not an image');
});

// Two regions, the left and the right half: their mean colours, scaled.
const model = {
  regionDescriptors: (x: tf.Tensor4D) =>
    tf.tidy(() =>
      tf
        .stack([x.slice([0, 0, 0, 0], [1, 16, 16, 3]), x.slice([0, 0, 16, 0], [1, 16, 16, 3])], 1)
        .mean([2, 3])
        .div<tf.Tensor3D>(255),
    ),
};
const options = { channels: 3, dimension: 2, sizing: { longest: 'none' as const } };

describe('learnWhitening', () => {
  test('equals the PCA of all regions of all images; a bad image is listed', async () => {
    const { whitening, regions, failures } = await learnWhitening(model, [...items, broken], options);
    const rows = new CovarianceAccumulator(3);
    for (let i = 0; i < 4; i++) rows.add(Float32Array.from([...colour(i), ...colour(i + 5)], (value) => value / 255));
    const expected = learnPcaWhitening(rows, { dimension: 2 });
    expect(regions).toBe(8);
    expect(failures.map(({ id }) => id)).toEqual(['broken']);
    expected.components.forEach((value, i) => expect(whitening.components[i]).toBeCloseTo(value, 3));
    expected.mean.forEach((value, i) => expect(whitening.mean[i]).toBeCloseTo(value, 5));
  });

  test('no readable image, too few regions, an interruption', async () => {
    await expect(learnWhitening(model, [broken], options)).rejects.toThrow(/^None of the 1 images/);
    await expect(learnWhitening(model, items.slice(0, 1), { ...options, dimension: 3 })).rejects.toThrow(
      /3 dimensions cannot be learned from 2 region descriptors/,
    );
    const { signal } = ((controller) => (controller.abort(), controller))(new AbortController());
    await expect(learnWhitening(model, items, { ...options, signal })).rejects.toThrow(/nothing was written/);
  });
});

test('sampleOf: seeded, without repeats, in order, all when there are not more', () => {
  const list = Array.from({ length: 100 }, (_, i) => i);
  const drawn = sampleOf(list, 20, 1);
  expect(new Set(drawn).size).toBe(20);
  expect(drawn).toEqual(drawn.toSorted((a, b) => a - b));
  expect(sampleOf(list, 20, 1)).toEqual(drawn);
  expect(sampleOf(list, 20, 2)).not.toEqual(drawn);
  expect(sampleOf(list, 200, 1)).toEqual(list);
  expect(sampleOf(list)).toEqual(list);
});
