import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { fromHalf, toHalf } from '../../src/linear/half-float.js';
import type { DescriptorRows } from '../../src/linear/rows.js';

const dimension = 6;
const newFolder = () => mkdtempSync(join(tmpdir(), 'rmac-store-'));
const begin = (folder: string) =>
  EmbeddedStore.begin(folder, {
    name: 'photographs',
    model: { file: 'model-0.safetensors', sha256: '0', dimension },
    describing: {},
    next: 1,
  });

/** A unit vector of float16 values nearly, another one for every seed. */
function vectorOf(seed: number): Float32Array {
  const values = Float32Array.from({ length: dimension }, (_, i) => Math.sin(seed * 7.13 + i * 2.9 + 1));
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return fromHalf(toHalf(values.map((value) => value / length)));
}

const recordOf = (id: string, seed: number, columns: Record<string, string> = {}): CollectionRecord => ({
  id,
  path: `/${id}.jpg`,
  bytes: 1,
  modified: 1,
  sha256: `${seed}`,
  columns,
});

async function* rowsOf(seeds: readonly number[]): AsyncGenerator<DescriptorRows> {
  for (const seed of seeds) yield { dimension, data: vectorOf(seed) };
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

test('any changes: what is found is what a plain list would find, here and after opening again', async () => {
  const change = fc.record({
    add: fc.uniqueArray(fc.nat(30), { maxLength: 12 }),
    remove: fc.array(fc.nat(30), { maxLength: 4 }),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const folder = newFolder();
      const store = begin(folder);
      let expected: { id: string; seed: number }[] = [];
      for (const { add, remove, seed } of changes) {
        const added = add.map((n) => ({ id: `p${n}`, seed: seed + n }));
        const gone = new Set([...added.map(({ id }) => id), ...remove.map((n) => `p${n}`)]);
        expected = [...expected.filter(({ id }) => !gone.has(id)), ...added];
        await store.change({
          records: added.map((each) => recordOf(each.id, each.seed)),
          rows: rowsOf(added.map((each) => each.seed)),
          remove: remove.map((n) => `p${n}`),
        });
      }
      const query = vectorOf(0.5);
      for (const each of [store, await EmbeddedStore.open(folder)]) {
        expect(each.records().map(({ id, sha256 }) => [id, sha256])).toEqual(
          expected.map(({ id, seed }) => [id, `${seed}`]),
        );
        const similarities = expected.map(({ id, seed }) => ({ id, similarity: dot(vectorOf(seed), query) }));
        const best = similarities.toSorted((a, b) => b.similarity - a.similarity).slice(0, 5);
        const found = await each.search(query, { count: 5 });
        expect(found.length).toBe(best.length);
        for (const [k, { similarity }] of found.entries()) expect(similarity).toBeCloseTo(best[k].similarity, 6);
        const ids = expected.map(({ id }) => id).toReversed();
        const { data } = await each.vectors(ids);
        expect([...data]).toEqual(expected.toReversed().flatMap(({ seed }) => [...vectorOf(seed)]));
        await each.close();
      }
      // Nothing lies about, and segments stay few however many changes there were.
      const { segments } = store.head;
      const named = ['collection.json', ...segments.flatMap(({ vectors, records }) => [vectors, records])];
      expect(readdirSync(folder).toSorted()).toEqual(named.toSorted());
      expect(segments.length).toBeLessThanOrEqual(1 + Math.log2(1 + expected.length));
      rmSync(folder, { recursive: true });
    }),
    { numRuns: 25, seed: 3 },
  );
}, 60_000);

test('filters: one of the values in every column; what has none of a column is left out', async () => {
  const store = begin(newFolder());
  const towns = ['Lisbon', 'Porto', undefined, 'Lisbon'];
  const records = towns.map((town, i) => ({
    ...recordOf(`p${i}`, i, { ...(town && { town }), year: `${1990 + (i % 2)}` }),
    object: `o${i}`,
  }));
  await store.change({ records, rows: rowsOf([0, 1, 2, 3]) });
  const ids = async (where: Record<string, string[]>) =>
    (await store.search(vectorOf(0), { count: 10, where })).map(({ id }) => id).toSorted();
  expect(await ids({})).toEqual(['p0', 'p1', 'p2', 'p3']);
  expect(await ids({ town: ['Lisbon'] })).toEqual(['p0', 'p3']);
  expect(await ids({ town: ['Lisbon', 'Porto'], year: ['1991'] })).toEqual(['p1', 'p3']);
  expect(await ids({ object: ['o2'] })).toEqual(['p2']);
  expect(await ids({ town: ['Paris'] })).toEqual([]);
  expect(await ids({ constructor: ['x'], toString: ['y'] })).toEqual([]);
  expect(store.values('town')).toEqual(['Lisbon', 'Porto']);
});

test('threads find what one thread finds, and say what is wrong', async () => {
  const folder = newFolder();
  const seeds = Array.from({ length: 101 }, (_, i) => i);
  await begin(folder).change({ records: seeds.map((seed) => recordOf(`p${seed}`, seed)), rows: rowsOf(seeds) });
  const plain = await EmbeddedStore.open(folder, { vectors: true });
  const threaded = await EmbeddedStore.open(folder, { vectors: true, threads: 3, threadedValues: 0 });
  for (const count of [1, 40, 500]) {
    const search = { count };
    expect(await threaded.search(vectorOf(0.3), search)).toEqual(await plain.search(vectorOf(0.3), search));
  }
  const ids = ['p99', 'p0', 'p50'];
  expect(await threaded.vectors(ids)).toEqual(await plain.vectors(ids));
  await threaded.close();
  truncateSync(join(folder, plain.head.segments[0].vectors), 10);
  await expect(EmbeddedStore.open(folder, { vectors: true, threads: 2, threadedValues: 0 })).rejects.toThrow(
    /damaged: 101 rows of 6 values expected/,
  );
});

test('damaged and missing files are an error of one line', async () => {
  const folder = newFolder();
  const store = begin(folder);
  await store.change({ records: [recordOf('a', 1)], rows: rowsOf([1]) });
  const [{ records, vectors }] = store.head.segments;
  const open = () => EmbeddedStore.open(folder, { vectors: true });
  const text = readFileSync(join(folder, records), 'utf8');
  writeFileSync(join(folder, records), text.replace('/a.jpg', '/b.jpg'));
  await expect(open()).rejects.toThrow(/records-000001.jsonl is damaged/);
  writeFileSync(join(folder, records), text);
  writeFileSync(join(folder, vectors), Buffer.alloc(2 * dimension, 0x7b)); // values of 60,000
  await expect((await open()).search(vectorOf(1), { count: 1 })).rejects.toThrow(/vectors of the index are damaged/);
  rmSync(join(folder, vectors));
  await expect(open()).rejects.toThrow(/lacks files that it names/);
  writeFileSync(join(folder, 'collection.json'), '{"format": "rmac collection, version 1"}');
  await expect(open()).rejects.toThrow(/is no index of this version/);
  rmSync(join(folder, 'collection.json'));
  await expect(open()).rejects.toThrow(/holds no index, or its building has not ended/);
  await expect(EmbeddedStore.open(join(folder, 'nowhere'))).rejects.toThrow(/Cannot read the index/);
});
