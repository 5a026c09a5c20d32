import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Features } from '../../../src/cleaning/features/features.js';
import { matchFeatures, nearestTwo } from '../../../src/cleaning/matching/matching.js';

/** Features of given descriptors; matching reads nothing else. */
function described(descriptors: Uint8Array): Features {
  const count = descriptors.length / 128;
  return {
    count,
    descriptors,
    frames: new Float32Array(6 * count),
    responses: new Float32Array(count),
    width: 640,
    height: 480,
  };
}

/** Whole rows of bytes; few different values make ties and equal rows common. */
const rows = (options: { minLength: number; maxLength: number }) =>
  fc
    .array(
      fc.tuple(fc.nat(), fc.constantFrom(1, 3, 255)).map(([seed, values]) => {
        let state = seed >>> 0;
        return Array.from({ length: 128 }, () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return (state >>> 16) % (values + 1);
        });
      }),
      options,
    )
    .map((list) => Uint8Array.from(list.flat()));

/** Squared distances of every pair, by definition. */
function squaredDistances(a: Uint8Array, b: Uint8Array): number[][] {
  return Array.from({ length: a.length / 128 }, (_, i) =>
    Array.from({ length: b.length / 128 }, (__, j) => {
      let sum = 0;
      for (let k = 0; k < 128; k++) sum += (a[128 * i + k] - b[128 * j + k]) ** 2;
      return sum;
    }),
  );
}

test('nearestTwo: the two nearest by definition, the first of equals, for any number of rows', () => {
  fc.assert(
    fc.property(rows({ minLength: 1, maxLength: 21 }), rows({ minLength: 2, maxLength: 70 }), (a, b) => {
      const { nearest, best, second } = nearestTwo(a, b);
      squaredDistances(a, b).forEach((distances, i) => {
        const sorted = distances.toSorted((x, y) => x - y);
        expect([nearest[i], best[i], second[i]]).toEqual([distances.indexOf(sorted[0]), sorted[0], sorted[1]]);
      });
    }),
    { numRuns: 60 },
  );
});

test('nearestTwo: bytes at both ends of their range do not overflow', () => {
  const [black, white] = [new Uint8Array(128), new Uint8Array(128).fill(255)];
  const { nearest, best, second } = nearestTwo(white, Uint8Array.from([...black, ...white]));
  expect([nearest[0], best[0], second[0]]).toEqual([1, 0, 128 * 255 * 255]);
});

test('matchFeatures: ratio, mutual and unique by their definitions', () => {
  fc.assert(
    fc.property(
      rows({ minLength: 1, maxLength: 20 }),
      rows({ minLength: 2, maxLength: 40 }),
      fc.constantFrom(0.7, 0.9, 1),
      fc.boolean(),
      fc.boolean(),
      (a, b, ratio, mutual, unique) => {
        const distances = squaredDistances(a, b);
        let expected = distances.map((row, i) => {
          const [best, second] = row.toSorted((x, y) => x - y);
          const j = row.indexOf(best);
          const column = distances.map((other) => other[j]);
          const backIsI = column.indexOf(Math.min(...column)) === i;
          // a single feature of a has no rival for b's
          const kept = best < ratio * ratio * second && (!mutual || a.length === 128 || backIsI);
          return { i, j, best, kept };
        });
        expected = expected.filter(({ kept }) => kept);
        if (unique) {
          const users = expected;
          expected = users.filter(({ i, j, best }) =>
            users.every(
              (other) => other.i === i || other.j !== j || best < other.best || (best === other.best && i < other.i),
            ),
          );
        }
        const { pairs, distances: found, count } = matchFeatures(described(a), described(b), { ratio, mutual, unique });
        expect(count).toBe(expected.length);
        expect(Array.from(pairs)).toEqual(expected.flatMap(({ i, j }) => [i, j]));
        expect(Array.from(found)).toEqual(expected.map(({ best }) => Math.fround(Math.sqrt(best))));
      },
    ),
    { numRuns: 100 },
  );
});

test('matchFeatures: nothing to match, nothing to compare with', () => {
  const [none, one] = [described(new Uint8Array(0)), described(new Uint8Array(128))];
  expect(matchFeatures(none, one).count).toBe(0);
  expect(matchFeatures(one, none).count).toBe(0);
  expect(matchFeatures(one, one).count).toBe(0);
  expect(() => matchFeatures(one, one, { ratio: 80 })).toThrow('ratio in (0, 1] expected, got 80');
});

test("matchFeatures: OpenCV's brute-force matcher", () => {
  const { a, b, ratio, matches } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../golden/opencv-matches.json'), 'utf8'),
  ) as { a: string; b: string; ratio: number; matches: [number, number, number][] };
  const bytes = (text: string) => described(new Uint8Array(Buffer.from(text, 'base64')));
  const { pairs, distances } = matchFeatures(bytes(a), bytes(b), { ratio });
  expect(matches.length).toBeGreaterThan(20);
  expect(Array.from(pairs)).toEqual(matches.flatMap(([i, j]) => [i, j]));
  matches.forEach(([, , distance], m) => expect(distances[m]).toBeCloseTo(distance, 3));
});
