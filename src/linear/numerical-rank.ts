/**
 * @file How many directions of a covariance the vectors behind it really vary in. The rest are null directions: copies,
 * channels that are always 0, or more channels than vectors. What little they hold is rounding, and dividing by its deviation
 * makes it the largest part of every descriptor that was not learned from.
 */

/** Of the largest eigenvalue. The rounding of float32 entries is some 1e-14 of it; NumPy's `matrix_rank` of 840 such rows has 1e-8. */
const relativeTolerance = 1e-8;
/** Of the mean squared length: what subtracting the mean leaves in float64 where it outweighs the variance. */
const cancellation = 1e-13;
/** Vectors per direction below which deviations are mostly chance. */
const vectorsPerDirection = 5;

/**
 * Number of eigenvalues (descending, of a covariance [C, C]) that stand out of rounding; 0 where all vectors are equal.
 * `meanSquare` is the mean squared length of the vectors.
 */
export function numericalRank(eigenvalues: Float64Array, meanSquare: number): number {
  const tolerance = Math.max(relativeTolerance * eigenvalues[0], cancellation * meanSquare);
  const first = eigenvalues.findIndex((value) => !(value > tolerance));
  return first < 0 ? eigenvalues.length : first;
}

/** Mean squared length of the vectors of a mean [C] and a covariance [C, C]. */
export function meanSquareOf(mean: Float64Array, covariance: Float64Array): number {
  const n = mean.length;
  return mean.reduce((sum, value, i) => sum + value * value + covariance[i * n + i], 0);
}

/** What to say of a whitening that keeps `kept` of `asked` directions, learned from `count` vectors (or pairs of them). */
export function whiteningWarnings({
  count,
  of = 'vectors',
  asked,
  kept,
}: {
  count: number;
  of?: 'vectors' | 'pairs';
  asked: number;
  kept: number;
}): string[] {
  const warnings: string[] = [];
  const text = (n: number) => n.toLocaleString('en');
  if (kept < asked) {
    warnings.push(
      `${text(count)} ${of} to learn from, which vary in ${text(kept)} directions and not in ${text(asked)}: the whitening keeps ${text(kept)}.`,
    );
  }
  if (count < vectorsPerDirection * kept) {
    warnings.push(
      `A whitening to ${text(kept)} dimensions from ${text(count)} ${of}, ${(count / kept).toFixed(1)} for each: so few say little ` +
        `about the weak directions. Learn it from ${text(vectorsPerDirection * kept)} or more, or keep fewer dimensions.`,
    );
  }
  return warnings;
}
