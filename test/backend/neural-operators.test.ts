/** Operators of transformers against plain loops, their gradients against finite differences. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { applyMatrix, gelu, inPlainOrder, layerNorm, reshapeLike } from '../../src/backend/index.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';

const wave = (shape: number[], scale = 1, phase = 0) =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => scale * Math.sin(1 + phase + 2.7 * i)),
    shape,
  );

describe('layerNorm', () => {
  const [x, gamma, beta] = [() => wave([2, 3, 2, 5], 2), () => wave([5], 1, 1), () => wave([5], 1, 2)];

  test('each row to mean 0 and variance 1, then gamma and beta', () => {
    const result = layerNorm(x(), gamma(), beta(), 1e-3).dataSync();
    const [values, scale, shift] = [x(), gamma(), beta()].map((tensor) => tensor.dataSync());
    for (let row = 0; row < 12; row++) {
      const part = Array.from(values.slice(row * 5, row * 5 + 5));
      const mean = part.reduce((a, b) => a + b) / 5;
      const deviation = Math.sqrt(part.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 5 + 1e-3);
      const expected = part.map((v, i) => ((v - mean) / deviation) * scale[i] + shift[i]);
      expectClose(result.slice(row * 5, row * 5 + 5), expected);
    }
  });

  test('gradients by x, gamma and beta', () => {
    checkGradient((at) => layerNorm(at, gamma(), beta(), 1e-6), x());
    checkGradient((at) => layerNorm(x(), at, beta(), 1e-6), gamma());
    checkGradient((at) => layerNorm(x(), gamma(), at, 1e-6), beta());
  });

  test('of a map that lies channels first in memory', () => {
    const map = () => tf.conv2d(wave([1, 4, 3, 2]) as tf.Tensor4D, wave([1, 1, 2, 5]) as tf.Tensor4D, 1, 'valid');
    const copied = tf.tensor(map().dataSync(), [1, 4, 3, 5]);
    const [ours, plainly] = [map(), copied].map((at) => layerNorm(at, gamma(), beta(), 1e-6).dataSync());
    expectClose(ours, plainly);
  });
});

test('gelu: x times the normal distribution function, and its gradient', () => {
  expectClose(gelu(tf.tensor1d([-3, -1, 0, 1, 2])).dataSync(), [-0.00404951, -0.15865525, 0, 0.84134475, 1.9544997]);
  checkGradient(gelu, wave([4, 6], 3));
});

test('applyMatrix: a product with the last axis, whose gradients add up over the others', () => {
  const [x, kernel] = [wave([2, 3, 4, 5]), wave([5, 3], 1, 1) as tf.Tensor2D];
  const rows = tf.matMul(x.reshape<tf.Tensor2D>([24, 5]), kernel).dataSync();
  expectClose(applyMatrix(x, kernel).dataSync(), rows);
  checkGradient((at) => applyMatrix(at, kernel), x);
  checkGradient((at) => applyMatrix(x, at as tf.Tensor2D), kernel);
});

test('reshapeLike and inPlainOrder keep the numbers, and pass gradients on', () => {
  const like = tf.zeros([2, 3, 4]);
  const x = wave([6, 4]);
  expect(reshapeLike(x, like).shape).toEqual([2, 3, 4]);
  expectClose(reshapeLike(x, like).dataSync(), x.dataSync());
  checkGradient((at) => reshapeLike(at.square(), like), x);
  const map = () =>
    tf.relu(tf.conv2d(wave([1, 3, 3, 2]) as tf.Tensor4D, wave([1, 1, 2, 3]) as tf.Tensor4D, 1, 'valid'));
  expectClose(inPlainOrder(map()).dataSync(), map().dataSync());
  checkGradient((at) => inPlainOrder(at.square()), wave([1, 2, 2, 3]));
});

test('nothing is left behind', async () => {
  const [x, gamma, kernel] = [wave([1, 2, 3, 4]), wave([4]), wave([4, 4]) as tf.Tensor2D];
  await expectNoLeak(() =>
    tf
      .grad((at) => gelu(applyMatrix(layerNorm(at, gamma, gamma, 1e-6), kernel)).sum())(x)
      .dispose(),
  );
});
