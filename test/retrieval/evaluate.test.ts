import { describe, expect, test } from 'vitest';
import { evaluateDescriptors } from '../../src/retrieval/evaluate.js';
import { InputError } from '../../src/errors.js';
import type { GroundTruth } from '../../src/retrieval/ground-truth.js';
import type { DescriptorTable } from '../../src/retrieval/ranking.js';

/** Unit vectors in the plane at the given angles: similarity falls with the angle between them. */
function atAngles(angles: Record<string, number>): DescriptorTable {
  const degrees = Object.values(angles).map((angle) => (angle * Math.PI) / 180);
  const data = Float32Array.from(degrees.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
  return { ids: Object.keys(angles), dimension: 2, data };
}

const database = atAngles({ a1: 0, b1: 10, a2: 20, b2: 31, c1: 90, extra: 5 });
const groundTruth: GroundTruth = {
  database: ['a1', 'b1', 'a2', 'b2', 'c1'].map((id) => ({ id, image: `${id}.jpg` })),
  queries: [
    { id: 'a1', image: 'a1.jpg', positives: ['a2'], junk: ['a1'], landmark: 'a' },
    { id: 'a2', image: 'a2.jpg', positives: ['a1'], junk: ['a2'], landmark: 'a' },
    { id: 'b1', image: 'b1.jpg', positives: ['b1', 'b2'], junk: [], landmark: 'b' },
    { id: 'c1', image: 'c1.jpg', positives: [], junk: ['c1'], landmark: 'c' },
  ],
};

describe('evaluateDescriptors', () => {
  test('per-query AP, means, and what is left out', async () => {
    // a1 -> (a1 junk) b1 a2 b2 c1: a2 at 1.     trapezoid ½ (0 + 1/2) = 1/4,  finite sum 1/2
    // a2 -> (a2 junk) b1 b2 a1 c1: b1 at 10°, b2 at 11°, a1 at 20°: a1 at 2.   ½ (0 + 1/3) = 1/6,  1/3
    // b1 -> b1, a1 and a2 at 10°, b2 at 21°: b1 at 0, b2 at 3.  ½ (1 + ½ (1/3 + 2/4)) = 17/24,  ½ (1 + 2/4) = 3/4
    const result = await evaluateDescriptors(groundTruth, database, database, { recallAt: [1, 2, 10] });
    expect(result.queries.map(({ id }) => id)).toEqual(['a1', 'a2', 'b1']);
    expect(result.queries.map(({ ranks }) => [...ranks])).toEqual([[1], [2], [0, 3]]);
    [1 / 4, 1 / 6, 17 / 24].forEach((ap, i) => {
      expect(result.queries[i].ap).toBeCloseTo(ap, 12);
      expect(result.queries[i].apTrapezoid).toBeCloseTo(ap, 12);
    });
    expect(result.map).toBeCloseTo((1 / 4 + 1 / 6 + 17 / 24) / 3, 12);
    expect(result.mapFiniteSum).toBeCloseTo((1 / 2 + 1 / 3 + 3 / 4) / 3, 12);
    expect(result.macroMap).toBeCloseTo(((1 / 4 + 1 / 6) / 2 + 17 / 24) / 2, 12); // over the landmarks a and b
    expect(result.landmarks).toBe(2);
    expect(result.precisionAt1).toBeCloseTo(1 / 3, 12); // only b1 finds (itself) first
    expect([...result.recallAt].map(([, value]) => value)).toEqual([1 / 6, 1.5 / 3, 1]); // b1 has 1 of 2 at k = 1 and 2
    expect([...result.hitRateAt].map(([, value]) => value)).toEqual([1 / 3, 2 / 3, 1]);
    expect(result.withoutPositives).toEqual(['c1']);
    expect(result.databaseSize).toBe(5); // "extra" is not part of the ground truth
  });

  test('the finite-sum rule moves map, macro map and ap', async () => {
    const result = await evaluateDescriptors(groundTruth, database, database, { rule: 'finite-sum' });
    expect(result.map).toBe(result.mapFiniteSum);
    expect(result.queries[2].ap).toBeCloseTo(3 / 4, 12);
    expect(result.macroMap).toBeCloseTo(((1 / 2 + 1 / 3) / 2 + 3 / 4) / 2, 12);
  });

  test('a positive without descriptor counts as never found, a query without descriptor is listed', async () => {
    const partial = atAngles({ a1: 0, a2: 20, b1: 10, c1: 90 });
    const result = await evaluateDescriptors(groundTruth, partial, atAngles({ b1: 10 }));
    expect(result.missingFromDatabase).toEqual(['b2']);
    expect(result.withoutDescriptor).toEqual(['a1', 'a2']);
    expect(result.queries).toHaveLength(1);
    expect(result.map).toBe(1 / 2); // b1 found at 0, one of two positives
  });

  test('top results are marked and include junk, but nothing outside the ground truth', async () => {
    const result = await evaluateDescriptors(groundTruth, database, database, { top: 3 });
    expect(result.queries[0].top.map(({ id, relation }) => `${id} ${relation}`)).toEqual([
      'a1 junk',
      'b1 negative',
      'a2 positive',
    ]);
    expect(result.queries[0].top[2].similarity).toBeCloseTo(Math.cos(Math.PI / 9), 6);
  });

  test('macro mAP is NaN when a query has no landmark', async () => {
    const queries = groundTruth.queries.map((query) => ({ ...query, landmark: undefined }));
    const result = await evaluateDescriptors({ ...groundTruth, queries }, database, database);
    expect(result.macroMap).toBeNaN();
    expect(result.landmarks).toBe(0);
  });

  test('no query with positives: every mean is NaN', async () => {
    const result = await evaluateDescriptors({ ...groundTruth, queries: [groundTruth.queries[3]] }, database, database);
    expect(result.map).toBeNaN();
    expect(result.queries).toEqual([]);
  });

  test('more queries than one block holds are all scored', async () => {
    const angles = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`i${i}`, (i * 180) / 600]));
    const table = atAngles(angles);
    const entries = table.ids.map((id) => ({ id, image: id }));
    const queries = table.ids.map((id) => ({ id, image: id, positives: [id], junk: [] }));
    const done: number[] = [];
    const result = await evaluateDescriptors({ queries, database: entries }, table, table, {
      onProgress: (count) => done.push(count),
    });
    expect(result.map).toBe(1);
    expect(done.at(-1)).toBe(600);
    expect(done.length).toBeGreaterThan(1);
  });

  test('one clear error each for tables that cannot be ranked', async () => {
    const refused = async (message: RegExp, other: DescriptorTable, queries: DescriptorTable = other) => {
      await expect(evaluateDescriptors(groundTruth, other, queries)).rejects.toThrow(InputError);
      await expect(evaluateDescriptors(groundTruth, other, queries)).rejects.toThrow(message);
    };
    await refused(/the database has no descriptors/, { ids: [], dimension: 2, data: new Float32Array(0) }, database);
    await refused(/id "a1" occurs twice/, { ...database, ids: database.ids.map(() => 'a1') });
    await refused(/id "a1" occurs twice/, database, { ids: ['a1', 'a1'], dimension: 2, data: new Float32Array(4) });
    const broken = { ...database, data: database.data.slice() };
    broken.data[2 * 3] = Number.NaN;
    await refused(/the similarity of "a1" and "b2" is NaN.*describe it again/, broken, database);
  });

  test('equal descriptors are refused, and not scored by the order of the database', async () => {
    const equal = { ...database, data: database.data.map((_, i) => (i % 2 === 0 ? 0.6 : 0.8)) };
    const collapsed = /images of the database are equally similar to every query: the descriptors are all equal/;
    await expect(evaluateDescriptors(groundTruth, equal, equal)).rejects.toThrow(collapsed);
    // what rounding leaves of equal ones
    const rounded = { ...equal, data: equal.data.map((value, i) => value * (1 + 1e-7 * (i % 3))) };
    await expect(evaluateDescriptors(groundTruth, rounded, rounded)).rejects.toThrow(collapsed);
    const silent = { ...equal, data: new Float32Array(equal.data.length) };
    await expect(evaluateDescriptors(groundTruth, silent, silent)).rejects.toThrow(InputError);
  });

  test('the similarities of unrelated pairs are those of queries with their negatives, ascending', async () => {
    const { unrelated } = await evaluateDescriptors(groundTruth, database, database);
    const angleOf = new Map(
      database.ids.map((id, row) => [id, Math.atan2(database.data[2 * row + 1], database.data[2 * row])]),
    );
    const expected = groundTruth.queries
      .filter(({ positives }) => positives.length > 0)
      .flatMap(({ id, positives, junk }) =>
        groundTruth.database
          .filter((entry) => ![...positives, ...junk].includes(entry.id) && angleOf.has(entry.id))
          .map((entry) => Math.cos(angleOf.get(entry.id)! - angleOf.get(id)!)),
      )
      .toSorted((a, b) => a - b);
    expect(unrelated).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(unrelated![i]).toBeCloseTo(value, 6));
  });

  test('tables of different dimensions are refused', async () => {
    const wide = { ids: ['a1'], dimension: 3, data: new Float32Array(3) };
    await expect(evaluateDescriptors(groundTruth, database, wide)).rejects.toThrow(/queries of 3 values/);
  });
});
