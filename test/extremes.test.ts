import { expect, test } from 'vitest';
import { append, largest, lengthOf, smallest } from '../src/extremes.js';

test('extremes and length of more values than a call takes arguments', () => {
  const values = Float64Array.from({ length: 300_000 }, (_, i) => ((i * 7919) % 300_007) - 150_000);
  const sorted = values.toSorted();
  expect(largest(values)).toBe(sorted.at(-1));
  expect(smallest(values)).toBe(sorted[0]);
  expect(lengthOf(new Float32Array(250_000).fill(2))).toBe(1000);
  const list = [0];
  append(list, values);
  expect(list.length).toBe(300_001);
});

test('of none, and with NaN, as Math.max and Math.min', () => {
  expect([largest([]), smallest([]), lengthOf([])]).toEqual([Math.max(), Math.min(), 0]);
  expect([largest([1, Number.NaN, 2]), smallest([1, Number.NaN, 2])]).toEqual([Number.NaN, Number.NaN]);
});
