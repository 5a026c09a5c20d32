/**
 * Every kernel against tfjs's own pure JavaScript backend, which we did not write: the value, and where the operation
 * has a gradient also the gradient, and that gradient against finite differences.
 */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { testDevice } from '../support/device.js';
import { startEngine } from '../../src/backend/index.js';
import {
  bools,
  type Data,
  expectSame,
  expectSameAndDifferentiable,
  type F,
  ints,
  positive,
  random,
} from '../support/kernels.js';

beforeAll(async () => {
  await startEngine({ device: testDevice, threads: 2 });
});

const smooth: Record<string, [F, Data[]]> = {
  add: [(a, b) => tf.add(a, b), [random([2, 3]), random([3], 2)]],
  'add, activation and channel vector': [
    (x, f, b) => tf.add(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), b),
    [random([1, 4, 5, 3]), random([3, 3, 3, 2], 2), random([2], 3)],
  ],
  'convolution plus another tensor': [
    (x, f, z) => tf.add(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), z),
    [random([2, 4, 5, 3]), random([3, 3, 3, 2], 2), random([2, 4, 5, 2], 3)],
  ],
  'convolution plus convolution plus bias': [
    (x, f, b) => {
      const y = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
      return tf.add(tf.add(tf.conv2d(y, f as tf.Tensor4D, 1, 'same'), b), y);
    },
    [random([1, 4, 5, 2]), random([3, 3, 2, 2], 2), random([2], 3)],
  ],
  'convolution plus a broadcast row': [
    (x, f, z) => tf.add(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), z),
    [random([1, 4, 5, 3]), random([3, 3, 3, 2], 2), random([1, 1, 5, 2], 3)],
  ],
  'residual block': [
    (x, f, b) => {
      const y = tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), b));
      return tf.relu(tf.add(x, tf.add(tf.conv2d(y as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), b)));
    },
    [random([1, 4, 5, 2], 4), random([3, 3, 2, 2], 2), random([2], 3)],
  ],
  'scale, shift and relu of channels': [
    (x, f, b) => {
      const y = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
      return tf.add(tf.relu(tf.add(tf.mul(y, b), b)), tf.mul(y, b));
    },
    [random([2, 4, 5, 2]), random([3, 3, 2, 3], 2), random([3], 3)],
  ],
  'channel vector and convolution read twice': [
    (x, f, b) => {
      const y = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same');
      return tf.mul(tf.add(y, b), y);
    },
    [random([1, 4, 5, 3]), random([1, 1, 3, 2], 2), random([2], 3)],
  ],
  sub: [(a, b) => tf.sub(a, b), [random([2, 1, 3]), random([4, 1], 2)]],
  mul: [(a, b) => tf.mul(a, b), [random([2, 3]), random([2, 1], 2)]],
  div: [(a, b) => tf.div(a, b), [random([2, 3]), positive([2, 3], 2)]],
  maximum: [(a, b) => tf.maximum(a, b), [random([7]), random([7], 2)]],
  minimum: [(a, b) => tf.minimum(a, b), [random([7]), random([7], 2)]],
  pow: [(a, b) => tf.pow(a, b), [positive([5]), random([5], 2)]],
  'pow with a scalar exponent': [(a, b) => tf.pow(a, b), [positive([2, 5]), positive([], 2)]],
  squaredDifference: [(a, b) => tf.squaredDifference(a, b), [random([2, 3]), random([2, 3], 2)]],
  addN: [(...xs) => tf.addN(xs), [random([2, 3]), random([2, 3], 2), random([2, 3], 3)]],
  abs: [(x) => tf.abs(x), [random([9])]],
  exp: [(x) => tf.exp(x), [random([9])]],
  log: [(x) => tf.log(x), [positive([9])]],
  sqrt: [(x) => tf.sqrt(x), [positive([9])]],
  rsqrt: [(x) => tf.rsqrt(x), [positive([9])]],
  square: [(x) => tf.square(x), [random([9])]],
  neg: [(x) => tf.neg(x), [random([9])]],
  sigmoid: [(x) => tf.sigmoid(x), [random([9])]],
  tanh: [(x) => tf.tanh(x), [random([9])]],
  reciprocal: [(x) => tf.reciprocal(x), [positive([9])]],
  softplus: [(x) => tf.softplus(x), [random([9])]],
  sin: [(x) => tf.sin(x), [random([9])]],
  cos: [(x) => tf.cos(x), [random([9])]],
  erf: [(x) => tf.erf(x), [random([9])]],
  relu: [(x) => tf.relu(x), [random([9])]],
  relu6: [(x) => tf.relu6(tf.mul(x, 9)), [random([9])]],
  clipByValue: [
    (x) => tf.clipByValue(x, -0.41, 0.52),
    [{ values: [-0.9, -0.5, -0.2, 0.1, 0.4, 0.8], shape: [6], dtype: 'float32' }],
  ],
  'sum, all': [(x) => tf.sum(x), [random([2, 3, 2])]],
  'sum, axes of an activation': [
    (x, f) => tf.sum(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), [1, 3]),
    [random([2, 4, 5, 3]), random([1, 1, 3, 2], 2)],
  ],
  'mean, keepDims': [(x) => tf.mean(x, [1], true), [random([2, 3, 2])]],
  max: [(x) => tf.max(x, [0, 2]), [random([2, 3, 4])]],
  min: [(x) => tf.min(x, 1), [random([2, 3, 4])]],
  'max of an activation over its cells': [
    (x, f) => tf.max(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), [1, 2]),
    [random([1, 4, 5, 3]), random([1, 1, 3, 2], 2)],
  ],
  reshape: [(x) => tf.mul(tf.reshape(x, [3, 4]), tf.reshape(x, [3, 4])), [random([2, 6])]],
  'reshape of an activation': [
    (x, f) => tf.reshape(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), [2, -1]),
    [random([2, 2, 3, 3]), random([1, 1, 3, 2], 2)],
  ],
  expandDims: [(x) => tf.expandDims(x, 1), [random([2, 3])]],
  transpose: [(x) => tf.transpose(x, [2, 0, 1]), [random([2, 3, 4])]],
  'transpose of an activation': [
    (x, f) => tf.transpose(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), [3, 1, 0, 2]),
    [random([2, 2, 3, 3]), random([1, 1, 3, 2], 2)],
  ],
  slice: [(x) => tf.slice(x, [1, 0], [1, 2]), [random([3, 4])]],
  'slice of an activation': [
    (x, f) => tf.slice(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), [0, 1, 0, 1], [1, 2, 2, 1]),
    [random([1, 4, 3, 3]), random([1, 1, 3, 2], 2)],
  ],
  concat: [(a, b) => tf.concat([a, b], 1), [random([2, 3]), random([2, 1], 2)]],
  'concat of an activation and a plain tensor': [
    (x, f) => tf.concat([tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid'), x as tf.Tensor4D], 3),
    [random([1, 4, 3, 3]), random([1, 1, 3, 2], 2)],
  ],
  stack: [(a, b) => tf.stack([a, b], 1), [random([2, 3]), random([2, 3], 2)]],
  unstack: [(x) => tf.unstack(x, 1)[1], [random([2, 3])]],
  split: [(x) => tf.split(x, [1, 2], 1)[1], [random([2, 3])]],
  pad: [(x) => tf.pad(x, [[1, 0], [2, 1]], 0.5), [random([2, 3])]], // biome-ignore format: a pair per axis
  tile: [(x) => tf.tile(x, [2, 3]), [random([2, 3])]],
  gather: [(x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32'), 0), [random([3, 4])]],
  reverse: [(x) => tf.reverse(x, [0, 2]), [random([2, 3, 4])]],
  softmax: [(x) => tf.softmax(x), [random([3, 5])]],
  logSoftmax: [(x) => tf.logSoftmax(x), [random([3, 5])]],
  where: [(a, b) => tf.where(tf.tensor2d([1, 0, 0, 1], [2, 2], 'bool'), a, b), [random([2, 2]), random([2, 2], 2)]],
  matMul: [(a, b) => tf.matMul(a, b), [random([3, 4]), random([4, 2], 2)]],
  'matMul, both transposed': [(a, b) => tf.matMul(a, b, true, true), [random([4, 3]), random([2, 4], 2)]],
  'matMul, batched': [(a, b) => tf.matMul(a, b, false, true), [random([2, 3, 4]), random([2, 5, 4], 2)]],
  'resizeBilinear, larger': [(x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 5]), [random([1, 3, 4, 2])]],
  'resizeBilinear, smaller, align corners': [
    (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [3, 2], true),
    [random([2, 5, 4, 2])],
  ],
  'resizeBilinear, square': [(x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 7]), [random([1, 3, 3, 2])]],
  avgPool: [(x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), [random([1, 5, 4, 2])]],
  'avgPool, overlapping, same': [(x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'), [random([1, 6, 5, 2])]],
  maxPool: [(x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), [random([2, 5, 4, 2])]],
  'maxPool, overlapping, same': [(x) => tf.maxPool(x as tf.Tensor4D, 3, 2, 'same'), [random([1, 6, 5, 2])]],
};

// [input, filter, strides, pad, dilations]
const convolutions: [number[], number[], number | [number, number], 'same' | 'valid' | [[number, number], [number, number], [number, number], [number, number]], number][] = [
  [[1, 5, 6, 3], [3, 3, 3, 4], 1, 'same', 1],
  [[2, 5, 6, 3], [3, 3, 3, 4], 1, 'valid', 1],
  [[1, 7, 6, 20], [3, 3, 20, 4], 1, 'same', 1], // the output gradient moves over the input
  [[2, 7, 6, 18], [3, 2, 18, 4], 1, [[0, 0], [2, 0], [0, 1], [0, 0]], 1],
  [[1, 7, 6, 16], [3, 3, 16, 16], 1, 'same', 1], // one product per filter position
  [[2, 6, 6, 3], [1, 1, 3, 5], 1, 'valid', 1],
  [[1, 7, 8, 3], [1, 1, 3, 5], 2, 'valid', 1],
  [[1, 9, 8, 3], [3, 3, 3, 2], 2, 'same', 1],
  [[1, 11, 9, 2], [7, 7, 2, 3], 2, [[0, 0], [3, 3], [3, 3], [0, 0]], 1],
  [[1, 9, 9, 2], [3, 2, 2, 3], [2, 3], 'valid', 1],
  [[1, 3, 3, 2], [3, 3, 2, 40], 1, 'same', 1], // more filters than cells
  [[1, 3, 3, 20], [3, 3, 20, 40], 1, 'same', 1], // one product over all filter positions
  [[2, 9, 7, 20], [3, 3, 20, 4], 2, 'same', 1],
  [[1, 5, 5, 2], [1, 1, 2, 3], 3, 'valid', 1],
]; // biome-ignore format: one geometry per line
for (const [x, f, strides, pad, dilations] of convolutions) {
  smooth[`conv2d ${JSON.stringify([x, f, strides, pad, dilations])}`] = [
    (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad, 'NHWC', dilations),
    [random(x), random(f, 2)],
  ];
}

/**
 * Where only finite differences can judge: tfjs's JavaScript backend divides the gradient of border windows by the
 * whole window, and exchanges height and width in the gradient of a resize.
 */
const wrongElsewhere = new Set([
  'avgPool, overlapping, same',
  'resizeBilinear, larger',
  'resizeBilinear, smaller, align corners',
]);

expectSameAndDifferentiable(smooth, wrongElsewhere);

const others: Record<string, [F, Data[]]> = {
  // tfjs has no gradient for dilated convolutions
  'dilated conv2d': [
    (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same', 'NHWC', 2),
    [random([1, 9, 9, 2]), random([3, 3, 2, 3], 2)],
  ],
  greater: [(a, b) => tf.greater(a, b), [random([5]), random([5], 2)]],
  greaterEqual: [(a, b) => tf.greaterEqual(a, b), [ints([1, 2, 3]), ints([2, 2, 2])]],
  less: [(a, b) => tf.less(a, b), [random([5]), random([1], 2)]],
  lessEqual: [(a, b) => tf.lessEqual(a, b), [ints([1, 2, 3]), ints([2])]],
  equal: [(a, b) => tf.equal(a, b), [ints([1, 2, 3]), ints([3, 2, 1])]],
  notEqual: [(a, b) => tf.notEqual(a, b), [bools([1, 0]), bools([1, 1])]],
  logicalAnd: [(a, b) => tf.logicalAnd(a, b), [bools([1, 1, 0]), bools([1, 0, 0])]],
  logicalOr: [(a, b) => tf.logicalOr(a, b), [bools([1, 1, 0]), bools([1, 0, 0])]],
  logicalNot: [(a) => tf.logicalNot(a), [bools([1, 0])]],
  floor: [(x) => tf.floor(x), [{ values: [-1.5, 2.7, 3], shape: [3], dtype: 'float32' }]],
  ceil: [(x) => tf.ceil(x), [{ values: [-1.5, 2.7, 3], shape: [3], dtype: 'float32' }]],
  sign: [(x) => tf.sign(x), [{ values: [-1.5, 0, 3], shape: [3], dtype: 'float32' }]],
  step: [(x) => tf.step(x), [{ values: [-1.5, 0, 3], shape: [3], dtype: 'float32' }]],
  'step of a known bound less a value': [
    (x, one) => [
      tf.step(tf.sub(6, x)),
      tf.step(tf.sub(tf.fill([1, 1], 6), x)),
      tf.step(tf.sub(x, 6)),
      tf.step(tf.sub(one, x)),
    ],
    [
      { values: [5.9999995, 6, 6.0000005, -1e30, 1e30, Number.NEGATIVE_INFINITY], shape: [6], dtype: 'float32' },
      { values: [1e-30], shape: [1], dtype: 'float32' },
    ],
  ],
  'step of a clipped value': [(x) => tf.step(tf.clipByValue(x, -1, 1)), [random([9])]],
  'step with a slope': [(x) => tf.step(x, 0.2), [{ values: [-1.5, 0, 3], shape: [3], dtype: 'float32' }]],
  floorDiv: [(a, b) => tf.floorDiv(a, b), [ints([7, -7]), ints([2, 2])]],
  'integer arithmetic': [(a, b) => [tf.add(a, b), tf.mul(a, b)], [ints([7, -7]), ints([2, 3])]],
  'float to integer': [(x) => tf.cast(x, 'int32'), [{ values: [-1.5, 2.7, 3], shape: [3], dtype: 'float32' }]],
  'float to bool': [(x) => tf.cast(x, 'bool'), [{ values: [-1.5, 0, 3], shape: [3], dtype: 'float32' }]],
  argMax: [(x) => tf.argMax(x, 1), [random([3, 5])]],
  argMin: [(x) => tf.argMin(x, 0), [random([3, 5])]],
  prod: [(x) => tf.prod(x, 1), [random([3, 5])]],
  all: [(x) => tf.all(x, 1), [bools([1, 1, 0, 1], [2, 2])]],
  any: [(x) => tf.any(x), [bools([0, 1, 0, 0], [2, 2])]],
  oneHot: [(x) => tf.oneHot(x, 3), [ints([0, 2, -1, 3])]],
  range: [() => tf.range(1, 8, 3), []],
  fill: [() => [tf.fill([2, 3], 0.25), tf.fill([70, 80], 0.25)], []],
  'zeros and ones like an activation': [
    (x, f) => {
      const y = tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid');
      return [tf.zerosLike(y), tf.onesLike(y)];
    },
    [random([1, 40, 30, 3]), random([1, 1, 3, 4], 2)],
  ],
};

test.each(Object.entries(others))('%s', async (_name, [f, inputs]) => {
  await expectSame(f, inputs);
});

test('an empty tensor goes through', async () => {
  await expectSame((x) => tf.concat([tf.slice(x, [0, 0], [0, 3]), x], 0), [random([2, 3])]);
});

test.skipIf(testDevice === 'webgpu')(
  'a NaN input to relu stays NaN, and so does its gradient, as in the JavaScript backend',
  async () => {
    const results: number[][][] = [];
    for (const backend of ['cpu', 'onnx']) {
      await tf.setBackend(backend);
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => tf.sum(tf.relu(x)))(tf.tensor1d([Number.NaN, 1, -1]));
      results.push([Array.from(value.dataSync()), Array.from(grad.dataSync())]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[1][1]).toEqual([Number.NaN, 1, 0]);
  },
);

test('ReLU6 lets a gradient through between its bounds, not at them', () => {
  const gradient = tf.tidy(() =>
    tf
      .grad((x) => tf.relu6(x))(tf.tensor1d([-1, 0, 0.5, 5.9999995, 6, 7]))
      .dataSync(),
  );
  expect(Array.from(gradient)).toEqual([0, 0, 1, 1, 0, 0]);
});

test('ReLU6 keeps that gradient where tfjs was imported, and registered its own, after the engine', async () => {
  const backend = tf.getBackend();
  tf.registerGradient({ kernelName: 'Relu6', inputsToSave: ['x'], gradFunc: (dy) => ({ x: () => dy as tf.Tensor }) });
  await startEngine({ device: testDevice, threads: 2 });
  const gradient = tf
    .grad((x) => tf.relu6(x))(tf.tensor1d([-1, 3, 6]))
    .dataSync();
  await tf.setBackend(backend);
  expect(Array.from(gradient)).toEqual([0, 1, 0]);
});
