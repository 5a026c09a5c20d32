/** @file The contrastive loss over tuples of a query, its positive and its negatives. */
import * as tf from '@tensorflow/tfjs-core';

export interface ContrastiveLossOptions {
  /** Distance that a negative must keep. Default 0.7 (Radenovic et al. 2018, for VGG-16 0.75, for ResNet-101 0.85). */
  margin?: number;
}

/** Added to every coordinate's difference before squaring, so that the distance of equal rows has a gradient. */
const epsilon = 1e-6;

/**
 * Contrastive loss of Radenovic et al. 2018 ("Fine-tuning CNN image retrieval with no human annotation", eq. 3), summed over pairs as their
 * code sums it: 1/2 D^2 for matching pairs, 1/2 max(0, m - D)^2 for the others, D = |a - b + 1e-6|.
 * a, b: [N, D] rows; matching: [N], 1 or 0.
 */
export function contrastiveLoss(
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  matching: tf.Tensor1D,
  { margin = 0.7 }: ContrastiveLossOptions = {},
): tf.Scalar {
  tf.util.assertShapesMatch(a.shape, b.shape, 'contrastiveLoss: b: ');
  tf.util.assertShapesMatch([a.shape[0]], matching.shape, 'contrastiveLoss: matching: ');
  return tf.tidy(() => {
    const distance = a.sub(b).add(epsilon).square().sum(-1).sqrt(); // [N]
    const near = distance.square().mul(matching);
    const far = distance.neg().add(margin).relu().square().mul(tf.sub(1, matching));
    return near.add(far).sum<tf.Scalar>().mul<tf.Scalar>(0.5);
  });
}
