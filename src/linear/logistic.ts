/** @file The probability that a row is of one of two kinds, by a logistic regression. */

/** The probability of a row is `sigmoid(intercept + weights . row)`. */
export interface LogisticModel {
  intercept: number;
  weights: number[];
}

/** Of a row [D], by a model that was fitted. */
export function logisticProbability({ intercept, weights }: LogisticModel, row: readonly number[]): number {
  return sigmoid(row.reduce((sum, value, d) => sum + weights[d] * value, intercept));
}

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
