import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { describesStore, dimension, recordOf, rowsOf, vectorOf } from './store-contract.js';

const newFolder = () => mkdtempSync(join(tmpdir(), 'rmac-store-'));
const begin = (folder: string) =>
  EmbeddedStore.begin(folder, {
    name: 'photographs',
    model: { file: 'model-0.safetensors', sha256: '0', dimension },
    describing: {},
    next: 1,
  });

describesStore(
  () => {
    const folder = newFolder();
    return { begin: async () => begin(folder), reopen: () => EmbeddedStore.open(folder) };
  },
  { runs: 15 },
);

test('after many changes nothing lies about, and segments are few', async () => {
  const folder = newFolder();
  const store = begin(folder);
  for (let n = 0; n < 24; n++) {
    const seeds = Array.from({ length: 1 + (n % 3) }, (_, i) => 10 * (n % 9) + i);
    const records = seeds.map((seed) => recordOf(`p${seed}`, seed));
    await store.change({ records, rows: rowsOf(seeds), remove: [`p${n}`] });
  }
  const { segments } = store.head;
  const named = ['collection.json', ...segments.flatMap(({ vectors, records }) => [vectors, records])];
  expect(readdirSync(folder).toSorted()).toEqual(named.toSorted());
  expect(segments.length).toBeLessThanOrEqual(1 + Math.log2(1 + store.size));
  expect(store.values('town')).toEqual([]);
  await store.close();
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
