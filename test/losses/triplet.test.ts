import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { tripletLoss } from '../../src/losses/triplet.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';

const q = () => tf.tensor2d([1, 0, 0], [1, 3]);
const p = () => tf.tensor2d([0.8, 0.6, 0], [1, 3]);
const n = () => tf.tensor2d([0.6, 0.8, 0], [1, 3]);

test('half the margin violation', () => {
  // |q-p|^2 = 0.04 + 0.36 = 0.4, |q-n|^2 = 0.16 + 0.64 = 0.8, m = 0.5  ->  1/2 (0.5 + 0.4 - 0.8) = 0.05
  expectClose(tripletLoss(q(), p(), n(), { margin: 0.5 }).dataSync(), [0.05]);
});

test('a triplet separated by more than the margin costs nothing; the default margin is 0.1', () => {
  expectClose(tripletLoss(q(), p(), n()).dataSync(), [0]); // 0.1 + 0.4 - 0.8 < 0
  expectClose(tripletLoss(q(), n(), p()).dataSync(), [0.25]); // 1/2 (0.1 + 0.8 - 0.4)
});

test('the mean over rows', () => {
  const rows = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.concat([a, b]);
  const loss = tripletLoss(rows(q(), q()), rows(p(), n()), rows(n(), p()), { margin: 0.5 });
  expectClose(loss.dataSync(), [(0.05 + 0.45) / 2]);
});

test('gradients of an active triplet: dq = n - p, dp = p - q, dn = q - n', () => {
  const [dq, dp, dn] = tf.grads((a, b, c) =>
    tripletLoss(a as tf.Tensor2D, b as tf.Tensor2D, c as tf.Tensor2D, { margin: 0.5 }),
  )([q(), p(), n()]);
  expectClose(dq.dataSync(), [-0.2, 0.2, 0], { absolute: 1e-6 });
  expectClose(dp.dataSync(), [-0.2, 0.6, 0], { absolute: 1e-6 });
  expectClose(dn.dataSync(), [0.4, -0.8, 0], { absolute: 1e-6 });
});

test('gradient against finite differences', () => {
  checkGradient((x) => tripletLoss(x as tf.Tensor2D, p(), n(), { margin: 0.5 }), q());
  checkGradient((x) => tripletLoss(q(), p(), x as tf.Tensor2D, { margin: 0.5 }), n());
});

test('an inactive triplet has no gradient', () => {
  const gradient = tf.grad((x) => tripletLoss(x as tf.Tensor2D, p(), n()))(q());
  expectClose(gradient.dataSync(), [0, 0, 0]);
});

test('shapes that differ are named', () => {
  expect(() => tripletLoss(q(), tf.zeros([2, 3]), n())).toThrow('tripletLoss: positive');
  expect(() => tripletLoss(q(), p(), tf.zeros([1, 4]))).toThrow('tripletLoss: negative');
});

test('nothing leaks', async () => {
  const triplet = [q(), p(), n()] as const;
  await expectNoLeak(() => tripletLoss(...triplet).dispose());
});
