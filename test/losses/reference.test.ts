/** Contrastive and average-precision loss against PyTorch's values and gradients (scripts/reference-training.py). */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { averagePrecisionLoss } from '../../src/losses/average-precision.js';
import { contrastiveLoss } from '../../src/losses/contrastive.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';

type Rows = number[][];
const golden = JSON.parse(readFileSync(new URL('../golden/training.json', import.meta.url), 'utf8')) as {
  contrastive: { margin: number; a: Rows; b: Rows; matching: number[]; loss: number; gradientA: Rows; gradientB: Rows };
  averagePrecision: { bins: number; similarities: Rows; relevant: Rows; loss: number; gradient: Rows };
};

describe('contrastiveLoss', () => {
  const { a, b, matching, margin, loss, gradientA, gradientB } = golden.contrastive;
  const value = (x: tf.Tensor, y: tf.Tensor) =>
    contrastiveLoss(x as tf.Tensor2D, y as tf.Tensor2D, tf.tensor1d(matching), { margin });

  test('equals the reference, and so do its gradients', () => {
    const [x, y] = [tf.tensor2d(a), tf.tensor2d(b)];
    expectClose(value(x, y).dataSync(), [loss], { relative: 1e-5 });
    const [dx, dy] = tf.grads(value)([x, y]);
    expectClose(dx.dataSync(), gradientA.flat(), { absolute: 1e-5 });
    expectClose(dy.dataSync(), gradientB.flat(), { absolute: 1e-5 });
  });

  test('has a finite gradient where both rows are equal', () => {
    const x = tf.tensor2d([[1, 0]]);
    const gradient = tf.grad((row) => contrastiveLoss(row as tf.Tensor2D, x, tf.tensor1d([0])))(x.clone());
    expect(Array.from(gradient.dataSync()).every(Number.isFinite)).toBe(true);
  });

  test('names what does not fit; nothing leaks', async () => {
    expect(() => contrastiveLoss(tf.zeros([2, 3]), tf.zeros([1, 3]), tf.zeros([2]))).toThrow('contrastiveLoss: b');
    expect(() => contrastiveLoss(tf.zeros([2, 3]), tf.zeros([2, 3]), tf.zeros([1]))).toThrow('matching');
    const [x, y, same] = [tf.tensor2d(a), tf.tensor2d(b), tf.tensor1d(matching)];
    await expectNoLeak(() => contrastiveLoss(x, y, same).dispose());
  });
});

describe('averagePrecisionLoss', () => {
  const { similarities, relevant, bins, loss, gradient } = golden.averagePrecision;
  const value = (x: tf.Tensor) => averagePrecisionLoss(x as tf.Tensor2D, tf.tensor2d(relevant), { bins });

  test('equals the reference, and so does its gradient', () => {
    const x = tf.tensor2d(similarities);
    expectClose(value(x).dataSync(), [loss], { relative: 1e-5 });
    expectClose(tf.grad(value)(x).dataSync(), gradient.flat(), { absolute: 2e-5 });
  });

  test('a perfect ranking costs nothing, the worst one nearly everything', () => {
    const perfect = averagePrecisionLoss(tf.tensor2d([[1, 1, 0, 0]]), tf.tensor2d([[1, 1, 0, 0]]));
    expectClose(perfect.dataSync(), [0], { absolute: 1e-6 });
    // The positive comes fourth: precision 1/4.
    const worst = averagePrecisionLoss(tf.tensor2d([[1, 1, 1, 0]]), tf.tensor2d([[0, 0, 0, 1]]));
    expectClose(worst.dataSync(), [0.75], { absolute: 1e-6 });
  });

  test('a row without positives has average precision 0, not NaN', () => {
    expectClose(averagePrecisionLoss(tf.tensor2d([[0.5, 0.2]]), tf.tensor2d([[0, 0]])).dataSync(), [1]);
  });

  test('names what does not fit; nothing leaks', async () => {
    expect(() => averagePrecisionLoss(tf.zeros([2, 3]), tf.zeros([2, 2]))).toThrow('averagePrecisionLoss: relevant');
    expect(() => averagePrecisionLoss(tf.zeros([1, 2]), tf.zeros([1, 2]), { bins: 1 })).toThrow('at least 2 bins');
    const [x, labels] = [tf.tensor2d(similarities), tf.tensor2d(relevant)];
    await expectNoLeak(() => averagePrecisionLoss(x, labels).dispose());
  });
});
