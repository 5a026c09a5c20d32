import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatabaseTable } from '../../../src/collection/stores/database.js';
import { openQdrant } from '../../../src/collection/stores/qdrant.js';
import { parseStoreAddress } from '../../../src/collection/stores/store-address.js';
import { type StandIn, startQdrant } from '../../support/qdrant.js';
import { describesStore, dimension, recordOf, refusesTables, rowsOf, vectorOf } from '../store-contract.js';

let standIn: StandIn;
let url: string;
beforeAll(async () => {
  standIn = await startQdrant();
  url = process.env.QDRANT_URL ?? standIn.url; // a server, where there is one
});
afterAll(() => standIn.stop());

const run = Date.now().toString(36);
let tables = 0;
const tableAt = (server: string, options = ''): DatabaseTable => ({
  address: parseStoreAddress(`qdrant+${server}/rmac-test-${run}-${tables++}${options}`),
  model: 'cd'.repeat(32),
  dimension,
});
const newTable = () => tableAt(url);

describesStore(
  () => {
    const table = newTable();
    return { begin: () => openQdrant({ ...table, begin: 'new' }), reopen: () => openQdrant(table) };
  },
  { runs: 6 },
);
refusesTables(openQdrant, newTable);

test('a collection that rmac has not made is left alone', async () => {
  const table = newTable();
  const server = table.address.place;
  const put = (path: string, body: object) =>
    fetch(`${server}/collections/${table.address.table}${path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await put('', { vectors: { size: 2, distance: 'Dot' } });
  const points = [{ id: '00000000-0000-4000-8000-000000000000', vector: [1, 0], payload: { name: 'mine' } }];
  expect((await put('/points?wait=true', { points })).status).toBe(200);
  for (const begin of [undefined, 'new', 'replace'] as const) {
    await expect(openQdrant({ ...table, begin })).rejects.toThrow(/was not made by rmac, which leaves it alone/);
  }
});

test('more photographs than are sent, named or read at once', async () => {
  const table = newTable();
  const store = await openQdrant({ ...table, begin: 'new' });
  const seeds = Array.from({ length: 2500 }, (_, i) => i);
  const records = seeds.map((seed) => recordOf(`p${seed}`, seed));
  await store.change({ records, rows: rowsOf(seeds) });
  await store.change({ remove: seeds.slice(0, 1100).map((seed) => `p${seed}`) });
  const read = [];
  for await (const { id } of store.records()) read.push(id);
  expect(read).toEqual(seeds.slice(1100).map((seed) => `p${seed}`));
  expect((await store.vectors(read)).data.slice(-dimension)).toEqual(vectorOf(2499));
});

test('a server that is away, silent, or refuses the key is one line, without the key', async () => {
  const server = await startQdrant();
  const open = () => openQdrant(tableAt(server.url, '?timeout=0.3'));
  process.env.QDRANT_API_KEY = 'open sesame';
  try {
    for (const status of [401, 403]) {
      server.refuse = { status };
      await expect(open()).rejects.toThrow(/refuses the user, or the password that QDRANT_API_KEY has/);
    }
    server.refuse = { status: 500 };
    await expect(open()).rejects.toThrow(/^The store rmac-test-\S+ of http:\S+: .*500/);
    server.refuse = 'silent';
    await expect(open()).rejects.toThrow(/no answer within 0.3 s/);
    await server.stop();
    await expect(open()).rejects.toThrow(/the server does not answer \(ECONNREFUSED\)/);
  } finally {
    delete process.env.QDRANT_API_KEY;
  }
});
