/**
 * @file ZCA-whitening as R-MAC+ has it: W = V diag(λ^-½) Vᵀ of the centred rows' scatter, y = W (x − m), then l2. The published code
 * does not divide the scatter by N, which the l2 undoes, and adds 1e-18 to its eigenvalues, which guards against nothing: a
 * direction without variance is blown up by 1e9.
 */
import { InputError } from '../errors.js';
import type { CovarianceAccumulator } from '../retrieval/pca.js';
import { symmetricEigen } from '../retrieval/symmetric-eigen.js';

/** Relative to the largest eigenvalue; that of `learnPcaWhitening`. */
const soundFloor = 1e-8;

/** Mean [C] and W [C, C]. Throws `InputError` where there are fewer rows than channels. */
export function learnZcaWhitening(
  rows: CovarianceAccumulator,
  { floor = 'sound' }: { floor?: 'sound' | 'published' } = {},
): { mean: Float32Array; components: Float32Array; dimension: number } {
  const channels = rows.dimension;
  if (rows.count < channels) {
    throw new InputError(
      `ZCA-whitening of ${channels} channels needs at least as many region vectors, there are ${rows.count}; fit on more images.`,
    );
  }
  const { mean, covariance } = rows.finish();
  const { values, vectors } = symmetricEigen(covariance, channels);
  const factors = values.map((value) =>
    floor === 'published'
      ? 1 / Math.sqrt(Math.max(value * rows.count, 0) + 1e-18)
      : 1 / Math.sqrt(Math.max(value, values[0] * soundFloor)),
  );
  const matrix = new Float64Array(channels * channels);
  for (let k = 0; k < channels; k++) {
    const vector = vectors.subarray(k * channels, (k + 1) * channels);
    for (let i = 0; i < channels; i++) {
      const scaled = vector[i] * factors[k];
      for (let j = 0; j < channels; j++) matrix[i * channels + j] += scaled * vector[j];
    }
  }
  return { mean: Float32Array.from(mean), components: Float32Array.from(matrix), dimension: channels };
}
