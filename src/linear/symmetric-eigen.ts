/**
 * @file The largest eigenvalues of a real symmetric matrix and their eigenvectors, in float64, deterministic.
 *
 * Householder tridiagonalisation in blocks, divide and conquer, and the reflections in blocks on the wanted vectors: the parts of
 * LAPACK's dsyevd, with its cost of about 4/3 n³ + 4/3 n³ + 2 n² D multiply-adds at most, in WebAssembly.
 */
import { Float64Kernels } from './float64-kernels.js';
import { applyReflectors, panelColumns, tridiagonalise } from './tridiagonal.js';
import { tridiagonalEigen } from './tridiagonal-eigen.js';

export interface EigenPairs {
  /** Descending. [D] */
  values: Float64Array;
  /** Row k is the unit eigenvector of values[k]; its entry of largest magnitude is positive. [D, n] */
  vectors: Float64Array;
}

/** The `count` largest eigenpairs of the symmetric `matrix` [n, n]; only its lower triangle is read. */
export function symmetricEigen(matrix: Float64Array, n: number, count: number = n): EigenPairs {
  if (matrix.length !== n * n) throw new Error(`symmetricEigen: ${matrix.length} values are not ${n} x ${n}.`);
  let scale = 0;
  for (const value of matrix) {
    if (!Number.isFinite(value)) throw new Error('symmetricEigen: the matrix has values that are not finite.');
    scale = Math.max(scale, Math.abs(value));
  }
  const wanted = Math.min(count, n);
  // The matrix, the eigenvectors of T, and two matrices of work; the work of the blocks is smaller for all but small n.
  const [a, q, work] = [0, n * n, 2 * n * n];
  const kernels = new Float64Kernels(work + Math.max(2 * n * n, 3 * panelColumns * n + 2 * n));
  const factor = scale === 0 ? 1 : 1 / scale; // squares of large values overflow
  for (let i = 0; i < n * n; i++) kernels.values[a + i] = matrix[i] * factor;
  const { diagonal, offDiagonal, taus } = tridiagonalise(kernels, a, n, work);
  const { values, rows } = tridiagonalEigen(kernels, diagonal, offDiagonal, { q, work, count: wanted });

  const vectors = new Float64Array(wanted * n);
  rows.forEach((row, k) => vectors.set(kernels.values.subarray(q + row * n, q + (row + 1) * n), k * n));
  kernels.values.set(vectors, q);
  applyReflectors(kernels, { a, n, taus }, { z: q, count: wanted }, work);
  vectors.set(kernels.values.subarray(q, q + wanted * n));
  for (let k = 0; k < wanted; k++) fixSign(vectors.subarray(k * n, (k + 1) * n));
  return { values: values.map((value) => value * scale), vectors };
}

/** Eigenvectors are free in sign; the one whose largest entry (first of equals) is positive is the same on every run. */
export function fixSign(vector: Float64Array): void {
  let at = 0;
  for (let i = 1; i < vector.length; i++) if (Math.abs(vector[i]) > Math.abs(vector[at])) at = i;
  if (vector[at] < 0) for (let i = 0; i < vector.length; i++) vector[i] = -vector[i];
}
