import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TopK } from '../../src/retrieval/top-k.js';

test('the first k of a stable sort of everything, in any portions, with ties, infinities and a row left out', () => {
  const score = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom(Infinity, -Infinity));
  const portions = fc.array(fc.array(score, { maxLength: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(portions, fc.integer({ min: 0, max: 30 }), fc.integer({ min: -1, max: 40 }), (parts, k, skip) => {
      const best = new TopK(2, k);
      let first = 0;
      for (const part of parts) {
        best.offer(1, Float32Array.from(part), first, skip);
        first += part.length;
      }
      const all = parts.flat().map((value, row) => ({ value, row }));
      // Array.prototype.sort is stable
      const expected = all
        .filter(({ row }) => row !== skip)
        .toSorted((a, b) => (a.value === b.value ? 0 : b.value > a.value ? 1 : -1))
        .slice(0, k);
      const { rows, similarities } = best.finish();
      const missing = k - expected.length;
      expect([...rows.subarray(k)]).toEqual([...expected.map(({ row }) => row), ...Array(missing).fill(-1)]);
      expect([...similarities.subarray(k)]).toEqual([
        ...expected.map(({ value }) => value),
        ...Array(missing).fill(-Infinity),
      ]);
      // the other query was offered nothing
      expect([...rows.subarray(0, k)]).toEqual(Array(k).fill(-1));
    }),
    { seed: 5, numRuns: 500 },
  );
});
