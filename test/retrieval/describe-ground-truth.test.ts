import '../support/engine.js';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { describeGroundTruth, imagesToDescribe, lookUpGroundTruth } from '../../src/retrieval/describe-ground-truth.js';
import type { DescriptorSet } from '../../src/retrieval/descriptor-folder.js';
import type { GroundTruth } from '../../src/retrieval/ground-truth.js';
import type { DescriptorTable } from '../../src/retrieval/ranking.js';
import { meanColourModel, writeTwoColours } from './mean-colour-model.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-truth-'));
const image = (name: string) => join(folder, `${name}.png`);
const query = (id: string, name: string, box?: GroundTruth['queries'][0]['box']) => ({
  id,
  image: image(name),
  box,
  positives: ['two'],
  junk: [],
});
const right = { x: 16, y: 0, width: 16, height: 16 };
const truth: GroundTruth = {
  database: ['red', 'two', 'gone'].map((id) => ({ id, image: image(id) })),
  queries: [query('red', 'red'), query('other name', 'red'), query('crop', 'two', right), query('new', 'green')],
};

beforeAll(async () => {
  await writeTwoColours(image('red'), [255, 0, 0]);
  await writeTwoColours(image('two'), [255, 0, 0], [0, 0, 255]);
  await writeTwoColours(image('green'), [0, 255, 0]);
});

function row({ ids, data, dimension }: DescriptorTable, id: string): number[] {
  const start = ids.indexOf(id) * dimension;
  return [...data.subarray(start, start + dimension)].map((value) => Math.round(value * 1000) / 1000);
}

describe('describeGroundTruth', () => {
  test('whole database images are described once, crops and new images on their own, failures listed', async () => {
    let calls = 0;
    const model = {
      describe: (x: Parameters<typeof meanColourModel.describe>[0]) => {
        calls++;
        return meanColourModel.describe(x);
      },
    };
    const done: number[] = [];
    const sizing = { longest: 'none' as const };
    const result = await describeGroundTruth(model, truth, { sizing, onProgress: (count) => done.push(count) });
    expect(calls).toBe(4); // red, two, the crop, green
    expect(imagesToDescribe(truth)).toBe(5); // and "gone", which is not there
    expect(done).toEqual([1, 2, 3, 4, 5]);
    expect(result.database.ids).toEqual(['red', 'two']);
    expect(row(result.queries, 'red')).toEqual([1, 0, 0]);
    expect(row(result.queries, 'other name')).toEqual([1, 0, 0]);
    expect(row(result.queries, 'crop')).toEqual([0, 0, 1]);
    expect(row(result.queries, 'new')).toEqual([0, 1, 0]);
    expect(result.failures.map(({ id }) => id)).toEqual(['gone']);
  });
});

describe('lookUpGroundTruth', () => {
  const set = (rows: Record<string, number[]>, failed: string[] = []): DescriptorSet => ({
    ids: Object.keys(rows),
    dimension: Object.values(rows)[0].length,
    data: Float32Array.from(Object.values(rows).flat()),
    failures: failed.map((id) => ({ id, error: 'broken' })),
    notUnit: false,
  });
  const database = set({ red: [1, 0], two: [0, 1] }, ['gone']);

  test('queries from their own folder first, else from the database by id or by image', () => {
    const queries = { folder: 'q', set: set({ crop: [0.6, 0.8], new: [0.8, 0.6] }) };
    const result = lookUpGroundTruth(truth, database, 'd', queries);
    expect(row(result.queries, 'red')).toEqual([1, 0]);
    expect(row(result.queries, 'other name')).toEqual([1, 0]);
    expect(row(result.queries, 'crop')).toEqual([0.6, 0.8]);
    expect(result.failures.map(({ id }) => id)).toEqual(['gone']);
  });

  test('what is missing and did not fail in extract is counted and named', () => {
    expect(() => lookUpGroundTruth(truth, database, 'd')).toThrow(
      /No descriptor for 2 of 4 queries \(crop, new\) in d; .*--queries DIR/,
    );
    expect(() => lookUpGroundTruth(truth, set({ red: [1, 0] }), 'd')).toThrow(
      /^d has no descriptor for 2 of 3 database images \(two, gone\)/,
    );
  });

  test('a crop never takes the row of its whole image', () => {
    const sameId = { ...truth, queries: [query('two', 'two', right)] };
    expect(() => lookUpGroundTruth(sameId, database, 'd')).toThrow(/No descriptor for 1 of 1 queries \(two\)/);
  });

  test('descriptors of another length are refused', () => {
    const queries = { folder: 'q', set: set({ crop: [1, 0, 0] }) };
    expect(() => lookUpGroundTruth(truth, database, 'd', queries)).toThrow(/q has descriptors of 3 values, d of 2/);
  });
});
