/** @file Logistic regression on few values. */
import { type LogisticModel, sigmoid } from './logistic.js';
import { symmetricEigen } from './symmetric-eigen.js';

/** Of a weight on values of unit deviation, for each row: small enough to follow the rows, and finite where a plane separates the kinds. */
const ridge = 0.01;
/** Each closes at least a ridge's share of what is left. */
const iterations = 500;

/** Fits `positive` against `negative` rows, as if there were as many of one kind as of the other. Rows [N][D], at least one of each kind. */
export function fitLogistic(positive: readonly number[][], negative: readonly number[][]): LogisticModel {
  const rows = [...positive, ...negative];
  const means = columnMeans(rows);
  const deviations = columnMeans(rows.map((row) => row.map((value, d) => (value - means[d]) ** 2))).map(
    (variance) => Math.sqrt(variance) || 1,
  );
  const size = means.length + 1;
  // The last value belongs to the intercept.
  const points = rows.map((row) => [...row.map((value, d) => (value - means[d]) / deviations[d]), 1]);
  const weightOf = (i: number) => 0.5 / (i < positive.length ? positive.length : negative.length);
  const penalties = points[0].map((_, d) => (d < size - 1 ? ridge : 0));
  // The curvature is at most a quarter of this everywhere (Böhning, 1992), so that no step goes too far.
  const bound = new Float64Array(size * size);
  for (const [i, point] of points.entries()) {
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) bound[a * size + b] += 0.25 * weightOf(i) * point[a] * point[b];
    }
  }
  for (let d = 0; d < size; d++) bound[d * size + d] += penalties[d];
  const { values, vectors } = symmetricEigen(bound, size);
  const solution = new Float64Array(size);
  for (let step = 0; step < iterations; step++) {
    const slope = penalties.map((penalty, d) => -penalty * solution[d]);
    for (const [i, point] of points.entries()) {
      const missing = (i < positive.length ? 1 : 0) - sigmoid(dot(point, solution));
      for (let d = 0; d < size; d++) slope[d] += weightOf(i) * missing * point[d];
    }
    for (let k = 0; k < size; k++) {
      const vector = vectors.subarray(k * size, (k + 1) * size);
      const along = dot(vector, slope) / values[k];
      for (let d = 0; d < size; d++) solution[d] += along * vector[d];
    }
  }
  const weights = means.map((_, d) => solution[d] / deviations[d]);
  return { intercept: solution[size - 1] - dot(weights, means), weights };
}

function columnMeans(rows: readonly (readonly number[])[]): number[] {
  return rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d], 0) / rows.length);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
  return sum;
}
