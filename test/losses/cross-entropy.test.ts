import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { crossEntropy } from '../../src/losses/cross-entropy.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';

const labels = (...values: number[]) => tf.tensor1d(values, 'int32');

test('minus the log of the probability of the right class, averaged over rows', () => {
  // logits log(1), log(2), log(5): probabilities 1/8, 2/8, 5/8; equal logits: 1/3 each
  const logits = tf.tensor2d([0, Math.log(2), Math.log(5), 7, 7, 7], [2, 3]);
  expectClose(crossEntropy(logits, labels(1, 0)).dataSync(), [(Math.log(4) + Math.log(3)) / 2]);
});

test('label smoothing gives every class its share of the target', () => {
  // p = 1/8, 2/8, 5/8; s = 0.3, K = 3: target of class 2 is 0.1, 0.1, 0.8
  const logits = tf.tensor2d([0, Math.log(2), Math.log(5)], [1, 3]);
  const expected = -(0.1 * Math.log(1 / 8) + 0.1 * Math.log(2 / 8) + 0.8 * Math.log(5 / 8));
  expectClose(crossEntropy(logits, labels(2), { labelSmoothing: 0.3 }).dataSync(), [expected]);
});

test('large logits neither overflow nor underflow', () => {
  expectClose(crossEntropy(tf.tensor2d([1000, 0, -1000], [1, 3]), labels(0)).dataSync(), [0]);
  expectClose(crossEntropy(tf.tensor2d([1000, 0, -1000], [1, 3]), labels(2)).dataSync(), [2000]);
});

test('the gradient is (softmax - target) / N', () => {
  const logits = tf.tensor2d([0, Math.log(2), Math.log(5), 0, Math.log(2), Math.log(5)], [2, 3]);
  const gradient = tf.grad((x) => crossEntropy(x as tf.Tensor2D, labels(0, 2)))(logits);
  expectClose(gradient.dataSync(), [-7 / 16, 2 / 16, 5 / 16, 1 / 16, 2 / 16, -3 / 16]);
});

test('gradient against finite differences', () => {
  const logits = tf.tensor2d([0.3, -1.2, 0.8, 2, 0.1, -0.4, 0, 0.5], [2, 4]);
  checkGradient((x) => crossEntropy(x as tf.Tensor2D, labels(3, 1), { labelSmoothing: 0.1 }), logits);
  checkGradient((x) => crossEntropy(x as tf.Tensor2D, labels(0, 0)), logits);
});

test('a wrong number of labels and a smoothing out of range are named', () => {
  expect(() => crossEntropy(tf.zeros([2, 3]), labels(0))).toThrow('crossEntropy: labels');
  for (const labelSmoothing of [-0.1, 1, Number.NaN]) {
    expect(() => crossEntropy(tf.zeros([1, 3]), labels(0), { labelSmoothing })).toThrow('labelSmoothing');
  }
});

test('nothing leaks', async () => {
  const logits = tf.zeros<tf.Rank.R2>([2, 3]);
  const right = labels(0, 1);
  await expectNoLeak(() => crossEntropy(logits, right, { labelSmoothing: 0.1 }).dispose());
});
