import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ranksOfPositives } from '../../src/retrieval/average-precision.js';
import { positiveRanks, rankedItems } from '../../src/retrieval/ranking.js';
import { plainSimilarity } from '../../src/linear/rows.js';

test('plainSimilarity: dot products of every query row with every database row', async () => {
  // 70 rows: more than one tile, and a tail that is no multiple of four
  const dimension = 5;
  const rows = 70;
  const data = Float32Array.from({ length: rows * dimension }, (_, i) => Math.sin(i));
  const queries = Float32Array.from({ length: 3 * dimension }, (_, i) => Math.cos(i));
  const similarities = await plainSimilarity({ dimension, data })(queries);
  expect(similarities.length).toBe(3 * rows);
  for (let q = 0; q < 3; q++) {
    for (let n = 0; n < rows; n++) {
      let sum = 0;
      for (let i = 0; i < dimension; i++) sum += queries[q * dimension + i] * data[n * dimension + i];
      expect(similarities[q * rows + n]).toBeCloseTo(sum, 6);
    }
  }
});

test('rankedItems: best first, ties in database order', () => {
  expect([...rankedItems(Float32Array.of(0.2, 0.9, 0.2, 0.9, 0.5))]).toEqual([1, 3, 4, 0, 2]);
  expect([...rankedItems(Float32Array.of(0.2, 0.9, 0.2), 2)]).toEqual([1, 0]);
});

test('positiveRanks equals sorting the whole list, with ties and junk', () => {
  const item = fc.record({
    similarity: fc.integer({ min: -2, max: 2 }), // few values: many ties
    label: fc.constantFrom('positive', 'negative', 'junk'),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 80 }), (items) => {
      const similarities = Float32Array.from(items, ({ similarity }) => similarity);
      const of = (label: string) => new Set(items.flatMap((entry, i) => (entry.label === label ? [i] : [])));
      const expected = ranksOfPositives(rankedItems(similarities), of('positive'), of('junk'));
      expect([...positiveRanks(similarities, of('positive'), of('junk'))]).toEqual(expected);
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('positiveRanks: junk wins over positive', () => {
  // item 0 is both; only item 2 remains: one negative (1) before it
  expect([...positiveRanks(Float32Array.of(3, 2, 1), [0, 2], new Set([0]))]).toEqual([1]);
});

test('rankedItems: the first of the whole order, with ties', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 60 }), fc.nat({ max: 70 }), (values, limit) => {
      const similarities = Float32Array.from(values);
      expect([...rankedItems(similarities, limit)]).toEqual([...rankedItems(similarities)].slice(0, limit));
    }),
    { seed: 4, numRuns: 300 },
  );
});
