import { expect, test } from 'vitest';
import { learningRateAt, type ScheduleOptions } from '../../src/train/schedule.js';

const base: ScheduleOptions = { learningRate: 0.8, kind: 'constant', every: 10, factor: 0.5, warmup: 0, steps: 100 };

test('constant stays, step falls by its factor', () => {
  expect(learningRateAt(99, base)).toBe(0.8);
  // 0.8, then 0.8 · 0.5 from the 11th update on, then 0.8 · 0.25.
  expect([0, 9, 10, 20].map((done) => learningRateAt(done, { ...base, kind: 'step' }))).toEqual([0.8, 0.8, 0.4, 0.2]);
});

test('cosine goes from the rate over its half to zero', () => {
  const rates = [0, 50, 100].map((done) => learningRateAt(done, { ...base, kind: 'cosine' }));
  expect(rates[0]).toBe(0.8);
  expect(rates[1]).toBeCloseTo(0.4, 12);
  expect(rates[2]).toBeCloseTo(0, 12);
});

test('warm-up rises linearly to the rate', () => {
  expect([0, 1, 3, 4].map((done) => learningRateAt(done, { ...base, warmup: 4 }))).toEqual([0.2, 0.4, 0.8, 0.8]);
});

test('exponential passes through the steps, linear goes to zero', () => {
  const at = (kind: ScheduleOptions['kind'], done: number) => learningRateAt(done, { ...base, kind });
  expect([0, 10, 20].map((done) => at('exponential', done))).toEqual([0.8, 0.4, 0.2]);
  expect(at('exponential', 5)).toBeCloseTo(0.8 * Math.SQRT1_2, 12);
  expect([0, 50, 100].map((done) => at('linear', done))).toEqual([0.8, 0.4, 0]);
});
