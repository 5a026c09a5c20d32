import { expect, test } from 'vitest';
import { categoryNames, renderCategory } from '../../src/synthetic/categories.js';

test('there are at least 40 categories, and every one draws something', () => {
  expect(categoryNames.length).toBeGreaterThanOrEqual(40);
  expect(new Set(categoryNames).size).toBe(categoryNames.length);
  categoryNames.forEach((name, category) => {
    const { data, width, height } = renderCategory(category, 1, 48);
    expect([width, height, data.length], name).toEqual([48, 48, 48 * 48 * 3]);
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length);
    expect(deviation, name).toBeGreaterThan(3);
  });
});

test('equal arguments give equal pixels; another seed another picture', () => {
  expect(renderCategory(30, 5, 64)).toEqual(renderCategory(30, 5, 64));
  expect(renderCategory(30, 6, 64).data).not.toEqual(renderCategory(30, 5, 64).data);
});

test('an unknown category names the range', () => {
  expect(() => renderCategory(categoryNames.length, 1)).toThrow(/from 0 to/);
  expect(() => renderCategory(0.5, 1)).toThrow(RangeError);
});
