import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { expect, test } from 'vitest';
import { CovarianceAccumulator } from '../../src/linear/pca.js';
import { learnPrincipalFeatures } from '../../src/linear/principal-features.js';
import { learnZcaWhitening } from '../../src/linear/zca.js';
import { lowRank, unitRows } from '../support/low-rank.js';

const [rows, channels, span] = [70, 24, 9];
const matrix = unitRows(lowRank(rows, channels, span));

function accumulated(): CovarianceAccumulator {
  const accumulator = new CovarianceAccumulator(channels);
  accumulator.add(Float32Array.from(matrix.to1DArray()));
  return accumulator;
}

test('ZCA of rows that vary in fewer directions than channels: the square root of the pseudo-inverse, by ml-matrix', () => {
  const { components, dimension, warnings } = learnZcaWhitening(accumulated());
  expect(dimension).toBe(channels);
  expect(warnings).toEqual([
    `70 vectors to learn from, which vary in ${span} directions and not in 24: the whitening keeps ${span}.`,
  ]);
  const centred = matrix.clone().center('column');
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(
    centred.transpose().mmul(centred).div(rows),
    { assumeSymmetric: true },
  );
  const largest = Math.max(...realEigenvalues);
  const roots = realEigenvalues.map((value) => (value > 1e-12 * largest ? 1 / Math.sqrt(value) : 0));
  expect(roots.filter((root) => root > 0).length).toBe(span);
  const expected = eigenvectorMatrix.mmul(Matrix.diag(roots)).mmul(eigenvectorMatrix.transpose()).to1DArray();
  const size = Math.max(...expected.map(Math.abs));
  expected.forEach((value, i) => expect(Math.abs(components[i] - value) / size).toBeLessThan(1e-5));
});

test('the published floor keeps directions without variance, and that is said', () => {
  const { warnings } = learnZcaWhitening(accumulated(), { floor: 'published' });
  expect(warnings.at(-1)).toMatch(/1e-18 keeps 15 directions in which the vectors do not vary/);
});

test('equal rows have nothing to whiten or to choose by', () => {
  const equal = new CovarianceAccumulator(3);
  equal.add(new Float32Array(12).fill(0.3));
  expect(() => learnZcaWhitening(equal)).toThrow(/all region vectors are equal/);
  const options = { dimension: 2, eigenvectors: 'below-dimension', absolute: true, seed: 0 } as const;
  expect(() => learnPrincipalFeatures(equal, options)).toThrow(/all vectors are equal/);
});
