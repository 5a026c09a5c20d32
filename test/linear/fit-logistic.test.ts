import { expect, test } from 'vitest';
import { fitLogistic } from '../../src/linear/fit-logistic.js';
import { logisticProbability } from '../../src/linear/logistic.js';

/** Rows of three values around `centre`, the last one always the same. */
const rowsAround = (centre: number, count: number) =>
  Array.from({ length: count }, (_, i) => [centre + Math.sin(3 * i), 100 * Math.cos(5 * i) - 20 * centre, 7]);
const positive = rowsAround(0.8, 90);
const negative = rowsAround(-0.4, 30);

/** The cost that is to be smallest: each kind weighs a half, ridge 0.01 on weights for values of unit deviation. */
function cost(intercept: number, weights: readonly number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const probability = (row: number[]) =>
    1 / (1 + Math.exp(-(intercept + row.reduce((sum, value, d) => sum + value * weights[d], 0))));
  const rows = [...positive, ...negative];
  const penalty = weights.reduce((sum, weight, d) => {
    const centre = mean(rows.map((row) => row[d]));
    return sum + weight ** 2 * mean(rows.map((row) => (row[d] - centre) ** 2));
  }, 0);
  return (
    -0.5 * mean(positive.map((row) => Math.log(probability(row)))) -
    0.5 * mean(negative.map((row) => Math.log(1 - probability(row)))) +
    0.005 * penalty
  );
}

test('the smallest cost: no weight changed a little has a smaller one', () => {
  const { intercept, weights } = fitLogistic(positive, negative);
  expect(weights[2]).toBe(0);
  const least = cost(intercept, weights);
  const steps = [1e-3, 1e-3, 1e-5];
  for (const sign of [-1, 1]) {
    expect(cost(intercept + sign * steps[0], weights)).toBeGreaterThan(least);
    expect(cost(intercept, [weights[0] + sign * steps[1], weights[1], 0])).toBeGreaterThan(least);
    expect(cost(intercept, [weights[0], weights[1] + sign * steps[2], 0])).toBeGreaterThan(least);
  }
});

test('kinds that a plane separates have finite weights, and probabilities near 0 and 1', () => {
  const model = fitLogistic([[3], [4], [5]], [[-3], [-4], [-5], [-6]]);
  expect(Number.isFinite(model.weights[0])).toBe(true);
  expect(logisticProbability(model, [3])).toBeGreaterThan(0.9);
  expect(logisticProbability(model, [-3])).toBeLessThan(0.1);
});
