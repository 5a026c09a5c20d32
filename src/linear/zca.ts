/**
 * @file ZCA-whitening as R-MAC+ has it: W = V diag(λ^-½) Vᵀ of the centred rows' scatter, y = W (x − m), then l2. The published code
 * does not divide the scatter by N, which the l2 undoes, and adds 1e-18 to its eigenvalues, which guards against nothing: a
 * direction without variance is blown up by 1e9.
 */
import { InputError } from '../errors.js';
import { meanSquareOf, numericalRank, whiteningWarnings } from './numerical-rank.js';
import type { CovarianceAccumulator } from './pca.js';
import { symmetricEigen } from './symmetric-eigen.js';

/**
 * Mean [C] and W [C, C]. 'sound': directions beyond the numerical rank are left out of W; 'published' keeps and scales them as that
 * code does. Throws `InputError` where there are fewer rows than channels, or all are equal.
 */
export function learnZcaWhitening(
  rows: CovarianceAccumulator,
  { floor = 'sound' }: { floor?: 'sound' | 'published' } = {},
): { mean: Float32Array; components: Float32Array; dimension: number; warnings: string[] } {
  const channels = rows.dimension;
  if (rows.count < channels) {
    throw new InputError(
      `ZCA-whitening of ${channels} channels needs at least as many region vectors, there are ${rows.count}; fit on more images.`,
    );
  }
  const { mean, covariance } = rows.finish();
  const { values, vectors } = symmetricEigen(covariance, channels);
  const rank = numericalRank(values, meanSquareOf(mean, covariance));
  if (rank === 0) throw new InputError('ZCA-whitening: all region vectors are equal; fit on other images.');
  const published = floor === 'published';
  const matrix = new Float64Array(channels * channels);
  for (let k = 0; k < (published ? channels : rank); k++) {
    const factor = 1 / Math.sqrt(published ? Math.max(values[k] * rows.count, 0) + 1e-18 : values[k]);
    const vector = vectors.subarray(k * channels, (k + 1) * channels);
    for (let i = 0; i < channels; i++) {
      const scaled = vector[i] * factor;
      for (let j = 0; j < channels; j++) matrix[i * channels + j] += scaled * vector[j];
    }
  }
  const warnings = whiteningWarnings({ count: rows.count, asked: channels, kept: published ? channels : rank });
  if (published && rank < channels) {
    warnings.push(
      `The published floor of 1e-18 keeps ${channels - rank} directions in which the vectors do not vary, and makes them the largest.`,
    );
  }
  return { mean: Float32Array.from(mean), components: Float32Array.from(matrix), dimension: channels, warnings };
}
