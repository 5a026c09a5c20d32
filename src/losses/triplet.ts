/** @file The ranking loss of the fine-tuning. */
import * as tf from '@tensorflow/tfjs-core';

export interface TripletLossOptions {
  /** By how much the squared distance to the negative must exceed that to the positive. Default 0.1 (Gordo et al.). */
  margin?: number;
}

/** Ranking loss of Gordo et al. 2016, eq. (1): mean of 1/2 max(0, m + |q - d+|^2 - |q - d-|^2). All [N, D], unit rows. */
export function tripletLoss(
  query: tf.Tensor2D,
  positive: tf.Tensor2D,
  negative: tf.Tensor2D,
  { margin = 0.1 }: TripletLossOptions = {},
): tf.Scalar {
  tf.util.assertShapesMatch(query.shape, positive.shape, 'tripletLoss: positive: ');
  tf.util.assertShapesMatch(query.shape, negative.shape, 'tripletLoss: negative: ');
  return tf.tidy(() => {
    const toPositive = query.squaredDifference(positive).sum(-1); // [N]
    const toNegative = query.squaredDifference(negative).sum(-1); // [N]
    return toPositive.sub(toNegative).add(margin).relu().mean().mul<tf.Scalar>(0.5);
  });
}
