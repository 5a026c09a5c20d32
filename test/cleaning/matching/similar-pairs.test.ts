import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { aggregateFeatures, learnVocabulary } from '../../../src/cleaning/features/aggregate-features.js';
import type { Features } from '../../../src/cleaning/features/features.js';
import { similarPairs } from '../../../src/cleaning/matching/similar-pairs.js';

test('each image chooses its nearest allowed ones; a pair is listed once', () => {
  const at = (degrees: number) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const data = Float32Array.from([0, 10, 11, 90, 95].flatMap(at));
  const all = () => true;
  expect(similarPairs({ data, dimension: 2 }, { neighbours: 1, allowed: all })).toEqual([
    [0, 1],
    [1, 2],
    [3, 4],
  ]);
  const apart = (a: number, b: number) => a < 3 !== b < 3;
  expect(similarPairs({ data, dimension: 2 }, { neighbours: 1, allowed: apart })).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
    [2, 4],
  ]);
});

test('the same as sorting all, rows without a descriptor left out', () => {
  const value = fc.integer({ min: -4, max: 4 });
  const rows = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 5 }), (list, neighbours) => {
      const allowed = (a: number, b: number) => (a + b) % 3 !== 0;
      const empty = (i: number) => list[i].every((v) => v === 0);
      const dot = (i: number, j: number) => list[i].reduce((sum, v, d) => sum + v * list[j][d], 0);
      const expected = new Set<string>();
      for (const i of list.keys()) {
        if (empty(i)) continue;
        const others = [...list.keys()].filter((j) => j !== i && !empty(j) && allowed(i, j));
        others.sort((x, y) => dot(i, y) - dot(i, x) || x - y);
        for (const j of others.slice(0, neighbours)) expected.add(`${Math.min(i, j)} ${Math.max(i, j)}`);
      }
      const found = similarPairs({ data: Float32Array.from(list.flat()), dimension: 3 }, { neighbours, allowed });
      expect(new Set(found.map(([a, b]) => `${a} ${b}`))).toEqual(expected);
      expect(found.length).toBe(expected.size);
    }),
  );
});

/** Features with descriptors around the given centres. */
function around(centres: number[], seed: number): Features {
  const count = centres.length * 10;
  const descriptors = Uint8Array.from({ length: count * 128 }, (_, i) => {
    const centre = centres[Math.floor(i / 128) % centres.length];
    return (d(centre, i % 128) * 200 + ((i * 31 + seed * 17) % 9)) % 256;
  });
  return {
    count,
    frames: new Float32Array(count * 6),
    responses: new Float32Array(count),
    descriptors,
    width: 9,
    height: 9,
  };
}
const d = (centre: number, k: number) => (k % 8 === centre ? 1 : 0);

test("the vocabulary finds separate heaps, and images of the same heaps are each other's neighbours", () => {
  const images = [around([0, 1], 1), around([2, 3], 2), around([0, 1], 3), around([2, 3], 4), around([], 0)];
  const sample = new Uint8Array(Buffer.concat(images.map(({ descriptors }) => descriptors)));
  const vocabulary = learnVocabulary(sample, { words: 4, seed: 3 });
  const rows = images.map((image) => aggregateFeatures(image, vocabulary));
  for (const row of rows.slice(0, 4)) expect(Math.hypot(...row)).toBeCloseTo(1, 5);
  expect(Math.hypot(...rows[4])).toBe(0);
  const data = new Float32Array(rows.length * vocabulary.length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  expect(similarPairs({ data, dimension: vocabulary.length }, { neighbours: 1, allowed: () => true })).toEqual([
    [0, 2],
    [1, 3],
  ]);
});

test('with fewer descriptors than words, and with none', () => {
  expect(learnVocabulary(new Uint8Array(128 * 3), { words: 8 }).length).toBe(128 * 3);
  const none = learnVocabulary(new Uint8Array(0));
  expect(none.length).toBe(0);
  expect(aggregateFeatures(around([1], 1), none).length).toBe(0);
});
