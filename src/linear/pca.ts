/**
 * @file PCA-whitening of region descriptors, as Tolias et al. 2016 and Gordo et al. 2016 learn it:
 *   m = mean x,  C = Σ (x − m)(x − m)ᵀ / N,  C = V diag(λ) Vᵀ with λ descending,  P = diag(λ^-½) Vᵀ, first D rows,
 *   whitened y = P (x − m), then l2.
 * An attenuated whitening (Mukundan et al. 2019, "Understanding and Improving Kernel Local Descriptors") has diag(λ^(-t/2)), t in [0, 1]:
 * directions of little variance, which are noise where the network knows little of the images, weigh less.
 * x are l2-normalised region vectors. Only C² sums are kept, so any number of regions can pass through.
 */
import { InputError } from '../errors.js';
import { meanSquareOf, numericalRank, whiteningWarnings } from './numerical-rank.js';
import { type EigenPairs, symmetricEigen } from './symmetric-eigen.js';

export interface LearnedWhitening {
  /** m, the mean region vector. [C] */
  mean: Float32Array;
  /** P, one direction per row. [D, C] */
  components: Float32Array;
  /** D: as many as asked, at most the numerical rank of C. */
  dimension: number;
  /** λ of the D directions, descending. */
  eigenvalues: Float64Array;
  /** Share of the total variance that the D directions carry. */
  explainedVariance: number;
  /** What is doubtful about it, one line each. */
  warnings: string[];
}

export interface PcaOptions {
  /** Number of directions to keep, of those the vectors vary in. Default: all. */
  dimension?: number;
  /** t: 1 (the default) whitens, 0 only centres and rotates. */
  strength?: number | undefined;
  /** Computes the largest eigenpairs of a symmetric matrix. Default: symmetricEigen. */
  eigen?: (matrix: Float64Array, n: number, count: number) => EigenPairs;
}

/** Sums Σ x xᵀ in float64 outside of this thread's plain loops; the engine's `GramProducts` is one. */
export interface Products {
  /** Adds rows [R, C], read before it returns. */
  add(rows: Float32Array): void;
  /** [C, C]; only the lower triangle is read. */
  lowerTriangle(): Float64Array;
}

// Rows are collected and multiplied in blocks: the column-major block stays in cache, and each C² sum is touched once per block.
const blockRows = 128;
/** Rows given to `Products` at once. */
const rowsPerProduct = 2048;

/** Streams rows [*, C] into their mean and covariance, in float64. */
export class CovarianceAccumulator {
  readonly dimension: number;
  /** Rows seen. */
  count = 0;
  readonly #sum: Float64Array;
  /** Lower triangle of Σ x xᵀ. */
  readonly #products: Float64Array;
  /** The rows not yet multiplied, one column after the other: [C, rowsPerBlock]. */
  readonly #block: Float64Array;
  /** The rows not yet given to `#elsewhere`, [rowsPerProduct, C]. */
  readonly #rows: Float32Array;
  readonly #elsewhere: Products | undefined;
  #pending = 0;

  /** The caller keeps `products`, which must be new, and disposes of it after `finish`. */
  constructor(dimension: number, products?: Products) {
    this.dimension = dimension;
    this.#elsewhere = products;
    this.#sum = new Float64Array(dimension);
    this.#products = new Float64Array(products === undefined ? dimension * dimension : 0);
    this.#block = new Float64Array(products === undefined ? dimension * blockRows : 0);
    this.#rows = new Float32Array(products === undefined ? 0 : dimension * rowsPerProduct);
  }

  /** Adds rows [R, C]. */
  add(rows: Float32Array): void {
    const { dimension } = this;
    if (rows.length % dimension !== 0) {
      throw new Error(`CovarianceAccumulator: ${rows.length} values are not rows of ${dimension}.`);
    }
    if (this.#elsewhere !== undefined) {
      this.#collect(rows);
      return;
    }
    for (let start = 0; start < rows.length; start += dimension) {
      for (let i = 0; i < dimension; i++) {
        const value = rows[start + i];
        this.#sum[i] += value;
        this.#block[i * blockRows + this.#pending] = value;
      }
      this.count++;
      if (++this.#pending === blockRows) this.#flush();
    }
  }

  /** Mean [C] and covariance [C, C] (divided by N, symmetric) of the rows so far. */
  finish(): { mean: Float64Array; covariance: Float64Array } {
    this.#flush();
    const { dimension, count } = this;
    const products = this.#elsewhere?.lowerTriangle() ?? this.#products;
    const mean = this.#sum.map((sum) => sum / count);
    const covariance = new Float64Array(dimension * dimension);
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j <= i; j++) {
        const value = products[i * dimension + j] / count - mean[i] * mean[j];
        covariance[i * dimension + j] = value;
        covariance[j * dimension + i] = value;
      }
    }
    return { mean, covariance };
  }

  /** Keeps rows until there are enough for a product. */
  #collect(rows: Float32Array): void {
    const { dimension } = this;
    for (let start = 0; start < rows.length; start += dimension) {
      const row = rows.subarray(start, start + dimension);
      for (let i = 0; i < dimension; i++) this.#sum[i] += row[i];
      this.#rows.set(row, this.#pending * dimension);
      this.count++;
      if (++this.#pending === rowsPerProduct) this.#flush();
    }
  }

  #flush(): void {
    const { dimension } = this;
    if (this.#elsewhere !== undefined) {
      this.#elsewhere.add(this.#rows.subarray(0, this.#pending * dimension));
      this.#pending = 0;
      return;
    }
    const block = this.#block;
    const products = this.#products;
    const rows = this.#pending;
    if (rows === 0) return;
    // Two by four columns at a time: six loads feed eight sums. Columns past the end fall back to single products.
    const whole = dimension - (dimension % 4);
    for (let i = 0; i < whole; i += 2) {
      const a = i * blockRows;
      for (let j = 0; j <= i + 1; j += 4) {
        const b = j * blockRows;
        let s00 = 0;
        let s01 = 0;
        let s02 = 0;
        let s03 = 0;
        let s10 = 0;
        let s11 = 0;
        let s12 = 0;
        let s13 = 0;
        for (let r = 0; r < rows; r++) {
          const x0 = block[a + r];
          const x1 = block[a + blockRows + r];
          const y0 = block[b + r];
          const y1 = block[b + blockRows + r];
          const y2 = block[b + 2 * blockRows + r];
          const y3 = block[b + 3 * blockRows + r];
          s00 += x0 * y0;
          s01 += x0 * y1;
          s02 += x0 * y2;
          s03 += x0 * y3;
          s10 += x1 * y0;
          s11 += x1 * y1;
          s12 += x1 * y2;
          s13 += x1 * y3;
        }
        // Tiles that straddle the diagonal write above it too; finish() reads only the lower triangle.
        const top = i * dimension + j;
        products[top] += s00;
        products[top + 1] += s01;
        products[top + 2] += s02;
        products[top + 3] += s03;
        products[top + dimension] += s10;
        products[top + dimension + 1] += s11;
        products[top + dimension + 2] += s12;
        products[top + dimension + 3] += s13;
      }
    }
    for (let i = whole; i < dimension; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += block[i * blockRows + r] * block[j * blockRows + r];
        products[i * dimension + j] += sum;
      }
    }
    this.#pending = 0;
  }
}

/** PCA-whitening from accumulated rows; @throws InputError when there are fewer rows than directions to learn. */
export function learnPcaWhitening(
  rows: Pick<CovarianceAccumulator, 'dimension' | 'count' | 'finish'>,
  { dimension: asked = rows.dimension, strength = 1, eigen = symmetricEigen }: PcaOptions = {},
): LearnedWhitening {
  const channels = rows.dimension;
  if (asked < 1 || asked > channels) {
    throw new InputError(`PCA: ${asked} dimensions asked of descriptors of ${channels}; choose 1 to ${channels}.`);
  }
  if (rows.count < asked) {
    throw new InputError(
      `PCA: ${asked} dimensions cannot be learned from ${rows.count} region descriptors; use more images or a smaller --dimension.`,
    );
  }
  const { mean, covariance } = rows.finish();
  const { values: all, vectors } = eigen(covariance, channels, asked);
  const dimension = numericalRank(all, meanSquareOf(mean, covariance));
  if (dimension === 0) {
    throw new InputError('PCA: all region descriptors are equal, there is nothing to whiten; use other images.');
  }
  const values = all.slice(0, dimension);
  let total = 0; // Σ λ
  for (let i = 0; i < channels; i++) total += covariance[i * channels + i];
  const components = new Float32Array(dimension * channels);
  for (let k = 0; k < dimension; k++) {
    const factor = strength === 1 ? 1 / Math.sqrt(values[k]) : values[k] ** (-strength / 2);
    for (let i = 0; i < channels; i++) components[k * channels + i] = vectors[k * channels + i] * factor;
  }
  const explained = values.reduce((sum, value) => sum + value, 0);
  return {
    mean: Float32Array.from(mean),
    components,
    dimension,
    eigenvalues: values,
    explainedVariance: explained / total,
    warnings: whiteningWarnings({ count: rows.count, asked, kept: dimension }),
  };
}
