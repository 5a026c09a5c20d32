import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { databaseAugmentationOption, queryExpansionOption } from '../../src/commands/expansion-options.js';
import { expandGroundTruth } from '../../src/retrieval/expand-ground-truth.js';
import { augmentDatabase, expandQueries } from '../../src/retrieval/expansion.js';
import { blocksOf, nearestRows } from '../../src/retrieval/nearest-rows.js';

interface Case {
  option: string;
  rows: number[];
}
const golden: { dimension: number; database: number[]; queries: number[]; qe: Case[]; dba: Case[] } = JSON.parse(
  readFileSync(new URL('../golden/expansion.json', import.meta.url), 'utf8'),
);
const { dimension } = golden;
const database = { dimension, data: Float32Array.from(golden.database) };
const queries = { dimension, data: Float32Array.from(golden.queries) };
const databaseRows = database.data.length / dimension;

/** The same to float32's rounding of values up to 1. */
function expectRows(ours: Float32Array, expected: readonly number[]): void {
  expect(ours.length).toBe(expected.length);
  const worst = Math.max(...ours.map((value, i) => Math.abs(value - expected[i])));
  expect(worst).toBeLessThan(3e-7);
}

describe('equals numpy', () => {
  test.each(golden.qe)('--qe $option', async ({ option, rows }) => {
    const qe = queryExpansionOption(option);
    const neighbours = await nearestRows(queries, blocksOf(database), { count: qe.k });
    expectRows(expandQueries(queries, database, neighbours, qe).data, rows);
  });

  test.each(golden.dba)('--dba $option', async ({ option, rows }) => {
    const dba = databaseAugmentationOption(option);
    const skip = Int32Array.from({ length: databaseRows }, (_, i) => i);
    const neighbours = await nearestRows(database, blocksOf(database), { count: dba.k, skip });
    expectRows(augmentDatabase(database, neighbours, dba).data, rows);
  });
});

test('by hand: q = (1, 0), nearest (0.6, 0.8) and (0, 1)', async () => {
  const rows = { dimension: 2, data: Float32Array.of(0, 1, 0.6, 0.8, -1, 0) };
  const query = { dimension: 2, data: Float32Array.of(1, 0) };
  const neighbours = await nearestRows(query, blocksOf(rows), { count: 2 });
  expect([...neighbours.rows]).toEqual([1, 0]);
  // ((1, 0) + (0.6, 0.8) + (0, 1)) / 3
  const average = expandQueries(query, rows, neighbours, { kind: 'average', k: 2 }).data;
  [1.6 / 3, 1.8 / 3].forEach((value, i) => expect(average[i]).toBeCloseTo(value, 6));
  // (1, 0) + 0.36 (0.6, 0.8) + 0 (0, 1) = (1.216, 0.288)
  const alpha = expandQueries(query, rows, neighbours, { kind: 'alpha', alpha: 2, k: 2 }).data;
  [1.216, 0.288].forEach((value, i) => expect(alpha[i]).toBeCloseTo(value / Math.hypot(1.216, 0.288), 6));
});

describe('expandGroundTruth', () => {
  // Two dimensions: images at 0, 10, 25 and 90 degrees, and one that the ground truth does not list at 1 degree.
  const at = (...degrees: number[]) =>
    Float32Array.from(
      degrees.flatMap((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]),
    );
  const table = { ids: ['a', 'other', 'b', 'c', 'd'], dimension: 2, data: at(0, 1, 10, 25, 90) };
  const images = ['a', 'b', 'c', 'd'].map((id) => ({ id, image: `/${id}.jpg` }));
  const described = { database: table, queries: { ids: ['q'], dimension: 2, data: at(0) }, failures: [] };
  const truth = (junk: string[]) => ({
    queries: [{ id: 'q', image: '/a.jpg', positives: ['b'], junk }],
    database: images,
  });
  const angle = ([x, y]: ArrayLike<number> & Iterable<number>) => (Math.atan2(y, x) * 180) / Math.PI;

  test('the own image takes part only where it is not junk; what is not listed never does', async () => {
    const one = { qe: { kind: 'average', k: 1 } } as const;
    const inRanking = await expandGroundTruth(truth([]), described, one);
    expect(angle(inRanking.queries.data)).toBeCloseTo(0, 4); // (q + a) / 2
    const dropped = await expandGroundTruth(truth(['a']), described, one);
    expect(angle(dropped.queries.data)).toBeCloseTo(5, 4); // (q + b) / 2
    expect(dropped.database.ids).toEqual(['a', 'b', 'c', 'd']);
    // junk that is another image takes part
    const other = await expandGroundTruth(truth(['b']), described, { qe: { kind: 'average', k: 2 } });
    expect(angle(other.queries.data)).toBeGreaterThan(3);
  });

  test('the database is augmented first, the query expanded by augmented rows', async () => {
    const { database: augmented, queries: expanded } = await expandGroundTruth(truth(['a']), described, {
      dba: { kind: 'gordo', k: 1 },
      qe: { kind: 'average', k: 1 },
    });
    // a and b are each other's nearest, b is c's, c is d's: each goes half way
    const angles = [0, 1, 2, 3].map((row) => angle(augmented.data.subarray(2 * row, 2 * row + 2)));
    [5, 5, 17.5, 57.5].forEach((expected, row) => expect(angles[row]).toBeCloseTo(expected, 4));
    // a' is left out; b' = cos 5° at 5 degrees is next, not made a unit vector
    const [cos, sin] = [Math.cos(Math.PI / 36), Math.sin(Math.PI / 36)];
    expect(expanded.data[0]).toBeCloseTo((1 + cos * cos) / 2, 6);
    expect(expanded.data[1]).toBeCloseTo((cos * sin) / 2, 6);
  });

  test('more neighbours than images', async () => {
    await expect(expandGroundTruth(truth(['a']), described, { qe: { kind: 'average', k: 4 } })).rejects.toThrow(
      '--qe: 4 neighbours asked, the database has 3 other images; use K of at most that.',
    );
    await expect(expandGroundTruth(truth([]), described, { dba: { kind: 'gordo', k: 4 } })).rejects.toThrow(/--dba: 4/);
  });
});
