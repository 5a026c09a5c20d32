/**
 * @file Extremes and length of as many numbers as there are: `Math.max(...values)` fails at about 120,000 of them, which a lint rule
 * (scripts/lint) therefore refuses.
 */

/** The largest value; -Infinity of none, NaN where one is. */
export function largest(values: Iterable<number>): number {
  let result = Number.NEGATIVE_INFINITY;
  for (const value of values) result = Math.max(result, value);
  return result;
}

/** The smallest value; Infinity of none, NaN where one is. */
export function smallest(values: Iterable<number>): number {
  let result = Number.POSITIVE_INFINITY;
  for (const value of values) result = Math.min(result, value);
  return result;
}

/** Euclidean length of a vector. */
export function lengthOf(vector: Iterable<number>): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}

/** Adds `items` to the end of `list`. */
export function append<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
