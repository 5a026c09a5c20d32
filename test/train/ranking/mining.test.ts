import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainSimilarity } from '../../../src/linear/rows.js';
import {
  countTriplets,
  isNegative,
  type MinedTriplets,
  mineTriplets,
  numberLabels,
  type PoolLabels,
} from '../../../src/train/ranking/mining.js';

interface Brute {
  losses: Map<number, number[]>; // by query, falling, above 0 only
  withLoss: number;
  possible: number;
}

/** Every triplet, one by one, from squared distances. */
function bruteForce(rows: readonly number[][], { landmarks, groups }: PoolLabels, margin: number): Brute {
  const distance = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
  const losses = new Map<number, number[]>();
  let possible = 0;
  for (const [q, query] of rows.entries()) {
    const found: number[] = [];
    for (const [p, positive] of rows.entries()) {
      if (p === q || landmarks[p] !== landmarks[q]) continue;
      for (const [n, negative] of rows.entries()) {
        if (landmarks[n] === landmarks[q]) continue;
        if (groups[q] >= 0 && groups[q] === groups[n]) continue;
        possible++;
        const loss = Math.max(0, margin + distance(query, positive) - distance(query, negative)) / 2;
        if (loss > 0) found.push(loss);
      }
    }
    losses.set(
      q,
      found.sort((a, b) => b - a),
    );
  }
  const withLoss = [...losses.values()].reduce((sum, list) => sum + list.length, 0);
  return { losses, withLoss, possible };
}

/** Mines with the plain loops. */
function mine(rows: readonly number[][], labels: PoolLabels, margin: number, hardestPerQuery: number) {
  const table = { data: Float32Array.from(rows.flat()), dimension: rows[0].length, ids: rows.map((_, i) => `${i}`) };
  return mineTriplets(table, labels, { margin, hardestPerQuery, similarity: plainSimilarity(table) });
}

/** Kept losses by query, in the order they are kept. */
function keptLosses({ triplets, losses, offsets }: MinedTriplets): Map<number, number[]> {
  const kept = new Map<number, number[]>();
  for (let i = 0; i + 1 < offsets.length; i++) {
    kept.set(triplets[3 * offsets[i]], [...losses.subarray(offsets[i], offsets[i + 1])]);
  }
  return kept;
}

// Unit rows whose dot products are exact in floating point (quarters): ties are everywhere, and equality is exact.
const halves = [-0.5, 0.5];
const exactRows = [
  ...halves.flatMap((a) => halves.flatMap((b) => halves.flatMap((c) => halves.map((d) => [a, b, c, d])))),
  [1, 0, 0, 0],
  [0, -1, 0, 0],
];

const labelled = fc.array(
  fc.record({
    row: fc.constantFrom(...exactRows),
    landmark: fc.constantFrom('a', 'b', 'c', 'd'),
    group: fc.constantFrom(undefined, undefined, 'x', 'y'),
  }),
  { minLength: 1, maxLength: 14 },
);

describe('mineTriplets', () => {
  test('keeps exactly the largest losses of every query and counts all of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        labelled,
        fc.constantFrom(0, 0.1, 0.5, 1),
        fc.integer({ min: 1, max: 30 }),
        async (images, margin, limit) => {
          const labels = numberLabels(images);
          const rows = images.map(({ row }) => row);
          const expected = bruteForce(rows, labels, margin);
          const mined = await mine(rows, labels, margin, limit);
          expect(mined.withLoss).toBe(expected.withLoss);
          expect(mined.possible).toBe(expected.possible);
          const kept = keptLosses(mined);
          for (const [query, losses] of expected.losses) {
            const got = kept.get(query) ?? [];
            expect(got.length).toBe(Math.min(limit, losses.length));
            got.forEach((loss, i) => expect(loss).toBeCloseTo(losses[i], 12));
          }
          for (let i = 0; i < mined.losses.length; i++) {
            const [q, p, n] = mined.triplets.subarray(3 * i, 3 * i + 3);
            expect(p !== q && labels.landmarks[p] === labels.landmarks[q] && isNegative(labels, q, n)).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('agrees with brute force on random unit rows and more images than a block holds', async () => {
    // A wave with an incommensurate frequency: 137 images (more than a block of queries) of 5 landmarks, 16 values each.
    const images = Array.from({ length: 137 }, (_, i) => ({
      landmark: `l${(i * 7) % 5}`,
      group: i % 3 === 0 ? 'g' : undefined,
    }));
    const rows = images.map((_, i) => {
      const row = Array.from({ length: 16 }, (__, d) => Math.fround(Math.sin(12.9898 * i + 78.233 * d)));
      const length = Math.hypot(...row);
      return row.map((v) => Math.fround(v / length));
    });
    const labels = numberLabels(images);
    const expected = bruteForce(rows, labels, 0.2);
    const mined = await mine(rows, labels, 0.2, 25);
    expect(mined.withLoss).toBe(expected.withLoss);
    const kept = keptLosses(mined);
    expect(kept.size).toBe([...expected.losses.values()].filter((list) => list.length > 0).length);
    // d² = 2 − 2s holds to the rounding of the rows to float32.
    for (const [query, losses] of kept)
      losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses.get(query)![i], 6));
  });

  test('a landmark with one photograph gives negatives only, and is counted', async () => {
    const labels = numberLabels([{ landmark: 'a' }, { landmark: 'a' }, { landmark: 'alone' }]);
    const mined = await mine(
      [
        [1, 0],
        [0, 1],
        [1, 0],
      ],
      labels,
      0.1,
      25,
    );
    // d²(0, 1) = 2, d²(0, 2) = 0: loss (0.1 + 2 − 0) / 2 = 1.05.  d²(1, 2) = 2: loss (0.1 + 2 − 2) / 2 = 0.05.
    expect([...mined.triplets]).toEqual([0, 1, 2, 1, 0, 2]);
    expect(mined.losses[0]).toBeCloseTo(1.05, 12);
    expect(mined.losses[1]).toBeCloseTo(0.05, 12);
    expect(mined).toMatchObject({ single: 1, possible: 2, withLoss: 2 });
    expect(mined.hardestSimilarity).toBe(0.5); // (1 + 0) / 2
  });

  test('images of one group are never each other’s negatives', async () => {
    const images = [
      { landmark: 'a', group: 'site' },
      { landmark: 'a', group: 'site' },
      { landmark: 'b', group: 'site' },
      { landmark: 'c' },
    ];
    const mined = await mine([[1], [1], [1], [1]], numberLabels(images), 0.1, 25);
    expect([...mined.triplets]).toEqual([0, 1, 3, 1, 0, 3]);
  });

  test('no triplet with a loss gives empty lists', async () => {
    const labels = numberLabels([{ landmark: 'a' }, { landmark: 'a' }, { landmark: 'b' }]);
    const mined = await mine(
      [
        [1, 0],
        [1, 0],
        [0, 1],
      ],
      labels,
      0.1,
      25,
    );
    expect(mined).toMatchObject({ withLoss: 0, possible: 2 });
    expect([...mined.offsets]).toEqual([0]);
  });
});

test('countTriplets equals the count one by one', () => {
  fc.assert(
    fc.property(labelled, (images) => {
      const labels = numberLabels(images);
      expect(countTriplets(labels).possible).toBe(
        bruteForce(
          images.map(({ row }) => row),
          labels,
          1,
        ).possible,
      );
    }),
  );
});
