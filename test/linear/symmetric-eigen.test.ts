import * as fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { symmetricEigen } from '../../src/linear/symmetric-eigen.js';

function symmetric(n: number, value: (i: number, j: number) => number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[i * n + j] = value(Math.max(i, j), Math.min(i, j));
  return matrix;
}

/** A v = λ v and VᵀV = I, relative to the size of the matrix. */
function expectEigenPairs(matrix: Float64Array, n: number, count = n): Float64Array {
  const { values, vectors } = symmetricEigen(matrix, n, count);
  expect(values.length).toBe(Math.min(n, count));
  const scale = Math.max(1e-300, ...matrix.map(Math.abs));
  let worst = 0;
  for (let k = 0; k < values.length; k++) {
    if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]);
    const v = vectors.subarray(k * n, (k + 1) * n);
    for (let i = 0; i < n; i++) {
      let product = 0;
      for (let j = 0; j < n; j++) product += matrix[i * n + j] * v[j];
      worst = Math.max(worst, Math.abs(product - values[k] * v[i]) / scale);
    }
    for (let l = 0; l <= k; l++) {
      let overlap = 0;
      for (let i = 0; i < n; i++) overlap += vectors[l * n + i] * v[i];
      worst = Math.max(worst, Math.abs(overlap - (l === k ? 1 : 0)));
    }
  }
  expect(worst).toBeLessThan(1e-12 * n);
  return values;
}

describe('symmetricEigen', () => {
  test('2 x 2 by hand: [[2, 1], [1, 2]] has 3 with (1, 1)/√2 and 1 with (1, -1)/√2', () => {
    const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2);
    expect(values[0]).toBeCloseTo(3, 14);
    expect(values[1]).toBeCloseTo(1, 14);
    expect(vectors[0]).toBeCloseTo(Math.SQRT1_2, 14);
    expect(vectors[1]).toBeCloseTo(Math.SQRT1_2, 14);
    expect(vectors[2] * vectors[3]).toBeCloseTo(-0.5, 14);
  });

  test.each([1, 2, 3, 7, 40, 201])('eigenvalues of an n x n matrix equal ml-matrix, n = %i', (n) => {
    const matrix = symmetric(n, (i, j) => Math.sin(3 * i + 5 * j + i * j));
    const rows = Array.from({ length: n }, (_, i) => [...matrix.subarray(i * n, (i + 1) * n)]);
    const expected = new EigenvalueDecomposition(new Matrix(rows), { assumeSymmetric: true }).realEigenvalues;
    const values = expectEigenPairs(matrix, n);
    expected.toSorted((a, b) => b - a).forEach((value, k) => expect(values[k]).toBeCloseTo(value, 10));
  });

  test('equal eigenvalues still give orthonormal vectors', () => {
    expectEigenPairs(
      symmetric(12, (i, j) => (i === j ? 1 : 0)),
      12,
    );
    expectEigenPairs(
      symmetric(12, () => 1),
      12,
    ); // rank one: 12 and eleven zeros
    expectEigenPairs(
      symmetric(12, () => 0),
      12,
    );
    // two equal blocks: every eigenvalue twice
    expectEigenPairs(
      symmetric(12, (i, j) => (i < 6 === j < 6 ? 1 / (1 + (i % 6) + (j % 6)) : 0)),
      12,
    );
  });

  test('many equal and nearly equal eigenvalues, where most of a merge drops out', () => {
    const n = 130;
    // Wilkinson's W₁₃₁ without its last row: pairs that agree to more than machine precision
    const wilkinson = (i: number, j: number) => (i === j ? Math.abs(i - 65) : i === j + 1 ? 1 : 0);
    expectEigenPairs(symmetric(n, wilkinson), n);
    // copies of one small block, barely coupled
    const glued = (i: number, j: number) => (i === j + 1 ? (i % 13 === 0 ? 1e-14 : 1) : i === j ? i % 13 : 0);
    expectEigenPairs(symmetric(n, glued), n);
    // rank one plus a multiple of I, and all zeros off a split diagonal
    expectEigenPairs(
      symmetric(n, (i, j) => (i + 1) * (j + 1) * 1e-4 + (i === j ? 3 : 0)),
      n,
    );
    expectEigenPairs(
      symmetric(n, (i, j) => (i === j ? i % 3 : 0)),
      n,
    );
  });

  test('tridiagonals with a known spectrum: 2 cos(kπ / (n + 1))', () => {
    const n = 150;
    const values = expectEigenPairs(
      symmetric(n, (i, j) => (i === j + 1 ? 1 : 0)),
      n,
    );
    values.forEach((value, k) =>
      expect(Math.abs(value - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)))).toBeLessThan(1e-13),
    );
  });

  test('large and small matrices: 1e150 and 1e-150 times a matrix scale its eigenvalues', () => {
    const entry = (i: number, j: number) => Math.cos(3 * i - j * j);
    const { values } = symmetricEigen(symmetric(30, entry), 30);
    for (const factor of [1e150, 1e-150]) {
      const scaled = symmetricEigen(
        symmetric(30, (i, j) => factor * entry(i, j)),
        30,
      );
      scaled.values.forEach((value, k) => expect(Math.abs(value / factor - values[k])).toBeLessThan(1e-12));
    }
  });

  test('graded spectra over twelve orders of magnitude', () => {
    expectEigenPairs(
      symmetric(20, (i, j) => (i === j ? 10 ** (-0.6 * i) : 1e-9 * Math.cos(i * j))),
      20,
    );
  });

  test('any small symmetric matrix, integers and zeros included', () => {
    const entries = fc
      .integer({ min: 1, max: 9 })
      .chain((n) =>
        fc.tuple(fc.constant(n), fc.array(fc.integer({ min: -3, max: 3 }), { minLength: n * n, maxLength: n * n })),
      );
    fc.assert(
      fc.property(entries, ([n, list]) => {
        expectEigenPairs(
          symmetric(n, (i, j) => list[i * n + j]),
          n,
        );
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test('the first vectors do not depend on how many are asked for, and runs are identical', () => {
    const n = 30;
    const matrix = symmetric(n, (i, j) => Math.cos(i - 2 * j));
    expectEigenPairs(matrix, n, 4);
    const some = symmetricEigen(matrix, n, 4);
    const all = symmetricEigen(matrix, n);
    expect(some.vectors).toEqual(all.vectors.subarray(0, 4 * n));
    const large = symmetric(140, (i, j) => Math.cos(i - 2 * j));
    expectEigenPairs(large, 140, 37);
    expect(symmetricEigen(matrix, n)).toEqual(all);
  });

  test('the largest entry of every vector is positive', () => {
    const n = 9;
    const { vectors } = symmetricEigen(
      symmetric(n, (i, j) => Math.sin(i + j * j)),
      n,
    );
    for (let k = 0; k < n; k++) {
      const v = vectors.subarray(k * n, (k + 1) * n);
      const largest = v.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
      expect(largest).toBeGreaterThan(0);
    }
  });

  test('values that are not finite are refused', () => {
    expect(() => symmetricEigen(Float64Array.of(1, Number.NaN, Number.NaN, 1), 2)).toThrow(/not finite/);
  });
});
