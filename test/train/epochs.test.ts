import { describe, expect, test } from 'vitest';
import { ClassSampler } from '../../src/train/epochs.js';
import { RandomStream } from '../../src/train/random.js';

const always = () => true;

describe('natural sampling', () => {
  const labels = Int32Array.of(0, 0, 0, 1, 1, 2, 2);
  const take = (sampler: ClassSampler, random: RandomStream, count: number, usable: (i: number) => boolean = always) =>
    Array.from({ length: count }, () => sampler.next(random, usable));

  test('every image comes once per epoch, in another order each time', () => {
    const epochs = take(new ClassSampler(labels, 'natural', undefined), new RandomStream(3), 21);
    const orders = [0, 7, 14].map((from) => epochs.slice(from, from + 7));
    for (const order of orders) expect(new Set(order)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    expect(new Set(orders.map(String)).size).toBe(3);
  });

  test.each([0, 1, 5, 7, 8])('continued after %i images, the order is the same', (stop) => {
    const whole = take(new ClassSampler(labels, 'natural', undefined), new RandomStream(3), 20);
    const random = new RandomStream(3);
    const first = new ClassSampler(labels, 'natural', undefined);
    const before = take(first, random, stop);
    const stored = structuredClone({ position: first.position, random: random.state() });
    const second = new ClassSampler(labels, 'natural', stored.position);
    expect([...before, ...take(second, new RandomStream(stored.random), 20 - stop)]).toEqual(whole);
  });

  test('images that cannot be used are passed over; with none left there is no next one', () => {
    const random = new RandomStream(1);
    const sampler = new ClassSampler(labels, 'natural', undefined);
    expect(new Set(take(sampler, random, 12, (i) => i === 2 || i === 6))).toEqual(new Set([2, 6]));
    expect(sampler.next(random, () => false)).toBeUndefined();
  });
});

describe('balanced sampling', () => {
  test('classes of 1, 10 and 89 images come equally often, and the images of a class too', () => {
    const labels = Int32Array.from({ length: 100 }, (_, i) => (i < 1 ? 0 : i < 11 ? 1 : 2));
    const random = new RandomStream(5);
    const sampler = new ClassSampler(labels, 'balanced', undefined);
    const draws = 30_000;
    const byImage = new Int32Array(100);
    for (let i = 0; i < draws; i++) byImage[sampler.next(random, always)!]++;
    const classCounts = [0, 1, 2].map((label) =>
      byImage.reduce((n, count, i) => n + (labels[i] === label ? count : 0), 0),
    );
    // Five standard deviations of a binomial count.
    const within = (count: number, share: number) =>
      expect(Math.abs(count - draws * share)).toBeLessThan(5 * Math.sqrt(draws * share * (1 - share)));
    for (const count of classCounts) within(count, 1 / 3);
    for (let i = 1; i < 11; i++) within(byImage[i], 1 / 30);
    for (let i = 11; i < 100; i++) within(byImage[i], 1 / 267);
  });

  test('a class without a usable image is left out', () => {
    const labels = Int32Array.of(0, 0, 1, 1, 2);
    const random = new RandomStream(5);
    const sampler = new ClassSampler(labels, 'balanced', undefined);
    const seen = Array.from({ length: 200 }, () => sampler.next(random, (i) => i !== 4 && i !== 0));
    expect(new Set(seen)).toEqual(new Set([1, 2, 3]));
    expect(sampler.next(random, () => false)).toBeUndefined();
  });
});
