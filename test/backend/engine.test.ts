/** What the engine promises beyond single kernels: laziness, shared runs, invariants, bounds, exact memory. */
import * as tf from '@tensorflow/tfjs';
import { beforeEach, expect, test } from 'vitest';
import type { OnnxBackend } from '../../src/backend/backend.js';
import { engineStats, startEngine } from '../../src/backend/index.js';

beforeEach(async () => {
  await startEngine({ threads: 1 });
});

const runs = () => engineStats()?.runs;

test('nothing runs before a read, and a read runs once', () => {
  const x = tf.tensor1d([1, 2, 3]);
  const y = tf.exp(tf.mul(x, 2));
  const unrelated = tf.sqrt(x);
  expect(runs()).toBe(0);
  y.dataSync();
  y.dataSync();
  expect(runs()).toBe(1); // unrelated shares no work with y and stays pending
  unrelated.dataSync();
  expect(runs()).toBe(2);
});

test('live tensors that share the work of a read are computed with it', () => {
  const w = tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2]));
  const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.matMul(w as tf.Tensor2D, w as tf.Tensor2D))));
  value.dataSync();
  expect(runs()).toBe(1);
  Object.values(grads)[0].dataSync(); // already there
  expect(runs()).toBe(1);
});

test('an optimizer step stays bounded without reading the variables', () => {
  const w = tf.variable(tf.scalar(3));
  const optimizer = tf.train.momentum(0.01, 0.9);
  for (let i = 0; i < 200; i++) {
    const cost = optimizer.minimize(() => tf.square(w), true) as tf.Scalar;
    cost.dataSync();
    cost.dispose();
  }
  expect(Math.abs(w.dataSync()[0])).toBeLessThan(0.1);
  expect(engineStats()?.compiled).toBeLessThan(12); // the structure repeats: no new graphs
});

test('a loop that never reads is run from time to time', () => {
  let sum: tf.Tensor = tf.scalar(0);
  for (let i = 0; i < 12_000; i++) {
    const next = tf.add(sum, 1);
    sum.dispose();
    sum = next;
  }
  expect(runs()).toBeGreaterThan(0);
  expect(sum.dataSync()[0]).toBe(12_000);
});

test('changing the source array after tf.tensor does not change the tensor', () => {
  const source = new Float32Array([1, 2, 3]);
  const y = tf.mul(tf.tensor1d(source), 2);
  source.fill(0);
  expect(Array.from(y.dataSync())).toEqual([2, 4, 6]);
});

test('reordered weights are computed once they are seen to be reused, and go with the weights', () => {
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 8, 8], -1, 1, 'float32', 1);
  const images = [1, 2, 3, 4, 5].map((seed) => tf.randomUniform<tf.Rank.R4>([1, 6, 6, 8], -1, 1, 'float32', seed));
  const results = images.map((image) => Array.from(tf.tidy(() => tf.conv2d(image, filter, 1, 'same').dataSync())));
  expect(engineStats()?.invariantBytes).toBe(3 * 3 * 8 * 8 * 4);
  const again = images.map((image) => Array.from(tf.tidy(() => tf.conv2d(image, filter, 1, 'same').dataSync())));
  expect(again).toEqual(results);
  filter.dispose();
  expect(engineStats()?.invariantBytes).toBe(0);
});

test('what several places of one graph read is kept once', () => {
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 8, 8], -1, 1, 'float32', 1);
  for (let seed = 1; seed <= 4; seed++) {
    tf.tidy(() => {
      let x: tf.Tensor4D = tf.randomUniform<tf.Rank.R4>([1, 6, 6, 8], -1, 1, 'float32', seed);
      for (let i = 0; i < 5; i++) x = tf.conv2d(x, filter, 1, 'same');
      x.dataSync();
    });
    expect(engineStats()?.invariantBytes).toBe(seed < 3 ? 0 : 3 * 3 * 8 * 8 * 4);
  }
  filter.dispose();
  expect(engineStats()?.invariantBytes).toBe(0);
});

test('what is known of weights goes with them, also where it depends on a buffer that stays', () => {
  const { invariants } = tf.backend() as OnnxBackend;
  const { byMemory } = invariants as unknown as { byMemory: Map<number, { size: number }> };
  const known = () => [...byMemory.values()].reduce((sum, { size }) => sum + size, 0);
  const scale = tf.tensor1d([1, 2, 3, 4]);
  const image = tf.ones<tf.Rank.R4>([1, 2, 2, 4]);
  const use = (w: tf.Variable) =>
    tf.tidy(() => {
      tf.conv2d(image, tf.mul<tf.Tensor4D>(w, scale), 1, 'valid').dataSync();
    });
  const counts: number[] = [];
  const w = tf.variable(tf.fill<tf.Rank.R4>([1, 1, 4, 4], 0.5));
  for (let update = 0; update < 8; update++) {
    for (let i = 0; i < 3; i++) use(w);
    counts.push(known());
    const next = tf.tidy(() => tf.add<tf.Tensor4D>(w, 0.5));
    w.assign(next);
    next.dispose();
  }
  expect(counts[0]).toBeGreaterThan(0);
  expect(new Set(counts.slice(2)).size).toBe(1);
});

test('a training loop does not serve stale invariants', () => {
  // w is used many times between updates, and the kept results must follow every update.
  const w = tf.variable(tf.fill<tf.Rank.R4>([1, 1, 4, 4], 0.5));
  const x = tf.ones<tf.Rank.R4>([1, 2, 2, 4]);
  for (let update = 1; update <= 3; update++) {
    for (let use = 0; use < 5; use++) {
      const y = tf.tidy(() => tf.conv2d(x, w as tf.Tensor4D, 1, 'valid').dataSync()[0]);
      expect(y).toBeCloseTo(4 * 0.5 * update, 5);
    }
    const next = tf.tidy(() => tf.add(w, 0.5));
    w.assign(next as tf.Tensor4D);
    next.dispose();
  }
});

test('sessions are bounded by count', async () => {
  await startEngine({ threads: 1, maxSessions: 3 });
  for (let size = 1; size <= 10; size++) tf.tidy(() => tf.exp(tf.ones([size])).dataSync());
  expect(engineStats()?.sessions).toBe(3);
});

test('tf.memory is exact through recording, running and disposing', () => {
  const before = tf.memory();
  const x = tf.ones([10, 10]);
  const y = tf.tidy(() => tf.exp(tf.mul(x, 2)));
  expect(tf.memory().numTensors - before.numTensors).toBe(2);
  expect(tf.memory().numBytes - before.numBytes).toBe(800);
  y.dataSync();
  expect(tf.memory().numBytes - before.numBytes).toBe(800);
  tf.dispose([x, y]);
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
  expect(tf.memory().unreliable).toBeFalsy();
});

test('strings and complex numbers lie in the JavaScript backend and leave nothing behind', () => {
  const { numDataBuffers } = tf.memory();
  tf.tidy(() => {
    const words = tf.tensor1d(['a', 'b']);
    expect(tf.concat([words, tf.reshape(words, [2])]).dataSync()).toEqual(['a', 'b', 'a', 'b']);
    const z = tf.complex(tf.tensor1d([1, 2]), tf.tensor1d([3, 4]));
    // (1 + 3i)^2 = -8 + 6i, (2 + 4i)^2 = -12 + 16i
    expect(Array.from(tf.real(tf.mul(z, z)).dataSync())).toEqual([-8, -12]);
    expect(Array.from(tf.imag(tf.mul(z, z)).dataSync())).toEqual([6, 16]);
  });
  expect(tf.memory().numDataBuffers).toBe(numDataBuffers);
});

test('a kernel with values of the graph as input can be handed to the JavaScript backend', () => {
  const forwarded = engineStats()?.forwarded ?? 0;
  const { values } = tf.unique(tf.add(tf.tensor1d([1, 2, 1]), 1));
  expect(Array.from(values.dataSync())).toEqual([2, 3]);
  expect(engineStats()?.forwarded).toBe(forwarded + 1);
});

test('a tensor that is disposed of while it is being read is still read', async () => {
  const x = tf.add(tf.tensor1d([1, 2]), 1);
  const reading = x.data();
  x.dispose();
  expect(Array.from(await reading)).toEqual([2, 3]);
});

test('a device that this machine lacks is one clear error', async () => {
  await expect(startEngine({ device: 'tensorflow' })).rejects.toThrow(/npm install/);
});

test('a training loop that never reads runs step by step, on one compiled graph', () => {
  const images = tf.randomNormal<tf.Rank.R2>([80, 6], 0, 1, 'float32', 1);
  const layers = Array.from({ length: 80 }, (_, i) =>
    tf.variable(tf.randomNormal<tf.Rank.R2>([6, 6], 0, 0.4, 'float32', i)),
  );
  const optimizer = tf.train.sgd(0.01);
  const step = (i: number) =>
    tf.tidy(() => {
      const batch = tf.slice(images, [8 * i, 0], [8, 6]);
      optimizer.minimize(() => {
        const features = layers.reduce((x, weights) => tf.tanh(tf.matMul(x, weights)), batch);
        return tf.mean(tf.square(tf.sub(features, 1)));
      });
    });
  step(0);
  step(1);
  step(2);
  const before = { compiled: engineStats()?.compiled, runs: runs() ?? 0 };
  for (let i = 3; i < 10; i++) step(i);
  expect(runs()).toBeGreaterThanOrEqual(before.runs + 5);
  expect(engineStats()?.compiled).toBe(before.compiled);
});

test('a part of known data that lies in one piece is read in place, any other part is computed', () => {
  const x = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);
  const before = runs() ?? 0;
  expect(Array.from(tf.slice(x, [1, 0, 0], [1, 3, 2]).dataSync())).toEqual([7, 8, 9, 10, 11, 12]);
  expect(Array.from(tf.slice(x, [1, 1, 0], [1, 2, 2]).dataSync())).toEqual([9, 10, 11, 12]);
  expect(runs()).toBe(before);
  expect(Array.from(tf.slice(x, [0, 1, 0], [2, 1, 2]).dataSync())).toEqual([3, 4, 9, 10]);
  expect(Array.from(tf.slice(x, [0, 0, 1], [1, 3, 1]).dataSync())).toEqual([2, 4, 6]);
  expect(runs()).toBe(before + 2);
});
