import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteCache } from '../../src/train/prefix-cache.js';
import { RandomStream } from '../../src/train/random.js';

test('the least recently used entry leaves first', () => {
  const cache = new ByteCache<string>(30);
  cache.set('a', 'A', 10);
  cache.set('b', 'B', 10);
  cache.set('c', 'C', 10);
  cache.get('a');
  cache.set('d', 'D', 10);
  expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual(['A', undefined, 'C', 'D']);
});

test('the bound holds whatever is stored, and what is found is what was stored last', () => {
  const operation = fc.tuple(
    fc.constantFrom('set', 'get', 'delete'),
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.integer({ min: 1, max: 60 }),
  );
  fc.assert(
    fc.property(fc.array(operation), (operations) => {
      const cache = new ByteCache<number>(100);
      const last = new Map<string, number>();
      for (const [kind, key, bytes] of operations) {
        if (kind === 'set') {
          cache.set(key, bytes, bytes);
          last.set(key, bytes);
        } else if (kind === 'delete') {
          cache.delete(key);
          last.delete(key);
        } else expect([undefined, last.get(key)]).toContain(cache.get(key));
        expect(cache.bytes).toBeLessThanOrEqual(100);
        const held = ['a', 'b', 'c', 'd'].filter((k) => cache.has(k)).map((k) => last.get(k) as number);
        expect(cache.bytes).toBe(held.reduce((a, b) => a + b, 0));
      }
    }),
  );
});

test('one entry larger than the bound is not kept and costs no other', () => {
  const cache = new ByteCache<string>(10);
  cache.set('a', 'A', 5);
  cache.set('huge', 'H', 11);
  expect(cache.has('huge')).toBe(false);
  expect(cache.has('a')).toBe(true);
});

test.each([
  ['first', 0.5],
  ['recent', 0.156],
] as const)('epochs in random order with room for half of the images: %s finds %d of later reads', (keep, expected) => {
  const cache = new ByteCache<number>(100, keep);
  const random = new RandomStream(1);
  let [reads, found] = [0, 0];
  for (let epoch = 0; epoch < 40; epoch++) {
    for (const image of random.shuffle(Array.from({ length: 200 }, (_, i) => i))) {
      const hit = cache.get(`${image}`) !== undefined;
      if (!hit) cache.set(`${image}`, image, 1);
      if (epoch > 0) reads++;
      if (epoch > 0 && hit) found++;
      expect(cache.bytes).toBeLessThanOrEqual(100);
    }
  }
  expect(Math.abs(found / reads - expected)).toBeLessThan(0.02);
});

test('first: what is deleted makes room', () => {
  const cache = new ByteCache<string>(2, 'first');
  cache.set('a', 'A', 1);
  cache.set('b', 'B', 1);
  cache.set('c', 'C', 1);
  expect([cache.has('a'), cache.has('b'), cache.has('c')]).toEqual([true, true, false]);
  cache.set('b', 'B2', 1);
  expect(cache.get('b')).toBe('B2');
  cache.delete('a');
  cache.set('c', 'C', 1);
  expect([cache.has('c'), cache.bytes]).toEqual([true, 2]);
});
