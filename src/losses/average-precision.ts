/** @file The listwise loss: one minus the mean average precision of a batch, made differentiable by binning similarities. */
import * as tf from '@tensorflow/tfjs-core';

export interface AveragePrecisionLossOptions {
  /** Bins of the similarities between 0 and 1. Default 20 (Revaud et al. 2019, section 4; their code's default is 25). */
  bins?: number;
  /** [Q, N], 1 or 0: what takes part in the ranking; the rest (the query itself, say) is as if it were not there. Default all. */
  counted?: tf.Tensor2D;
}

/**
 * Quantised average-precision loss of Revaud et al. 2019 ("Learning with Average Precision", eq. 6-9): every similarity is shared
 * between its two nearest bins by a triangular kernel, precision and recall are summed over bins from the most similar
 * on, and the loss is 1 - mean AP over the queries. Similarities beyond 0 and 1 fall into the outermost bins.
 * similarities: [Q, N]; relevant: [Q, N], 1 or 0, at least one 1 a row (a row without has AP 0).
 */
export function averagePrecisionLoss(
  similarities: tf.Tensor2D,
  relevant: tf.Tensor2D,
  { bins = 20, counted }: AveragePrecisionLossOptions = {},
): tf.Scalar {
  tf.util.assertShapesMatch(similarities.shape, relevant.shape, 'averagePrecisionLoss: relevant: ');
  if (!Number.isInteger(bins) || bins < 2) {
    throw new Error(`averagePrecisionLoss: at least 2 bins expected, got ${bins}.`);
  }
  return tf.tidy(() => {
    const last = bins - 1;
    // Bin b is centred at 1 - b / (bins - 1): the most similar first. The outermost bins do not fall off outwards.
    const centres = tf.tensor1d(Array.from({ length: bins }, (_, b) => 1 - b / last));
    const offset = similarities.expandDims(2).sub(centres).mul(last); // [Q, N, B] in bins
    const above = tf.tensor1d(Array.from({ length: bins }, (_, b) => (b === 0 ? 0 : 1)));
    const below = tf.tensor1d(Array.from({ length: bins }, (_, b) => (b === last ? 0 : 1)));
    const distance = offset.relu().mul(above).add(offset.neg().relu().mul(below));
    const weight = tf.sub(1, distance).relu(); // [Q, N, B]
    const share = counted === undefined ? weight : weight.mul(counted.expandDims(2));
    const positives = share.mul(relevant.expandDims(2)).sum(1); // [Q, B]
    const all = share.sum(1); // [Q, B]
    const precision = positives.cumsum(1).div(all.cumsum(1).add(1e-16));
    const recall = positives.div(tf.maximum(relevant.sum(1, true), 1)); // of each bin
    return tf.sub<tf.Scalar>(1, precision.mul(recall).sum(1).mean());
  });
}
