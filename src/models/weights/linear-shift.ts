/** @file A fully connected layer with a bias as our whitening, which is a shift and a layer without one. */
import { InputError } from '../../errors.js';
import type { PcaWhitening } from '../whitening.js';

/** Largest difference, relative to the bias, between W s and the bias. */
const tolerance = 1e-4;

/**
 * W x + b = W (x + s) with W s = b. weight: [D, C] row-major, bias: [D]. Where D < C the shortest s is taken. Throws
 * `InputError` when the rows of W depend on each other so that no s gives b.
 */
export function whiteningOfLinear(
  weight: Float32Array,
  bias: Float32Array,
  { channels, source }: { channels: number; source: string },
): PcaWhitening {
  const dimension = bias.length;
  const shift = bias.every((b) => b === 0) ? new Float64Array(channels) : solve(weight, bias, channels);
  let residual = 0;
  for (let d = 0; d < dimension; d++) {
    let sum = -bias[d];
    for (let c = 0; c < channels; c++) sum += weight[d * channels + c] * Math.fround(shift[c]);
    residual = Math.max(residual, Math.abs(sum));
  }
  const largest = bias.reduce((max, b) => Math.max(max, Math.abs(b)), 0);
  if (!(residual <= tolerance * largest)) {
    throw new InputError(
      `${source}: the bias of its whitening cannot be written as a shift of the input (the matrix is close to singular).`,
    );
  }
  return { mean: shift.map((s) => -s), components: weight, dimension };
}

/** The shortest s with W s = b: s = W' y, (W W') y = b; the square case is solved as it stands. */
function solve(weight: Float32Array, bias: Float32Array, channels: number): Float64Array {
  const dimension = bias.length;
  if (dimension === channels) return eliminate(Float64Array.from(weight), Float64Array.from(bias));
  const gram = new Float64Array(dimension * dimension);
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += weight[i * channels + c] * weight[j * channels + c];
      gram[i * dimension + j] = sum;
      gram[j * dimension + i] = sum;
    }
  }
  const y = eliminate(gram, Float64Array.from(bias));
  const shift = new Float64Array(channels);
  for (let d = 0; d < dimension; d++) {
    for (let c = 0; c < channels; c++) shift[c] += weight[d * channels + c] * y[d];
  }
  return shift;
}

/** Gaussian elimination with row pivots; both arguments are overwritten. A singular matrix gives NaN. */
function eliminate(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  const rows = Array.from({ length: n }, (_, i) => matrix.subarray(i * n, (i + 1) * n));
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    [right[k], right[pivot]] = [right[pivot], right[k]];
    const top = rows[k];
    for (let i = k + 1; i < n; i++) {
      const row = rows[i];
      const factor = row[k] / top[k];
      if (factor === 0) continue;
      for (let j = k + 1; j < n; j++) row[j] -= factor * top[j];
      right[i] -= factor * right[k];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) right[k] -= rows[k][j] * right[j];
    right[k] /= rows[k][k];
  }
  return right;
}
