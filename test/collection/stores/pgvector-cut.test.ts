import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginStore, openStore } from '../../../src/collection/open-store.js';
import type { CollectionStore, StoreChange } from '../../../src/collection/vector-store.js';
import { type CutOff, cutOff } from '../../support/cut-off.js';
import { type Postgres, startPostgres } from '../../support/postgres.js';
import { dimension, recordOf, rowsOf, vectorOf } from '../store-contract.js';

let postgres: Postgres;
let way: CutOff;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-cut-'));
  postgres = await startPostgres();
  const { hostname, port } = new URL(postgres.address('x'));
  way = await cutOff({ host: hostname, port: Number(port) });
});
afterAll(async () => {
  await way.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

type Photographs = Readonly<Record<string, number>>;
const old: Photographs = { a: 1, b: 2, c: 3 };
const changed: Photographs = { b: 2, c: 30, d: 4 };
const toChanged = (): StoreChange => ({
  records: [recordOf('c', 30), recordOf('d', 4)],
  rows: rowsOf([30, 4]),
  remove: ['a'],
});

let tables = 0;
/** A new index whose vectors are behind the way. */
async function begin(): Promise<{ index: string; store: CollectionStore; again: () => Promise<CollectionStore> }> {
  const name = `cut-${tables++}`;
  const index = join(folder, name);
  const address = `postgres://postgres@127.0.0.1:${way.port}/postgres?table=${name}&timeout=5`;
  const model = { file: 'model-0.safetensors', sha256: 'cd'.repeat(32), dimension };
  const head = { name, model, describing: {}, next: 1, store: { address } };
  const again = () => beginStore(index, head, { replace: true });
  return { index, store: await beginStore(index, head, { replace: false }), again };
}

const addOld = (): StoreChange => ({
  records: Object.entries(old).map(([id, seed]) => recordOf(id, seed)),
  rows: rowsOf(Object.values(old)),
});

/** Ids with the seeds of their vectors, which must be those of their records. */
async function photographsOf(store: CollectionStore): Promise<Photographs> {
  const found: Record<string, number> = {};
  for (const { id, sha256 } of store.records()) found[id] = Number(sha256);
  const { data } = await store.vectors(Object.keys(found));
  expect([...data]).toEqual(Object.values(found).flatMap((seed) => [...vectorOf(seed)]));
  return found;
}

async function read(index: string): Promise<Photographs> {
  const store = await openStore(index);
  try {
    return await photographsOf(store);
  } finally {
    await store.close();
  }
}

/** Cuts `change` at its every statement, in both phases, until it is long enough to be uncut; what comes before it is `prepare`'s. */
async function atEveryStatement<T>(
  prepare: () => Promise<T>,
  change: (prepared: T) => Promise<void>,
  check: (prepared: T) => Promise<void>,
): Promise<number> {
  for (const phase of ['before', 'after'] as const) {
    for (let at = 1; ; at++) {
      const prepared = await prepare();
      Object.assign(way, { count: 0, at, phase });
      const error = await change(prepared).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const reached = way.count;
      way.at = 0;
      if (reached < at) {
        expect(error).toBeUndefined();
        if (phase === 'after') return reached;
        break;
      }
      await check(prepared);
    }
  }
  return 0;
}

test('a change that is cut off at any statement is seen as a whole or not at all, and the same change completes it', async () => {
  const seen = new Set<string>();
  const statements = await atEveryStatement(
    async () => {
      const { index, store } = await begin();
      await store.change(addOld());
      await store.setThreshold({ similarity: 0.5, how: 'of the old ones' });
      await store.close();
      return { index, store: await openStore(index) };
    },
    ({ store }) => store.change(toChanged()),
    async ({ index, store }) => {
      await store.close();
      const found = await read(index);
      expect([old, changed]).toContainEqual(found);
      seen.add(JSON.stringify(found));
      const next = await openStore(index);
      expect(next.hasThreshold).toBe(false);
      await next.change(toChanged());
      expect(await photographsOf(next)).toEqual(changed);
      await next.close();
      expect(await read(index)).toEqual(changed);
    },
  );
  // BEGIN, LOCK, DELETE, INSERT, COMMIT, and what is read again
  expect(statements).toBeGreaterThan(5);
  expect(seen.size).toBe(2);
});

test('the first change, cut off at any statement: no index that can be read, or a whole one', async () => {
  await atEveryStatement(
    begin,
    ({ store }) => store.change(addOld()),
    async ({ index, store, again }) => {
      await store.close();
      await expect(openStore(index)).rejects.toThrow(/its building has not ended; run rmac index build again/);
      const next = await again();
      await next.change(addOld());
      await next.close();
      expect(await read(index)).toEqual(old);
    },
  );
});
