import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { crossEntropy } from '../../src/losses/cross-entropy.js';
import { objectnessLoss, rpnLoss, smoothL1 } from '../../src/losses/rpn.js';
import { golden, rowsOf } from '../rpn/golden.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';

const ones = (n: number) => tf.ones<tf.Rank.R1>([n]);

test("objectness: PyTorch's binary cross-entropy", () => {
  const loss = objectnessLoss(tf.tensor1d(golden.odds), tf.tensor1d(golden.wanted), ones(12));
  expectClose(loss.dataSync(), [golden.logLoss]);
});

test('objectness: the softmax cross-entropy of scores whose difference is the log-odds', () => {
  const scores = tf.tensor2d([1, 3, -2, 0.5, 4, 4], [3, 2]); // background, object
  const odds = tf.tensor1d([2, 2.5, 0]);
  const expected = crossEntropy(scores, tf.tensor1d([1, 0, 1], 'int32')).dataSync();
  expectClose(objectnessLoss(odds, tf.tensor1d([1, 0, 1]), ones(3)).dataSync(), expected);
});

test('objectness: padding counts nowhere, and nothing but padding is 0', () => {
  const weights = tf.tensor1d([1, 0, 1]);
  const loss = objectnessLoss(tf.tensor1d([0, 9, 0]), tf.tensor1d([1, 0, 0]), weights);
  expectClose(loss.dataSync(), [Math.log(2)]);
  expectClose(objectnessLoss(tf.tensor1d([3]), tf.tensor1d([1]), tf.zeros([1])).dataSync(), [0]);
});

test("smooth l1: PyTorch's with beta 1/9", () => {
  const difference = tf.tensor2d(rowsOf(golden.difference), [12, 4]);
  expectClose(smoothL1(difference).dataSync(), rowsOf(golden.smoothL1));
});

test('smooth l1: half sigma squared d squared below 1 / sigma squared, |d| - 1 / (2 sigma squared) above', () => {
  // sigma 3: 4.5 * 0.01 = 0.045; 1/9 is the seam: 1/18 from both sides; 1 - 1/18
  expectClose(smoothL1(tf.tensor1d([0, 0.1, -0.1, 1 / 9, 1, -1])).dataSync(), [
    0,
    0.045,
    0.045,
    1 / 18,
    17 / 18,
    17 / 18,
  ]);
  expectClose(smoothL1(tf.tensor1d([0.5, 2]), 1).dataSync(), [0.125, 1.5]);
});

const deltaValues = [0.02, -0.5, 1, 0, 0.3, 0.05, -0.07, 0.2, 9, 9, 9, 9];
const deltasNow = () => tf.tensor2d(deltaValues, [3, 4]);
const targets = () => ({
  labels: tf.tensor1d([1, 0, 1]),
  weights: tf.tensor1d([1, 1, 0]),
  deltas: tf.zeros<tf.Rank.R2>([3, 4]),
});
// only row 0 is a positive that counts: 4.5 * 0.0004 + (0.5 - 1/18) + (1 - 1/18)
const rowLoss = 0.0018 + 1.5 - 1 / 9;

test('boxes: the positives alone, by the sampled anchors or by the cells', () => {
  const parts = { logOdds: tf.zeros<tf.Rank.R1>([3]), deltas: deltasNow() };
  const bySampled = rpnLoss(parts, targets());
  expectClose(bySampled.boxes.dataSync(), [rowLoss / 2]);
  expectClose(bySampled.total.dataSync(), [Math.log(2) + rowLoss / 2]);
  const byCells = rpnLoss(parts, targets(), { boxNormalization: 'cells', cells: 2400 });
  expectClose(byCells.boxes.dataSync(), [(10 * rowLoss) / 2400]);
  expectClose(rpnLoss(parts, targets(), { lambda: 3 }).boxes.dataSync(), [(3 * rowLoss) / 2]);
  expect(() => rpnLoss(parts, targets(), { boxNormalization: 'cells' })).toThrow('needs cells');
});

test('without a positive the boxes cost nothing and have no gradient', () => {
  const none = { ...targets(), labels: tf.zeros<tf.Rank.R1>([3]) };
  const f = (d: tf.Tensor) => rpnLoss({ logOdds: tf.zeros([3]), deltas: d as tf.Tensor2D }, none).total;
  expectClose(f(deltasNow()).dataSync(), [Math.log(2)]);
  expectClose(tf.grad(f)(deltasNow()).dataSync(), new Float32Array(12));
});

test('gradients against finite differences', () => {
  checkGradient(
    (x) => rpnLoss({ logOdds: x as tf.Tensor1D, deltas: deltasNow() }, targets()).total,
    tf.tensor1d([0.7, -1.3, 2.1]),
  );
  checkGradient(
    (x) => rpnLoss({ logOdds: tf.zeros([3]), deltas: x as tf.Tensor2D }, targets(), { lambda: 2 }).total,
    deltasNow(),
    { step: 2e-3 },
  );
});

test('shapes that do not fit are named', () => {
  expect(() => objectnessLoss(ones(3), ones(2), ones(3))).toThrow('objectnessLoss: labels');
  expect(() => objectnessLoss(ones(3), ones(3), ones(2))).toThrow('objectnessLoss: weights');
  expect(() => rpnLoss({ logOdds: ones(3), deltas: tf.zeros([2, 4]) }, targets())).toThrow('rpnLoss: deltas');
});

test('nothing leaks', async () => {
  const parts = { logOdds: ones(3), deltas: deltasNow() };
  const fixed = targets();
  await expectNoLeak(() => tf.tidy(() => rpnLoss(parts, fixed).total.dataSync()));
});
