import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import type { ImageRecord } from '../../src/data/manifest.js';
import { changedNeurons, neuronBlocks } from '../../src/report/neuron-patches.js';

/** A map of 8 px cells: largest red, green and blue of each, times `factors`. */
const colours = (factors: [number, number, number]) => ({
  channels: 3,
  stride: 8,
  featureMap: (x: tf.Tensor4D) => tf.maxPool(x, 8, 8, 'valid').mul<tf.Tensor4D>(tf.tensor1d(factors)),
});

let records: ImageRecord[];

/** A black picture of 64 x 32 px with one cell of a colour. */
async function spot(path: string, [column, row]: [number, number], colour: [number, number, number]): Promise<void> {
  const data = Buffer.alloc(64 * 32 * 3);
  for (let y = 8 * row; y < 8 * row + 8; y++) {
    for (let x = 8 * column; x < 8 * column + 8; x++) data.set(colour, 3 * (64 * y + x));
  }
  await sharp(data, { raw: { width: 64, height: 32, channels: 3 } })
    .png()
    .toFile(path);
}

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-neurons-'));
  const pathOf = (name: string) => join(folder, `${name}.png`);
  await spot(pathOf('red'), [7, 0], [200, 0, 0]);
  await spot(pathOf('blue'), [2, 3], [0, 0, 100]);
  await spot(pathOf('both'), [0, 1], [120, 0, 255]);
  await writeFile(pathOf('broken'), 'no image');
  records = ['red', 'blue', 'broken', 'both'].map((id) => ({ id, path: pathOf(id), landmark: 'l' }));
});

test('the neurons that changed the most, with the images and cells of their largest activations', async () => {
  const models = { before: colours([1, 1, 1]), after: colours([2, 1, 1.25]) };
  const changes = await changedNeurons(models, records, { imageSize: 64, neurons: 2, patches: 2 });
  // Red doubles (change 1/2), blue grows by a quarter (1/5), green stays.
  expect(changes.map(({ neuron }) => neuron)).toEqual([0, 2]);
  expect(changes[0].before).toEqual([
    { image: 0, value: 200, x: 7.5 / 8, y: 0.5 / 4 },
    { image: 3, value: 120, x: 0.5 / 8, y: 1.5 / 4 },
  ]);
  expect(changes[0].after.map(({ value }) => value)).toEqual([400, 240]);
  expect(changes[1].before).toEqual([
    { image: 3, value: 255, x: 0.5 / 8, y: 1.5 / 4 },
    { image: 1, value: 100, x: 2.5 / 8, y: 3.5 / 4 },
  ]);
});

test('a patch shows what excites the neuron', async () => {
  const models = { before: colours([1, 1, 1]), after: colours([2, 1, 1]) };
  const changes = await changedNeurons(models, records, { imageSize: 64, neurons: 1, patches: 1 });
  const [, results] = await neuronBlocks(changes, records, { imageSize: 64, stride: 8 });
  if (results.kind !== 'results') throw new Error('a block of results expected');
  expect(results.rows.map(({ query }) => query.caption)).toEqual(['neuron 0, before training', 'neuron 0, after']);
  const { image, caption } = results.rows[1].results[0];
  expect(caption).toBe('400 red');
  const jpeg = Buffer.from((image as string).slice('data:image/jpeg;base64,'.length), 'base64');
  const { channels } = await sharp(jpeg).stats();
  // Half of the shorter side: 16 x 16 px, with the cell of 8 x 8 in it.
  expect(await sharp(jpeg).metadata()).toMatchObject({ width: 16, height: 16 });
  expect(channels[0].mean).toBeGreaterThan(40);
  expect(channels[0].mean).toBeLessThan(60);
});

test('other maps, and a set without a readable image, are errors; no tensor stays', async () => {
  const before = colours([1, 1, 1]);
  const { numTensors } = tf.memory();
  await changedNeurons({ before, after: before }, records, { imageSize: 64 });
  expect(tf.memory().numTensors).toBe(numTensors);
  await expect(
    changedNeurons({ before: { ...before, channels: 4 }, after: before }, records, { imageSize: 64 }),
  ).rejects.toThrow(/4 channels at stride 8, the trained one 3/);
  await expect(changedNeurons({ before, after: before }, [records[2]], { imageSize: 64 })).rejects.toThrow(
    /Not one image/,
  );
});
