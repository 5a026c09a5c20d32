import '../support/engine.js';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeModelFile } from '../../src/data/model-file.js';
import { addToIndex, buildIndex, removeFromIndex } from '../../src/stages/index-update.js';
import { indexInfo } from '../../src/stages/collection-info.js';
import { openCollection } from '../../src/stages/search.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';
import { type Postgres, startPostgres } from '../support/postgres.js';
import { type StandIn, startQdrant } from '../support/qdrant.js';
import { smallModelParts } from '../support/small-model.js';

const name: string = '@lancedb/lancedb'; // which the compiler does not ask for
const hasLanceDb = await import(name).then(
  () => true,
  () => false,
);
let postgres: Postgres;
let qdrant: StandIn;
beforeAll(async () => {
  [postgres, qdrant] = await Promise.all([startPostgres(), startQdrant()]);
});
afterAll(async () => {
  await postgres.stop();
  await qdrant.stop();
});

let set: SmallSet;
let index: string;
let tables = 0;
beforeEach(async () => {
  set = await makeSmallSet();
  index = join(set.folder, 'index');
  tables++;
});

const addresses = {
  postgres: () => postgres.address(`t${tables}`),
  qdrant: () => `qdrant+${qdrant.url}/t${tables}`,
  lancedb: () => `lancedb:${join(set.folder, 'vectors')}`,
};
const build = (options: { store?: string; source?: string; out?: string; model?: string; overwrite?: boolean } = {}) =>
  buildIndex({ source: set.manifest, model: set.model, out: index, size: 64, ...options });

describe.each(Object.entries(addresses))('%s', (kind, address) => {
  const it = test.skipIf(kind === 'lancedb' && !hasLanceDb);

  it('build, add, remove, search and reload are as in files', async () => {
    await build({ store: address(), source: join(set.images, 'rings') });
    expect(readdirSync(index).filter((file) => !file.startsWith('model-'))).toEqual(['collection.json']);
    const collection = await openCollection(index);
    try {
      expect(collection.ids()).toEqual(['0', '1', '2', '3']);
      expect(await addToIndex({ source: set.manifest, index })).toMatchObject({ photographs: 16, added: 12 });
      expect(await removeFromIndex({ ids: ['0', '3'], index })).toMatchObject({ photographs: 14, removed: 2 });
      expect(await collection.reload()).toBe(true);
      expect(await collection.reload()).toBe(false);
      expect(collection.info).toMatchObject({ photographs: 14, objects: 3 });
      const image = join(set.images, 'checks/1.png');
      const where = { object: ['checks', 'rings'] };
      const { objects } = await collection.search({ image }, { count: 5, where, queryExpansion: 'aqe:1' });
      expect(objects[0]).toMatchObject({ object: 'checks', results: [{ item: { id: 'checks/1' } }, {}, {}, {}] });
      expect(objects[0].results[0].similarity).toBeCloseTo(1, 3);
      const plain = join(set.folder, 'plain');
      await build({ out: plain });
      const files = await openCollection(plain);
      const found = async (each: typeof collection) =>
        (await each.similar('stripes/2', { count: 30 })).objects
          .flatMap(({ results }) => results)
          .filter(({ item }) => item.id.includes('/'))
          .map(({ item, similarity }) => ({ id: item.id, similarity: similarity.toFixed(2) }));
      expect(await found(collection)).toEqual(await found(files));
      files.dispose();
    } finally {
      collection.dispose();
    }
    // What is listed in another file stays, other columns are stated anew without describing.
    expect(await build()).toMatchObject({ photographs: 12, removed: 2, unchanged: 12, described: 0 });
    copyFileSync(join(set.images, 'stripes/3.png'), join(set.images, 'rings/1.png'));
    expect(await build({ store: address() })).toMatchObject({ changed: 1, described: 1, photographs: 12 });
    expect((await indexInfo(index)).store).toMatch(new RegExp(`^${kind}`));
  });

  it('another index or another model on the same table is refused, and so is another place', async () => {
    await build({ store: address() });
    const second = join(set.folder, 'second');
    await expect(build({ store: address(), out: second })).rejects.toThrow(/has 12 photographs of another index/);
    expect(existsSync(join(second, 'collection.json'))).toBe(false);
    const model = join(set.folder, 'other.safetensors');
    await writeModelFile(model, smallModelParts());
    await expect(build({ store: address(), out: second, model })).rejects.toThrow(/of another index/);
    await build({ out: second });
    await expect(build({ store: address(), out: second })).rejects.toThrow(/is an index of vectors in its own folder/);
    await build({ store: address(), out: second, model, overwrite: true });
    const remove = removeFromIndex({ ids: ['rings/0'], index });
    await expect(remove).rejects.toThrow(/has vectors of another model .* choose another table/);
    // LanceDB keeps what the first index has, for a day.
    if (kind === 'lancedb') expect((await indexInfo(index)).photographs).toBe(12);
    else expect(await build({ overwrite: true })).toMatchObject({ photographs: 12, described: 12 });
  });
});

test('a database that goes away in the middle of the first change: the same command completes it, nothing is described again', async () => {
  const store = addresses.qdrant();
  const view = {
    progress: (label: string) => ({
      update: () => label.startsWith('describe') && (qdrant.refuse = { status: 503 }),
      stop() {},
    }),
    note() {},
  };
  await expect(
    buildIndex({ source: set.manifest, model: set.model, out: index, size: 64, store }, { view }),
  ).rejects.toThrow(/^The store t\d+ of http:\S+: .*503/);
  qdrant.refuse = undefined;
  await expect(openCollection(index)).rejects.toThrow('its building has not ended; run rmac index build again');
  await expect(addToIndex({ source: set.manifest, index })).rejects.toThrow('its building has not ended');
  expect(await build({ store })).toMatchObject({ resumed: 12, described: 0, photographs: 12 });
  const collection = await openCollection(index);
  qdrant.refuse = { status: 503 };
  await expect(collection.similar('rings/1')).rejects.toThrow(/503/);
  qdrant.refuse = undefined;
  expect((await collection.similar('rings/1')).objects[0].object).toBe('rings');
  collection.dispose();
});

test('the head has no password, though the environment does', async () => {
  process.env.PGPASSWORD = 'open sesame';
  try {
    await build({ store: addresses.postgres() });
  } finally {
    delete process.env.PGPASSWORD;
  }
  expect(readFileSync(join(index, 'collection.json'), 'utf8')).not.toContain('sesame');
  rmSync(index, { recursive: true });
});
