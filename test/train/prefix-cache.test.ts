import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteCache } from '../../src/train/prefix-cache.js';

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
