/**
 * @file Householder tridiagonalisation of a symmetric matrix in blocks, and the way back for eigenvectors: A = Q T Qᵀ with
 * Q = H₀ H₁ …, Hᵢ = I − τᵢ vᵢ vᵢᵀ (Golub and Van Loan, section 8.3; the blocks of LAPACK's dlatrd and dlarft). Half of the
 * arithmetic is products with the matrix, which must pass through memory for each column; the rest is done a block at a time.
 */
import type { Float64Kernels } from './float64-kernels.js';

export interface Tridiagonal {
  /** [n] */
  diagonal: Float64Array;
  /** offDiagonal[i] couples i and i + 1. [n - 1] */
  offDiagonal: Float64Array;
  /** τᵢ; 0 where the column was clear already. */
  taus: Float64Array;
}

/** Columns of a block. */
export const panelColumns = 64;

/**
 * Tridiagonalises the matrix [n, n] whose lower triangle is at `a`. vᵢ is left in row i, columns i + 1 .. n - 1. `work` is the index of
 * (panelColumns + 2) n free values.
 */
export function tridiagonalise(kernels: Float64Kernels, a: number, n: number, work: number): Tridiagonal {
  const { values } = kernels;
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(Math.max(0, n - 1));
  const taus = new Float64Array(n);
  const column = work + panelColumns * n;
  const product = column + n;
  for (let from = 0; from < n - 1; from += panelColumns) {
    const to = Math.min(from + panelColumns, n - 1);
    for (let i = from; i < to; i++) {
      const below = i + 1;
      const length = n - below;
      // Column i as the columns before it in the block leave it: − Σ vₚ wₚᵀ + wₚ vₚᵀ.
      for (let r = i; r < n; r++) values[column + r] = values[a + r * n + i];
      for (let p = from; p < i; p++) {
        const w = work + (p - from) * n;
        kernels.addScaled(-values[w + i], a + p * n + i, column + i, n - i);
        kernels.addScaled(-values[a + p * n + i], w + i, column + i, n - i);
      }
      diagonal[i] = values[column + i];
      const { tau, beta } = reflector(kernels, column + below, length);
      offDiagonal[i] = beta;
      taus[i] = tau;
      const v = a + i * n + below;
      values.copyWithin(v, column + below, column + n);
      const w = work + (i - from) * n;
      values.fill(0, w, w + n);
      if (tau === 0) continue;
      // w = τ A v − ½ τ (τ vᵀ A v) v with A as the block leaves it
      kernels.symmetricTimes({ start: a + below * n + below, stride: n }, v, product + below, length);
      for (let p = from; p < i; p++) {
        const vp = a + p * n + below;
        const wp = work + (p - from) * n + below;
        const [wv, vv] = [kernels.dot(wp, v, length), kernels.dot(vp, v, length)];
        kernels.addScaled(-wv, vp, product + below, length);
        kernels.addScaled(-vv, wp, product + below, length);
      }
      kernels.addScaled(tau, product + below, w + below, length);
      kernels.addScaled(-0.5 * tau * kernels.dot(w + below, v, length), v, w + below, length);
    }
    // A ← A − V Wᵀ − W Vᵀ behind the block, lower triangle in strips
    for (let row = to; row < n; row += panelColumns) {
      const end = Math.min(row + panelColumns, n);
      const size = [end - row, end - to, to - from] as const;
      const c = { start: a + row * n + to, stride: n };
      const v = (at: number) => ({ start: a + from * n + at, stride: n });
      const w = (at: number) => ({ start: work + at, stride: n });
      kernels.multiply(size, v(row), w(to), c, { alpha: -1, transposed: 'a' });
      kernels.multiply(size, w(row), v(to), c, { alpha: -1, transposed: 'a' });
    }
  }
  if (n > 0) diagonal[n - 1] = values[a + n * n - 1];
  return { diagonal, offDiagonal, taus };
}

/** x [n] -> v with v[0] = 1 in its place, where (I − τ v vᵀ) x = (β, 0, …). */
function reflector({ values }: Float64Kernels, x: number, n: number): { tau: number; beta: number } {
  const head = values[x];
  values[x] = 1;
  let tail = 0;
  for (let i = 1; i < n; i++) tail += values[x + i] * values[x + i];
  if (tail === 0) return { tau: 0, beta: head };
  const length = Math.sqrt(head * head + tail);
  const beta = head > 0 ? -length : length;
  const inverse = 1 / (head - beta);
  for (let i = 1; i < n; i++) values[x + i] *= inverse;
  return { tau: (beta - head) / beta, beta };
}

/**
 * Rows z [count, n] of eigenvectors of T become rows Q z, in their place. `work` is the index of panelColumns (n + 2 count) free values.
 */
export function applyReflectors(
  kernels: Float64Kernels,
  { a, n, taus }: { a: number; n: number; taus: Float64Array },
  { z, count }: { z: number; count: number },
  work: number,
): void {
  const { values } = kernels;
  const first = work + panelColumns * n;
  const second = first + panelColumns * count;
  const triangle = new Float64Array(panelColumns * panelColumns); // T, upper: H_from … H_to = I − V T Vᵀ
  for (let from = Math.floor(Math.max(0, n - 2) / panelColumns) * panelColumns; from >= 0; from -= panelColumns) {
    const size = Math.min(from + panelColumns, n - 1) - from;
    const length = n - from - 1;
    if (size <= 0) continue;
    for (let p = 0; p < size; p++) {
      const row = work + p * length;
      values.fill(0, row, row + p);
      values.copyWithin(row + p, a + (from + p) * n + from + 1 + p, a + (from + p) * n + n);
    }
    triangle.fill(0);
    for (let i = 0; i < size; i++) {
      const tau = taus[from + i];
      const overlaps = Float64Array.from({ length: i }, (_, p) =>
        kernels.dot(work + p * length, work + i * length, length),
      );
      for (let p = 0; p < i; p++) {
        let sum = 0;
        for (let q = p; q < i; q++) sum += triangle[p * panelColumns + q] * overlaps[q];
        triangle[p * panelColumns + i] = -tau * sum;
      }
      triangle[i * panelColumns + i] = tau;
    }
    // z ← z − ((z V) Tᵀ) Vᵀ
    const v = { start: work, stride: length };
    const part = { start: z + from + 1, stride: n };
    values.fill(0, first, first + count * size);
    kernels.multiply([count, size, length], part, v, { start: first, stride: size }, { transposed: 'b' });
    for (let r = 0; r < count; r++) {
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let j = i; j < size; j++) sum += triangle[i * panelColumns + j] * values[first + r * size + j];
        values[second + r * size + i] = sum;
      }
    }
    kernels.multiply([count, length, size], { start: second, stride: size }, v, part, { alpha: -1 });
  }
}
