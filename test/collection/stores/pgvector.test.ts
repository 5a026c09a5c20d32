import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DatabaseTable } from '../../../src/collection/stores/database.js';
import { openPgvector } from '../../../src/collection/stores/pgvector.js';
import { parseStoreAddress } from '../../../src/collection/stores/store-address.js';
import { type Postgres, startPostgres } from '../../support/postgres.js';
import { describesStore, dimension, recordOf, refusesTables, rowsOf, vectorOf } from '../store-contract.js';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

const model = 'cd'.repeat(32);
let tables = 0;
const newTable = (options = ''): DatabaseTable => ({
  address: parseStoreAddress(postgres.address(`t-${tables++}`, options)),
  model,
  dimension,
});

describesStore(
  () => {
    const table = newTable();
    return { begin: () => openPgvector({ ...table, begin: 'new' }), reopen: () => openPgvector(table) };
  },
  { runs: 6 },
);
refusesTables(openPgvector, newTable);

const change = (seeds: number[], values = dimension) => ({
  records: seeds.map((seed) => recordOf(`p${seed}`, seed)),
  rows: rowsOf(seeds, values),
});

test('more than 2,000 values are of half precision; a graph over them has its own limit', async () => {
  const values = 2001;
  const table = { ...newTable(), dimension: values };
  const store = await openPgvector({ ...table, begin: 'new' });
  await store.change(change([1, 2], values));
  expect((await store.search(vectorOf(2, values), { count: 1 }))[0]).toMatchObject({ id: 'p2' });
  expect([...(await store.vectors(['p1'])).data]).toEqual([...vectorOf(1, values)]);
  await store.close();
  const graph = { ...newTable('&index=hnsw'), dimension: 4001, begin: 'new' as const };
  await expect(openPgvector(graph)).rejects.toThrow('pgvector takes at most 4000 values here, the model has 4001.');
});

test('a graph finds what comparing all finds, where there is little', async () => {
  const table = newTable('&index=hnsw');
  const store = await openPgvector({ ...table, begin: 'new' });
  const seeds = Array.from({ length: 60 }, (_, i) => i);
  await store.change(change(seeds.slice(0, 40)));
  await store.change(change(seeds.slice(40)));
  const found = await store.search(vectorOf(0.3), { count: 50 });
  const dot = (seed: number) => vectorOf(seed).reduce((sum, value, i) => sum + value * vectorOf(0.3)[i], 0);
  const best = seeds.map(dot).toSorted((a, b) => b - a);
  expect(found.length).toBe(50);
  for (const [k, { similarity }] of found.entries()) expect(similarity).toBeCloseTo(best[k], 6);
  expect(await postgres.run(`SELECT * FROM pg_indexes WHERE indexdef LIKE '%hnsw%'`)).toMatchObject([
    { rows: [{ tablename: table.address.table }] },
  ]);
  await store.close();
});

test('a table that rmac has not made is left alone, and one that is gone is said to be', async () => {
  const foreign = newTable();
  await postgres.run(
    `CREATE TABLE "${foreign.address.table}" (id text); COMMENT ON TABLE "${foreign.address.table}" IS 'mine'`,
  );
  for (const begin of [undefined, 'new', 'replace'] as const) {
    await expect(openPgvector({ ...foreign, begin })).rejects.toThrow(/was not made by rmac, which leaves it alone/);
  }
  const table = newTable();
  const store = await openPgvector({ ...table, begin: 'new' });
  await store.change(change([1]));
  await postgres.run(`DROP TABLE "${table.address.table}"`);
  await expect(store.search(vectorOf(1), { count: 1 })).rejects.toThrow(
    /^The store t-\d+ of postgres:\S+: .*does not exist/,
  );
  await store.close();
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** The port of a server that does `talk` with who connects. */
async function serverThat(talk: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    talk(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

/** What PostgreSQL sends for an error. */
function errorMessage(code: string, text: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${text}\0\0`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(fields.length + 4);
  return Buffer.concat([Buffer.from('E'), length, fields]);
}

test('a database that is away, slow, or refuses the password is one line, without the password', async () => {
  const open = (port: number) => {
    const address = parseStoreAddress(`postgres://me@127.0.0.1:${port}/photos?table=art&timeout=0.3`);
    return openPgvector({ address, model, dimension });
  };
  process.env.PGPASSWORD = 'open sesame';
  try {
    const closed = await serverThat(() => undefined);
    await new Promise((resolve) => servers.pop()!.close(resolve));
    await expect(open(closed)).rejects.toThrow(
      `The store art of postgres://me@127.0.0.1:${closed}/photos: the server does not answer (ECONNREFUSED); check the address, and that it runs.`,
    );
    const sockets: Socket[] = [];
    const slow = await serverThat((socket) => sockets.push(socket));
    await expect(open(slow)).rejects.toThrow(/no answer within 0.3 s; run it again, or give .* timeout=SECONDS/);
    for (const socket of sockets) socket.destroy();
    const refusing = await serverThat((socket) =>
      socket.once('data', () => socket.end(errorMessage('28P01', 'password authentication failed for user "me"'))),
    );
    await expect(open(refusing)).rejects.toThrow(/refuses the user, or the password that PGPASSWORD has/);
    const telling = await serverThat((socket) =>
      socket.once('data', () => socket.end(errorMessage('XX000', 'no "open sesame" here\nand more'))),
    );
    await expect(open(telling)).rejects.toThrow(/^The store art of \S+: XX000 no "\*\*\*" here$/);
    const hanging = await serverThat((socket) => socket.once('data', () => socket.destroy()));
    await expect(open(hanging)).rejects.toThrow(/does not answer \(/);
  } finally {
    delete process.env.PGPASSWORD;
  }
});
