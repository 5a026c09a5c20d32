/**
 * @file Losses of a region proposal network (Ren et al. 2015, eq. 1): a log loss over sampled anchors and a smooth l1 over the
 * positives among them. Rows may be padded: a row of weight 0 counts nowhere, so that every image has the same shapes.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface RpnTargets {
  /** [N] 1 for a positive, 0 for a negative. */
  labels: tf.Tensor1D;
  /** [N] 1 for a sampled anchor, 0 for padding. */
  weights: tf.Tensor1D;
  /** [N, 4] what positives should give; any finite numbers elsewhere. */
  deltas: tf.Tensor2D;
}

export interface RpnLossOptions {
  /** The smooth l1 is quadratic below 1 / sigma^2. py-faster-rcnn: 3. */
  sigma?: number;
  /** What the sum of the smooth l1 is divided by: `sampled` anchors (py-faster-rcnn), or cells of the map (paper: about 2400). */
  boxNormalization?: 'sampled' | 'cells';
  /** Cells of the map; needed for `cells`. */
  cells?: number;
  /** Of the smooth l1. Default 1 with `sampled` (py-faster-rcnn), 10 with `cells` (paper). */
  lambda?: number;
}

/**
 * Mean over weighted rows of -log p(label), p = sigmoid(log-odds): the softmax cross-entropy of two classes whose scores
 * differ by the log-odds. logOdds, labels, weights [N]; 0 where all weights are 0.
 */
export function objectnessLoss(logOdds: tf.Tensor1D, labels: tf.Tensor1D, weights: tf.Tensor1D): tf.Scalar {
  tf.util.assertShapesMatch(logOdds.shape, labels.shape, 'objectnessLoss: labels: ');
  tf.util.assertShapesMatch(logOdds.shape, weights.shape, 'objectnessLoss: weights: ');
  return tf.tidy(() => {
    const each = tf.softplus(logOdds).sub(logOdds.mul(labels));
    return each.mul(weights).sum().div<tf.Scalar>(weights.sum().maximum(1));
  });
}

/** 1/2 sigma^2 d^2 below |d| = 1 / sigma^2, |d| - 1 / (2 sigma^2) above (Girshick 2015, eq. 3), of each element. */
export function smoothL1(difference: tf.Tensor, sigma = 3): tf.Tensor {
  return tf.tidy(() => {
    const size = difference.abs();
    const inner = size.minimum(1 / sigma ** 2); // one expression for both pieces: comparisons have no gradient
    return inner.mul(size.sub(inner.mul(0.5))).mul(sigma ** 2);
  });
}

/** Both losses and their sum; only the sum is meant to be differentiated. logOdds [N], deltas [N, 4]. */
export function rpnLoss(
  { logOdds, deltas }: { logOdds: tf.Tensor1D; deltas: tf.Tensor2D },
  targets: RpnTargets,
  {
    sigma = 3,
    boxNormalization = 'sampled',
    cells,
    lambda = boxNormalization === 'cells' ? 10 : 1,
  }: RpnLossOptions = {},
): { total: tf.Scalar; objectness: tf.Scalar; boxes: tf.Scalar } {
  tf.util.assertShapesMatch(deltas.shape, targets.deltas.shape, 'rpnLoss: deltas: ');
  if (boxNormalization === 'cells' && cells === undefined)
    throw new Error('rpnLoss: boxNormalization "cells" needs cells');
  const { labels, weights } = targets;
  const objectness = objectnessLoss(logOdds, labels, weights);
  const boxes = tf.tidy(() => {
    const rows = smoothL1(deltas.sub(targets.deltas), sigma).sum(1).mul(labels).mul(weights).sum();
    const by = boxNormalization === 'cells' ? tf.scalar(cells!) : weights.sum().maximum(1);
    return rows.div<tf.Scalar>(by).mul<tf.Scalar>(lambda);
  });
  return { total: objectness.add(boxes), objectness, boxes };
}
