/** Where the runtime's operators and tfjs differ: indices, NaN, no elements, types; by hand, as the JavaScript backend has it. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { startEngine } from '../../src/backend/index.js';

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const ints = (values: number[], shape = [values.length]) => tf.tensor(values, shape, 'int32');
const numbers = (t: tf.Tensor) => Array.from(t.dataSync());

test('indices out of range are errors, computed ones when they are read', () => {
  const less = (t: tf.Tensor): tf.Tensor1D => tf.sub(t, tf.scalar(1, 'int32'));
  const x = tf.tensor1d([10, 20, 30]);
  const message = 'a computed index is negative or beyond the axis';
  expect(() => numbers(tf.gather(x, less(ints([0, 1]))))).toThrow(message);
  expect(() => numbers(tf.gather(x, tf.add<tf.Tensor1D>(ints([2]), ints([1]))))).toThrow(message);
  expect(() => numbers(tf.gatherND(x, less(ints([0], [1, 1]))))).toThrow(message);
  expect(() => numbers(tf.scatterND(less(ints([0], [1, 1])), tf.tensor1d([5]), [3]))).toThrow(message);
  expect(() => numbers(tf.tensorScatterUpdate(x, less(ints([0], [1, 1])), tf.tensor1d([5])))).toThrow(message);
  const rows = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  expect(() => numbers(tf.gather(rows, less(ints([0, 2, 1, 1], [2, 2])), 1, 1))).toThrow(message);
  expect(() => tf.gatherND(x, ints([-1], [1, 1]))).toThrow('Invalid indices: -1 does not index into 3');
  expect(() => tf.gather(x, ints([3]) as tf.Tensor1D)).toThrow('the index value 3 is not in [0, 2]');
  expect(numbers(tf.gather(x, less(ints([1, 3]))))).toEqual([10, 30]);
});

test('NaN comes first among the largest numbers, which are not lost', () => {
  const { values, indices } = tf.topk(tf.tensor2d([5, Number.NaN, 9, 7, 1, 2, 3, 4], [2, 4]), 2);
  expect(numbers(values)).toEqual([Number.NaN, 9, 4, 3]);
  expect(numbers(indices)).toEqual([1, 2, 3, 2]);
});

test('what reduces nothing', () => {
  expect(numbers(tf.any(tf.tensor([], [2, 0], 'bool'), 1))).toEqual([0, 0]);
  expect(numbers(tf.all(tf.tensor([], [0], 'bool')))).toEqual([1]);
  expect(numbers(tf.sum(tf.tensor([], [2, 0]), 1))).toEqual([0, 0]);
  expect(numbers(tf.matMul(tf.tensor2d([], [2, 0]), tf.tensor2d([], [0, 1])))).toEqual([0, 0]);
});

test('integers above 2^24 stay exact', () => {
  expect(numbers(tf.div(ints([16777217, 2147483647]), ints([1, 1])))).toEqual([16777217, 2147483647]);
  expect(numbers(tf.floorDiv(ints([-33554433, 7]), ints([2, 0])))).toEqual([-16777217, 0]);
  expect(numbers(tf.clipByValue(ints([17378479, 2147483647]), 0, 2147483647))).toEqual([17378479, 2147483647]);
  expect(numbers(tf.argMax(ints([16777216, 16777217])))).toEqual([1]);
  expect(numbers(tf.sum(ints([2147483647, 1, 5])))).toEqual([-2147483643]);
  expect(numbers(tf.maxPool(tf.tensor4d([16777216, 16777217, 2, 3], [1, 2, 2, 1], 'int32'), 2, 2, 'valid'))).toEqual([
    16777217,
  ]);
});

test('float to integer as in JavaScript: what does not fit wraps, what is not finite is 0', () => {
  const given = [1.9, -1.9, 3e9, 1e20, Number.NaN, Infinity].map(Math.fround);
  expect(numbers(tf.cast(tf.tensor1d(given), 'int32'))).toEqual(Array.from(Int32Array.from(given)));
});

test('a convolution that overflows is infinite', () => {
  const y = tf.conv1d(tf.fill<tf.Rank.R3>([1, 5, 2], 1e30), tf.fill<tf.Rank.R3>([3, 2, 1], 1e30), 1, 'same');
  expect(numbers(y)).toEqual(new Array<number>(5).fill(Infinity));
});

test('a NaN is the largest and the smallest', () => {
  const x = tf.tensor2d([1, Number.NaN, 3, 4], [2, 2]);
  expect(numbers(tf.max(x, 1))).toEqual([Number.NaN, 4]);
  expect(numbers(tf.min(x, 0))).toEqual([1, Number.NaN]);
});

test('one number as padding around windows that are not square', () => {
  const x = tf.ones<tf.Rank.R4>([1, 9, 3, 2]);
  const sum = (w: tf.Tensor) => tf.sum(tf.conv2d(x, w as tf.Tensor4D, [1, 3], 2, 'NHWC', [1, 1], 'floor'));
  expect(
    tf
      .grad(sum)(tf.ones([1, 4, 2, 4]))
      .dataSync(),
  ).toHaveLength(32);
});
