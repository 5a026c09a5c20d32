/**
 * @file Lw, the discriminative whitening of Radenović et al. (TPAMI 2019; after Mikolajczyk and Matas 2007), learned on pairs of
 * descriptors of the same thing:
 *   m = mean x_q,  S = Σ (x_q − x_p)(x_q − x_p)ᵀ / n over the n pairs,  S = L Lᵀ,
 *   C = Σ L⁻¹ (x − m)(x − m)ᵀ L⁻ᵀ over all descriptors,  C = V diag(λ) Vᵀ with λ descending,  P = Vᵀ L⁻¹, first D rows.
 * Applied as y = P (x − m), then l2. m counts a query once for each of its pairs.
 */
import { InputError } from '../errors.js';
import { Float64Kernels } from './float64-kernels.js';
import { meanSquareOf, numericalRank, whiteningWarnings } from './numerical-rank.js';
import { CovarianceAccumulator, type PcaOptions, type Products } from './pca.js';
import { type DescriptorRows, rowCount } from './rows.js';
import { symmetricEigen } from './symmetric-eigen.js';

export interface LwWhitening {
  /** m. [C] */
  mean: Float32Array;
  /** P. [D, C] */
  components: Float32Array;
  /** D: as many as asked, at most as the descriptors vary in. */
  dimension: number;
  /** What had to be added to S's diagonal for it to be positive definite; 0 with enough pairs. */
  regularisation: number;
  /** What is doubtful about it, one line each. */
  warnings: string[];
}

export interface LwOptions extends Pick<PcaOptions, 'dimension' | 'eigen'> {
  /** Makes what sums products elsewhere; asked twice. */
  products?: () => Products & { dispose: () => void };
}

/** Learns Lw; pair i is the rows queries[i] and positives[i] of the descriptors [N, C]. @throws InputError without pairs. */
export function learnLw(
  descriptors: DescriptorRows,
  queries: Int32Array,
  positives: Int32Array,
  { dimension: asked = descriptors.dimension, eigen = symmetricEigen, products }: LwOptions = {},
): LwWhitening {
  const { data, dimension: n } = descriptors;
  if (asked < 1 || asked > n) {
    throw new InputError(`Lw: ${asked} dimensions asked of descriptors of ${n}; choose 1 to ${n}.`);
  }
  if (queries.length === 0) {
    throw new InputError('Lw: no pair of descriptors; give pairs of photographs that show the same thing.');
  }
  const row = (i: number) => data.subarray(i * n, (i + 1) * n);
  const mean = new Float64Array(n);
  for (const q of queries) row(q).forEach((value, i) => (mean[i] += value / queries.length));

  const difference = new Float64Array(n);
  const spread = secondMoment(n, products, (add) => {
    queries.forEach((q, pair) => {
      const [x, y] = [row(q), row(positives[pair])];
      for (let i = 0; i < n; i++) difference[i] = x[i] - y[i];
      add(Float32Array.from(difference));
    });
  });
  const all = secondMoment(n, products, (add) => {
    for (let i = 0; i < rowCount(descriptors); i++) add(row(i));
  });
  // Σ (x − m)(x − m)ᵀ = covariance + (μ − m)(μ − m)ᵀ, a factor N apart, which changes no direction
  const shift = all.mean.map((value, i) => value - mean[i]);
  const about = addOuter(all.covariance, shift);
  const s = addOuter(spread.covariance, spread.mean);

  const kernels = new Float64Kernels(2 * n * n);
  const [l, y] = [0, n * n];
  const regularisation = cholesky(kernels, s, n);
  kernels.values.set(about, y);
  solveLower(kernels, l, y, n); // L⁻¹ A
  transpose(kernels.values, y, n);
  solveLower(kernels, l, y, n); // L⁻¹ A L⁻ᵀ
  // Where S has full rank, so have the descriptors, of which it is a part.
  const meanSquare = meanSquareOf(all.mean, all.covariance);
  const dimension = regularisation === 0 ? asked : numericalRank(eigen(about, n, asked).values, meanSquare);
  if (dimension === 0) throw new InputError('Lw: all descriptors are equal; describe other images.');
  const { vectors } = eigen(kernels.values.slice(y, y + n * n), n, dimension);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < dimension; k++) kernels.values[y + i * dimension + k] = vectors[k * n + i];
  }
  solveUpper(kernels, l, y, n, dimension); // L⁻ᵀ V, whose columns are the rows of P
  const components = new Float32Array(dimension * n);
  for (let k = 0; k < dimension; k++) {
    for (let i = 0; i < n; i++) components[k * n + i] = kernels.values[y + i * dimension + k];
  }
  const warnings = whiteningWarnings({ count: queries.length, of: 'pairs', asked, kept: dimension });
  return { mean: Float32Array.from(mean), components, dimension, regularisation, warnings };
}

function secondMoment(
  n: number,
  products: LwOptions['products'],
  feed: (add: (row: Float32Array) => void) => void,
): { mean: Float64Array; covariance: Float64Array } {
  const sums = products?.();
  const accumulator = new CovarianceAccumulator(n, sums);
  try {
    feed((row) => accumulator.add(row));
    return accumulator.finish();
  } finally {
    sums?.dispose();
  }
}

/** A + x xᵀ. */
function addOuter(a: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  return a.map((value, at) => value + x[Math.floor(at / n)] * x[at % n]);
}

/** L of S + r I at index 0, for the least r of 0, 1e-10, 1e-9, … that works; returns r. */
function cholesky(kernels: Float64Kernels, s: Float64Array, n: number): number {
  const { values } = kernels;
  for (let r = 0; r < 1e3; r = r === 0 ? 1e-10 : 10 * r) {
    let i = 0;
    for (; i < n; i++) {
      for (let j = 0; j < i; j++) {
        values[i * n + j] = (s[i * n + j] - kernels.dot(i * n, j * n, j)) / values[j * n + j];
      }
      const square = s[i * n + i] + r - kernels.dot(i * n, i * n, i);
      if (!(square > 0)) break;
      values[i * n + i] = Math.sqrt(square);
    }
    if (i === n) return r;
  }
  throw new InputError('Lw: the descriptors have NaN or infinite values; describe the images again.');
}

/** Y ← L⁻¹ Y for Y [n, n]. */
function solveLower(kernels: Float64Kernels, l: number, y: number, n: number): void {
  const { values } = kernels;
  for (let i = 0; i < n; i++) {
    const row = y + i * n;
    for (let j = 0; j < i; j++) kernels.addScaled(-values[l + i * n + j], y + j * n, row, n);
    const inverse = 1 / values[l + i * n + i];
    for (let c = row; c < row + n; c++) values[c] *= inverse;
  }
}

/** Y ← L⁻ᵀ Y for Y [n, columns]. */
function solveUpper(kernels: Float64Kernels, l: number, y: number, n: number, columns: number): void {
  const { values } = kernels;
  for (let i = n - 1; i >= 0; i--) {
    const row = y + i * columns;
    for (let j = i + 1; j < n; j++) kernels.addScaled(-values[l + j * n + i], y + j * columns, row, columns);
    const inverse = 1 / values[l + i * n + i];
    for (let c = row; c < row + columns; c++) values[c] *= inverse;
  }
}

function transpose(values: Float64Array, y: number, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [y + i * n + j, y + j * n + i];
      [values[a], values[b]] = [values[b], values[a]];
    }
  }
}
