import '../support/engine.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { defaultMeta } from '../../src/models/architectures.js';
import { type Described, describeImages, describeRegions, sizingFor } from '../../src/retrieval/describe.js';
import { cropSizing } from '../../src/retrieval/query-crop.js';
import { meanColourModel, writeTwoColours } from './mean-colour-model.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-describe-'));
const path = (name: string) => join(folder, name);
const sizing = { longest: 'none' } as const;

beforeAll(async () => {
  await writeTwoColours(path('red.png'), [200, 0, 0]);
  await writeTwoColours(path('half.png'), [0, 200, 0], [0, 0, 200]);
  writeFileSync(path('broken.png'), 'not an image');
});

async function all<T>(results: AsyncGenerator<Described<T>>): Promise<(string | number[])[]> {
  const list: (string | number[])[] = [];
  for await (const result of results) {
    list.push(
      'error' in result
        ? `error: ${result.error.message}`
        : [...result.descriptor].map((v) => Math.round(v * 100) / 100),
    );
  }
  return list;
}

describe('describeImages', () => {
  test('keeps the order, reports a bad image in its place, applies crops, counts progress', async () => {
    const items = [
      { path: path('red.png') },
      { path: path('broken.png') },
      { path: path('half.png') },
      { path: path('half.png'), crop: { x: 16, y: 0, width: 16, height: 16 } },
      { path: path('missing.png') },
    ];
    const done: number[] = [];
    const results = await all(
      describeImages(meanColourModel, items, (item) => item, { sizing, onProgress: (count) => done.push(count) }),
    );
    expect(results[0]).toEqual([1, 0, 0]);
    expect(results[1]).toMatch(/^error: .*broken\.png/);
    expect(results[2]).toEqual([0, 0.71, 0.71]); // half green, half blue
    expect(results[3]).toEqual([0, 0, 1]);
    expect(results[4]).toMatch(/^error: .*missing\.png/);
    expect(done).toEqual([1, 2, 3, 4, 5]);
  });

  test('leaves no tensors behind, also after an error and an early end', async () => {
    const items = [path('red.png'), path('broken.png'), path('half.png'), path('red.png')];
    const run = async () => {
      for await (const result of describeImages(meanColourModel, items, (file) => ({ path: file }), { sizing })) {
        if (result.item === path('half.png')) break;
      }
    };
    await run();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await run();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('an abort ends before the next image', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const items = ['red.png', 'half.png', 'red.png'];
    const { signal } = controller;
    for await (const { item } of describeImages(meanColourModel, items, (name) => ({ path: path(name) }), {
      sizing,
      signal,
    })) {
      seen.push(item);
      if (seen.length === 2) controller.abort();
    }
    expect(seen).toEqual(['red.png', 'half.png']);
  });

  test('a descriptor that is not finite is an error of that image', async () => {
    const model = { describe: (x: tf.Tensor4D) => tf.tidy(() => x.mean<tf.Tensor2D>([1, 2]).log()) }; // log 0
    const results = await all(describeImages(model, [path('red.png')], (file) => ({ path: file }), { sizing }));
    expect(results).toEqual(['error: its descriptor has NaN or infinite values; check the model.']);
  });

  test("the model's complaint about an image is the image's error, a defect ends the run", async () => {
    const model = (error: Error) => ({
      describe: (): tf.Tensor2D => {
        throw error;
      },
    });
    const run = (error: Error) =>
      all(describeImages(model(error), [path('red.png')], (file) => ({ path: file }), { sizing }));
    expect(await run(new InputError('too small'))).toEqual(['error: too small']);
    await expect(run(new TypeError('defect'))).rejects.toThrow('defect');
  });
});

describe('of many images', () => {
  const names = Array.from({ length: 40 }, (_, i) => (i === 7 ? 'broken.png' : i % 3 === 0 ? 'red.png' : 'half.png'));
  const load = (name: string) => ({ path: path(name) });

  /** Answers the later the redder an image is; counts what it is asked at once. */
  function slowModel() {
    const state = { running: 0, most: 0, begun: 0 };
    const describeAsync = async (images: tf.Tensor4D) => {
      state.most = Math.max(state.most, ++state.running);
      state.begun++;
      const row = meanColourModel.describe(images);
      await new Promise((resolve) => setTimeout(resolve, 10 * row.dataSync()[0]));
      state.running--;
      return row;
    };
    return { state, model: { ...meanColourModel, describeAsync } };
  }

  test('some are described at once, the order stays, a bad one is reported in its place', async () => {
    const { state, model } = slowModel();
    const done: number[] = [];
    const onProgress = (count: number) => done.push(count);
    const results = await all(describeImages(model, names, load, { sizing, onProgress }));
    const expected = await all(describeImages(meanColourModel, names, load, { sizing }));
    expect(results).toEqual(expected);
    expect(results[7]).toMatch(/^error: .*broken\.png/);
    expect(done).toEqual(names.map((_, i) => i + 1));
    expect(state.most).toBeGreaterThan(1);
    expect(state.most).toBeLessThan(7);
    const few = slowModel();
    await all(describeImages(few.model, names.slice(0, 31), load, { sizing }));
    expect(few.state.begun).toBe(0);
  });

  test('an end or an abort waits for what runs and leaves nothing behind; a defect ends the run', async () => {
    const { state, model } = slowModel();
    const before = tf.memory().numTensors;
    for await (const { item } of describeImages(model, names, load, { sizing })) if (item === 'half.png') break;
    expect(state.running).toBe(0);
    const controller = new AbortController();
    let seen = 0;
    for await (const _ of describeImages(model, names, load, { sizing, signal: controller.signal })) {
      if (++seen === 3) controller.abort();
    }
    expect(seen).toBe(3);
    expect(state.running).toBe(0);
    expect(state.begun).toBeLessThan(25);
    const defect = { ...meanColourModel, describeAsync: () => Promise.reject(new TypeError('defect')) };
    await expect(all(describeImages(defect, names, load, { sizing }))).rejects.toThrow('defect');
    expect(tf.memory().numTensors).toBe(before);
  });
});

test('describeRegions gives the rows of one image after the other', async () => {
  const model = {
    regionDescriptors: (x: tf.Tensor4D) => tf.tidy(() => x.mean(1).slice([0, 0, 0], [1, 32, 3]).div<tf.Tensor3D>(200)),
  };
  const [rows] = await all(describeRegions(model, [path('half.png')], (file) => ({ path: file }), { sizing }));
  expect(rows).toHaveLength(32 * 3);
  expect(rows.slice(0, 3)).toEqual([0, 1, 0]);
  expect(rows.slice(-3)).toEqual([0, 0, 1]);
});

test('sizingFor: the option, else the size in the model, else at most 1024', () => {
  expect(sizingFor({ imageSize: 512 }, { size: 320 })).toEqual({ longest: 320 });
  expect(sizingFor({ imageSize: 512 }, { size: 'none' })).toEqual({ longest: 'none' });
  const { preprocessing } = defaultMeta('dinov2-s14');
  expect(sizingFor({ imageSize: 518, preprocessing })).toEqual({ longest: 518, kernel: 'cubic' });
  expect(sizingFor({ imageSize: 512 }, { snap: 32 })).toEqual({ longest: 512, multipleOf: 32 });
  expect(sizingFor({})).toEqual({ longest: 1024, upscale: false });
});

describe('cropSizing', () => {
  const box = { x: 0, y: 0, width: 8, height: 4 }; // of a 32 x 16 image
  test.each([
    [{ longest: 64 }, { longest: 16, upscale: true }], // the image is doubled, so is the crop
    [{ longest: 16 }, { longest: 4, upscale: true }],
    [
      { longest: 64, upscale: false },
      { longest: 8, upscale: true },
    ], // the image stays as it is
    [{ longest: 'none' as const }, { longest: 'none' }],
  ])('%j becomes %j', async (whole, expected) => {
    expect(await cropSizing(path('red.png'), box, whole)).toEqual(expected);
  });

  test('a file that is no image is an InputError', async () => {
    await expect(cropSizing(path('broken.png'), box, { longest: 8 })).rejects.toThrow(InputError);
  });
});
