/** @file The classification loss: pre-training a trunk, and training one on labelled landmarks. */
import * as tf from '@tensorflow/tfjs-core';

export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all K classes (Szegedy et al. 2016, section 7), 0 to below 1. Default 0. */
  labelSmoothing?: number;
}

/**
 * Softmax cross-entropy: mean over rows of -sum_k t_k log softmax(x)_k, with t = (1 - s) onehot(label) + s / K and s the
 * label smoothing. logits [N, K], labels [N] int32 from 0 to K - 1 (a label outside counts as none: check where they are
 * read). No gradient flows to the labels.
 */
export function crossEntropy(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  { labelSmoothing = 0 }: CrossEntropyOptions = {},
): tf.Scalar {
  tf.util.assertShapesMatch([logits.shape[0]], labels.shape, 'crossEntropy: labels: ');
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new Error(`crossEntropy: labelSmoothing of at least 0 and below 1 expected, got ${labelSmoothing}`);
  }
  const classes = logits.shape[1];
  return tf.tidy(() => {
    const share = labelSmoothing / classes;
    const target = tf.oneHot(labels, classes, 1 - labelSmoothing + share, share, 'float32'); // [N, K]
    return tf.logSoftmax(logits).mul(target).sum(-1).mean<tf.Scalar>().neg();
  });
}
