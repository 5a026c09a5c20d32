/** Buffers that stay on the device: only WebGPU has them; elsewhere nothing may be kept. */
import * as tf from '@tensorflow/tfjs';
import { beforeEach, expect, test } from 'vitest';
import { engineStats, startEngine } from '../../src/backend/index.js';
import { testDevice } from '../support/device.js';

const stays = testDevice === 'webgpu';
beforeEach(() => startEngine({ device: testDevice, threads: 1 }));

const residentBytes = () => engineStats()?.residentBytes;
const read = (x: tf.Tensor) => tf.tidy(() => Array.from(tf.mul(x, 2).dataSync()));

test('what is read again and again is kept on the device, read the same under any shape, and goes when it is disposed of', () => {
  const w = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  for (let run = 0; run < 3; run++) expect(read(w)).toEqual([2, 4, 6, 8, 10, 12]);
  expect(residentBytes()).toBe(0);
  for (let run = 0; run < 3; run++) expect(read(w)).toEqual([2, 4, 6, 8, 10, 12]);
  expect(residentBytes()).toBe(stays ? 24 : 0);
  const product = tf.tidy(() => tf.matMul(w.reshape([3, 2]), tf.tensor2d([1, 10], [2, 1])).dataSync());
  expect(Array.from(product)).toEqual([21, 43, 65]);
  expect(Array.from(w.dataSync())).toEqual([1, 2, 3, 4, 5, 6]);
  expect(residentBytes()).toBe(stays ? 24 : 0);
  w.dispose();
  expect(residentBytes()).toBe(0);
});

test('an assigned variable is never served from its old copy', () => {
  const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  for (let update = 1; update <= 4; update++) {
    for (let run = 0; run < 5; run++) expect(read(w)).toEqual([2 * update, 4 * update]);
    tf.tidy(() => w.assign(tf.tensor1d([update + 1, 2 * (update + 1)])));
  }
  w.dispose();
  expect(residentBytes()).toBe(0);
});

test('reordered filters are kept in place of the originals', () => {
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 4, 8], -1, 1, 'float32', 1);
  const results = Array.from({ length: 8 }, () =>
    tf.tidy(() => Array.from(tf.conv2d(tf.ones<tf.Rank.R4>([1, 5, 5, 4]), filter, 1, 'same').dataSync())),
  );
  for (const result of results) expect(result).toEqual(results[0]);
  expect(residentBytes()).toBe(stays ? 3 * 3 * 4 * 8 * 4 : 0);
  filter.dispose();
  expect(residentBytes()).toBe(0);
});

test('nothing is kept beyond the bound, whatever the type', async () => {
  await startEngine({ device: testDevice, threads: 1, maxResidentBytes: 16 });
  const [small, large, integers] = [tf.ones([4]), tf.ones([5]), tf.ones([2], 'int32')];
  for (let run = 0; run < 6; run++) for (const x of [small, large, integers]) expect(read(x)[0]).toBe(2);
  expect(residentBytes()).toBe(stays ? 16 : 0);
});
