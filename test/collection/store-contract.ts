/** What every store of vectors does, be it files or a database. */
import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import type { DatabaseTable } from '../../src/collection/stores/database.js';
import type { VectorStore } from '../../src/collection/vector-store.js';
import { fromHalf, toHalf } from '../../src/linear/half-float.js';
import type { DescriptorRows } from '../../src/linear/rows.js';

export const dimension = 6;

/** A unit vector of float16 values nearly, another one for every seed. */
export function vectorOf(seed: number, values = dimension): Float32Array {
  const vector = Float32Array.from({ length: values }, (_, i) => Math.sin(seed * 7.13 + i * 2.9 + 1));
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return fromHalf(toHalf(vector.map((value) => value / length)));
}

export const recordOf = (id: string, seed: number, columns: Record<string, string> = {}): CollectionRecord => ({
  id,
  path: `/${id}.jpg`,
  bytes: 1,
  modified: 1.5,
  sha256: `${seed}`,
  columns,
});

/** Blocks of one row, two rows and so on. */
export async function* rowsOf(seeds: readonly number[], values = dimension): AsyncGenerator<DescriptorRows> {
  for (let first = 0, length = 1; first < seeds.length; first += length++) {
    const block = seeds.slice(first, first + length).map((seed) => vectorOf(seed, values));
    yield { dimension: values, data: Float32Array.from(block.flatMap((row) => [...row])) };
  }
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** A place for vectors: begins an empty store, and opens it again as it is then. */
export interface StorePlace {
  begin(): Promise<VectorStore>;
  reopen(): Promise<VectorStore>;
}

const opened: VectorStore[] = [];

/** `newPlace`: one that nobody has used. */
export function describesStore(newPlace: () => StorePlace, { runs = 25 } = {}): void {
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  const keep = (store: VectorStore) => {
    opened.push(store);
    return store;
  };
  const begin = async () => keep(await newPlace().begin());

  test('any changes: what is found is what a plain list would find, here and after opening again', async () => {
    const change = fc.record({
      add: fc.uniqueArray(fc.nat(30), { maxLength: 12 }),
      remove: fc.array(fc.nat(30), { maxLength: 4 }),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const place = newPlace();
        const store = keep(await place.begin());
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
        for (const each of [store, keep(await place.reopen())]) {
          expect(await allRecords(each)).toEqual(expected.map(({ id, seed }) => recordOf(id, seed)));
          const similarities = expected.map(({ seed }) => dot(vectorOf(seed), query));
          const best = similarities.toSorted((a, b) => b - a).slice(0, 5);
          const found = await each.search(query, { count: 5 });
          expect(found.length).toBe(best.length);
          for (const [k, { id, similarity }] of found.entries()) {
            expect(similarity).toBeCloseTo(best[k], 6);
            const { seed } = expected.find((one) => one.id === id)!;
            expect(similarity).toBeCloseTo(dot(vectorOf(seed), query), 6);
          }
          const { data } = await each.vectors(expected.map(({ id }) => id).toReversed());
          expect([...data]).toEqual(expected.toReversed().flatMap(({ seed }) => [...vectorOf(seed)]));
        }
      }),
      { numRuns: runs, seed: 3 },
    );
  });

  test('filters: one of the values in every column; what has none of a column is left out', async () => {
    const store = await begin();
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
    expect(await ids({ town: [] })).toEqual([]);
    expect(await ids({ constructor: ['x'], toString: ['y'] })).toEqual([]);
  });

  test('names from strangers are names, whatever they look like', async () => {
    const store = await begin();
    const names = [
      `'; DROP TABLE photographs; --`,
      '"a"',
      '../x',
      '{"b":[1]}',
      'ü\n\t\\',
      '$1',
      '%',
      'a.b[0]',
      '',
      '雪',
    ];
    const records = names.map((name, i) => ({ ...recordOf(name, i, { [name]: `v${name}` }), title: name }));
    await store.change({ records, rows: rowsOf(names.map((_, i) => i)) });
    expect(await allRecords(store)).toEqual(records);
    for (const [i, name] of names.entries()) {
      for (const where of [{ [name]: [`v${name}`] }, { title: [name, 'x'] }]) {
        expect((await store.search(vectorOf(i), { count: 10, where })).map(({ id }) => id)).toEqual([name]);
      }
    }
    expect(await store.search(vectorOf(0), { count: 5, where: { title: [`x') OR ('' = '`] } })).toEqual([]);
    expect([...(await store.vectors(['雪', ''])).data]).toEqual([...vectorOf(9), ...vectorOf(8)]);
    await store.change({ remove: [names[0], '"a"', 'nobody'] });
    expect((await allRecords(store)).map(({ id }) => id)).toEqual(names.slice(2));
  });

  test('of equal vectors the one that came first', async () => {
    const store = await begin();
    const ids = ['e', 'a', 'd', 'b', 'c'];
    await store.change({ records: ids.map((id) => recordOf(id, 1)), rows: rowsOf(ids.map(() => 1)) });
    await store.change({ records: [recordOf('e', 1), recordOf('f', 2)], rows: rowsOf([1, 2]) });
    const found = await store.search(vectorOf(1), { count: 6 });
    expect(found.map(({ id }) => id)).toEqual(['a', 'd', 'b', 'c', 'e', 'f']);
    expect(found[0].similarity).toBeCloseTo(1, 3);
  });

  test('a change that fails in its middle leaves what was there', async () => {
    const place = newPlace();
    const store = keep(await place.begin());
    await store.change({ records: [recordOf('a', 1)], rows: rowsOf([1]) });
    const broken = async function* (): AsyncGenerator<DescriptorRows> {
      yield* rowsOf([2]);
      throw new Error('no more rows');
    };
    const records = [recordOf('b', 2), recordOf('c', 3)];
    await expect(store.change({ records, rows: broken(), remove: ['a'] })).rejects.toThrow(/no more rows/);
    expect((await allRecords(keep(await place.reopen()))).map(({ id }) => id)).toContain('a');
    await store.change({ records, rows: rowsOf([2, 3]), remove: ['a'] });
    expect((await allRecords(keep(await place.reopen()))).map(({ id }) => id)).toEqual(['b', 'c']);
  });
}

async function allRecords(store: VectorStore): Promise<CollectionRecord[]> {
  const records: CollectionRecord[] = [];
  for await (const record of store.records()) records.push(record);
  return records;
}

type OpenTable = (table: DatabaseTable) => Promise<VectorStore>;

/** What every store in a database refuses. `newTable`: in a table that nobody has used. */
export function refusesTables(open: OpenTable, newTable: () => DatabaseTable): void {
  test('tables of other models, of other indexes and of nobody are refused in one line', async () => {
    const table = newTable();
    await expect(open(table)).rejects.toThrow(/is not there \(any more\); build the index again/);
    const store = await open({ ...table, begin: 'new' });
    await store.change({ records: [recordOf('a', 1)], rows: rowsOf([1]) });
    const version = { version: store.version };
    await store.close();
    await expect(open({ ...table, begin: 'new' })).rejects.toThrow(/has 1 photographs of another index/);
    await expect(open({ ...table, ...version, model: 'ab'.repeat(32) })).rejects.toThrow(
      /of another model \(sha256 cd/,
    );
    await expect(open({ ...table, ...version, dimension: 7 })).rejects.toThrow(/of 6 values, the index of 7/);
    const other = await open({ ...table, begin: 'replace', dimension: 7, model: 'ab'.repeat(32) });
    await other.change({ records: [recordOf('b', 1)], rows: rowsOf([1], 7) });
    expect((await allRecords(other)).map(({ id }) => id)).toEqual(['b']);
    await other.close();
  });
}
