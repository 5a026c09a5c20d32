/** @file Comparing numbers with a tolerance that fails on NaN, infinities and different lengths. */
import { expect } from 'vitest';

type Numbers = ArrayLike<number>;

export interface Tolerance {
  /** Allowed |actual - expected| whatever the size. Default 1e-5. */
  absolute?: number;
  /** Allowed |actual - expected| / |expected|. Default 1e-5. */
  relative?: number;
}

/** Fails with the first element that is not finite or is further from `expected` than absolute + relative * |expected|. */
export function expectClose(
  actual: Numbers | number,
  expected: Numbers | number,
  { absolute = 1e-5, relative = 1e-5 }: Tolerance = {},
): void {
  const a = typeof actual === 'number' ? [actual] : Array.from(actual);
  const e = typeof expected === 'number' ? [expected] : Array.from(expected);
  expect(a.length, 'number of values').toBe(e.length);
  for (const [i, value] of a.entries()) {
    const near = Number.isFinite(value) && Math.abs(value - e[i]) <= absolute + relative * Math.abs(e[i]);
    if (!near) expect.fail(`element ${i}: ${value}, ${e[i]} expected (of ${a.length})`);
  }
}

/** |actual - expected| / |expected| over whole vectors: the measure that does not mind a ReLU flipping at zero. */
export function relativeDistance(actual: Numbers, expected: Numbers): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Cosine of the angle between two vectors. */
export function cosine(a: Numbers, b: Numbers): number {
  expect(a.length).toBe(b.length);
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
