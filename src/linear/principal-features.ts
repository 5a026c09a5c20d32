/**
 * @file Principal feature analysis (Lu, Cohen, Zhou and Tian 2007): which of a descriptor's values to keep. Covariance of the
 * training descriptors, its first q eigenvectors as columns, one row of q numbers per value, k-means of the rows, and of each
 * cluster the value whose row is nearest to its centre.
 *
 * q must be smaller than the number of values: all rows of an orthogonal matrix are equally far from each other, and
 * clusters of them mean nothing. Lu et al. cluster the absolute values of the entries, OS-RMAC's text the entries.
 */
import { InputError } from '../errors.js';
import { meanSquareOf, numericalRank } from './numerical-rank.js';
import type { CovarianceAccumulator } from './pca.js';
import { symmetricEigen } from './symmetric-eigen.js';
import { kMeans, nearestCentres } from './k-means.js';

/** Principal feature analysis (Lu et al. 2007): keeps some of the values of the vector. */
export interface PfaFit {
  kind: 'pfa';
  /** Values kept. */
  dimension: number;
  /** Eigenvectors a value is described by; 'below-dimension' is dimension - 1 (Lu et al.). All of them would be meaningless. */
  eigenvectors: number | 'below-dimension';
  /** Cluster the absolute values of the entries (Lu et al.), else as they are. */
  absolute: boolean;
  /** Of k-means. */
  seed: number;
}

/** Ascending indices of the values kept; at most as many as there are. Throws `InputError` for fewer than two training vectors. */
export function learnPrincipalFeatures(rows: CovarianceAccumulator, options: Omit<PfaFit, 'kind'>): Int32Array {
  const channels = rows.dimension;
  const dimension = Math.min(options.dimension, channels);
  if (rows.count < 3) throw new InputError(`Principal feature analysis of ${rows.count} images; fit on more.`);
  if (dimension === channels) return Int32Array.from({ length: channels }, (_, i) => i);
  const wanted = options.eigenvectors === 'below-dimension' ? dimension - 1 : options.eigenvectors;
  const { mean, covariance } = rows.finish();
  const { values, vectors } = symmetricEigen(covariance, channels, Math.max(1, Math.min(wanted, channels - 1)));
  // the eigenvectors behind the directions that the vectors vary in are arbitrary
  const q = numericalRank(values, meanSquareOf(mean, covariance));
  if (q === 0) throw new InputError('Principal feature analysis: all vectors are equal; fit on other images.');
  const valueRows = new Float32Array(channels * q);
  for (let k = 0; k < q; k++) {
    for (let c = 0; c < channels; c++) {
      const entry = vectors[k * channels + c];
      valueRows[c * q + k] = options.absolute ? Math.abs(entry) : entry;
    }
  }
  const { centres } = kMeans(valueRows, q, dimension, { seed: options.seed });
  return featuresNearest(valueRows, q, centres);
}

/** Of each centre [k, q] the nearest of the rows [N, q] that are nearer to it than to the others; ascending. */
export function featuresNearest(rows: Float32Array, q: number, centres: Float32Array): Int32Array {
  const { nearest, distances } = nearestCentres(rows, q, centres);
  const best = new Map<number, number>();
  for (const [row, centre] of nearest.entries()) {
    const known = best.get(centre);
    if (known === undefined || distances[row] < distances[known]) best.set(centre, row);
  }
  return Int32Array.from(best.values()).sort();
}
