/**
 * @file Eigenvalues and eigenvectors of a symmetric tridiagonal matrix by divide and conquer (Cuppen 1981; Gu and Eisenstat 1995; the
 * parts of LAPACK's dstedc): T is cut into two halves and a rank-one term, the halves are solved, and the eigenvectors of
 * diag(d) + ρ z zᵀ merge them by matrix products. Entries of z that are negligible and values that coincide drop out first ("deflation"),
 * which also keeps equal eigenvalues' vectors orthogonal.
 */
import type { Float64Kernels } from './float64-kernels.js';
import { rotatingQl } from './implicit-ql.js';
import { secularRoot } from './secular-equation.js';

/** Halves of this size or less are solved by QL. */
const leafSize = 24;

export interface TridiagonalEigenOptions {
  /** Index of the result: rows of eigenvectors, [n, n]. */
  q: number;
  /** Index of 2 n² free values. */
  work: number;
  /** Number of rows wanted: those of the largest eigenvalues. */
  count: number;
}

/** Returns the `count` largest eigenvalues, descending, and the row of `q` that holds each one's eigenvector. */
export function tridiagonalEigen(
  kernels: Float64Kernels,
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  { q, work, count }: TridiagonalEigenOptions,
): { values: Float64Array; rows: Int32Array } {
  const n = diagonal.length;
  const d = diagonal.slice();
  kernels.values.fill(0, q, q + n * n);
  const solve = (from: number, to: number): void => {
    if (to - from <= leafSize) return solveLeaf(kernels, d, offDiagonal, { q, n, from, to });
    const middle = (from + to) >> 1;
    const coupling = offDiagonal[middle - 1];
    d[middle - 1] -= Math.abs(coupling);
    d[middle] -= Math.abs(coupling);
    solve(from, middle);
    solve(middle, to);
    merge(kernels, d, coupling, { q, n, from, middle, to, work, wanted: from === 0 && to === n ? count : n });
  };
  solve(0, n);
  const order = Int32Array.from(d.keys()).sort((a, b) => d[b] - d[a] || a - b);
  const rows = order.subarray(0, count);
  return { values: Float64Array.from(rows, (row) => d[row]), rows };
}

interface Part {
  q: number;
  n: number;
  from: number;
  to: number;
}

function solveLeaf(
  { values }: Float64Kernels,
  d: Float64Array,
  offDiagonal: Float64Array,
  { q, n, from, to }: Part,
): void {
  for (let i = from; i < to; i++) values[q + i * n + i] = 1;
  rotatingQl(d.subarray(from, to), offDiagonal.subarray(from, to - 1), (i, c, s) => {
    const upper = q + (from + i) * n;
    for (let column = from; column < to; column++) {
      const [x, y] = [values[upper + column], values[upper + n + column]];
      values[upper + n + column] = s * x + c * y;
      values[upper + column] = c * x - s * y;
    }
  });
}

/** Which half's coordinates a row of eigenvectors reaches: only the first's, both, only the second's. */
const [first, both, second] = [0, 1, 2];

/** Joins the halves [from, middle) and [middle, to), whose values are in d and whose vectors are rows of q. */
function merge(
  kernels: Float64Kernels,
  d: Float64Array,
  coupling: number,
  { q, n, from, middle, to, work, wanted }: Part & { middle: number; work: number; wanted: number },
): void {
  const { values } = kernels;
  const size = to - from;
  const rowAt = (i: number) => q + (from + i) * n + from;
  const half = middle - from;
  // z = the halves' last and first coordinates, a unit vector; ρ > 0
  const rho = 2 * Math.abs(coupling);
  const z = Float64Array.from({ length: size }, (_, i) =>
    i < half
      ? values[rowAt(i) + half - 1] * Math.SQRT1_2
      : Math.sign(coupling) * values[rowAt(i) + half] * Math.SQRT1_2,
  );
  const own = d.subarray(from, to);
  const order = Int32Array.from(own.keys()).sort((a, b) => own[a] - own[b] || a - b);
  const reach = Uint8Array.from({ length: size }, (_, i) => (i < half ? first : second));
  const { kept, dropped } = deflate(kernels, { own, z, rho, order, reach, rowAt, size });
  const k = kept.length;
  const droppedRows = dropped.map((i) => values.slice(rowAt(i), rowAt(i) + size));
  const droppedValues = dropped.map((i) => own[i]);

  const [roots, u] = solveSecular(
    Float64Array.from(kept, (i) => own[i]),
    Float64Array.from(kept, (i) => z[i]),
    rho,
  );
  // Of the last merge only the largest eigenvalues' vectors are needed: those above the wanted-th of all.
  const limit =
    wanted >= size ? Number.NEGATIVE_INFINITY : [...roots, ...droppedValues].sort((a, b) => b - a)[wanted - 1];
  const firstRoot = roots.findIndex((value) => value >= limit);
  const start = firstRoot < 0 ? k : firstRoot;

  // Rows that reach the first half, then both, then the second: each half's coordinates come from one stretch of them.
  const byReach = Int32Array.from(kept.keys()).sort((a, b) => reach[kept[a]] - reach[kept[b]] || a - b);
  const firstOnly = kept.filter((i) => reach[i] === first).length;
  const secondOnly = kept.filter((i) => reach[i] === second).length;
  const factors = work; // [k - start, k]
  const sources = work + n * n; // [k, size]
  byReach.forEach((j, column) => {
    values.copyWithin(sources + column * size, rowAt(kept[j]), rowAt(kept[j]) + size);
    for (let i = start; i < k; i++) values[factors + (i - start) * k + column] = u[i * k + j];
  });
  for (let i = 0; i < size; i++) values.fill(0, rowAt(i), rowAt(i) + size);
  const rows = k - start;
  const product = (skip: number, depth: number, column: number, columns: number) =>
    kernels.multiply(
      [rows, columns, depth],
      { start: factors + skip, stride: k },
      { start: sources + skip * size + column, stride: size },
      { start: rowAt(start) + column, stride: n },
    );
  product(0, k - secondOnly, 0, half);
  product(firstOnly, k - firstOnly, half, size - half);
  own.set(roots);
  droppedRows.forEach((row, i) => {
    own[k + i] = droppedValues[i];
    values.set(row, rowAt(k + i));
  });
}

interface Deflation {
  own: Float64Array;
  z: Float64Array;
  rho: number;
  /** Ascending in `own`. */
  order: Int32Array;
  reach: Uint8Array;
  rowAt: (i: number) => number;
  size: number;
}

/** Splits into values that take part in the secular equation, ascending and apart, and values that stay as they are. */
function deflate(
  { values }: Float64Kernels,
  { own, z, rho, order, reach, rowAt, size }: Deflation,
): { kept: number[]; dropped: number[] } {
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, Math.abs(own[i]), Math.abs(z[i]));
  const tolerance = 8 * Number.EPSILON * largest;
  const kept: number[] = [];
  const dropped: number[] = [];
  let previous = -1;
  for (const i of order) {
    if (rho * Math.abs(z[i]) <= tolerance) {
      dropped.push(i);
      continue;
    }
    if (previous >= 0) {
      const length = Math.hypot(z[i], z[previous]);
      const c = z[i] / length;
      const s = -z[previous] / length;
      const gap = own[i] - own[previous];
      if (Math.abs(gap * c * s) <= tolerance) {
        // A rotation of the two puts all of z into one of them; what it leaves off the diagonal is negligible.
        z[i] = length;
        if (reach[previous] !== reach[i]) reach[i] = both;
        const [a, b] = [rowAt(previous), rowAt(i)];
        for (let column = 0; column < size; column++) {
          const [x, y] = [values[a + column], values[b + column]];
          values[a + column] = c * x + s * y;
          values[b + column] = c * y - s * x;
        }
        const [x, y] = [own[previous], own[i]];
        own[previous] = x * c * c + y * s * s;
        own[i] = x * s * s + y * c * c;
        dropped.push(previous);
        previous = i;
        continue;
      }
      kept.push(previous);
    }
    previous = i;
  }
  if (previous >= 0) kept.push(previous);
  return { kept, dropped };
}

/**
 * Roots ascending, and their unit eigenvectors as rows [k, k]. These belong to a ẑ close to z for which the computed roots are exact
 * (Gu and Eisenstat), and so are orthogonal to rounding however close roots lie.
 */
function solveSecular(d: Float64Array, z: Float64Array, rho: number): [Float64Array, Float64Array] {
  const k = d.length;
  const u = new Float64Array(k * k);
  const roots = new Float64Array(k);
  for (let j = 0; j < k; j++) roots[j] = secularRoot(d, z, rho, j, u.subarray(j * k, (j + 1) * k));
  const exact = new Float64Array(k).fill(1);
  for (let j = 0; j < k; j++) {
    for (let i = 0; i < k; i++) exact[i] *= i === j ? u[j * k + i] : u[j * k + i] / (d[i] - d[j]);
  }
  for (let i = 0; i < k; i++) exact[i] = Math.sqrt(Math.max(0, -exact[i])) * (z[i] < 0 ? -1 : 1);
  for (let j = 0; j < k; j++) {
    const row = u.subarray(j * k, (j + 1) * k);
    let sum = 0;
    for (let i = 0; i < k; i++) {
      row[i] = exact[i] / row[i];
      sum += row[i] * row[i];
    }
    const scale = 1 / Math.sqrt(sum);
    for (let i = 0; i < k; i++) row[i] *= scale;
  }
  return [roots, u];
}
