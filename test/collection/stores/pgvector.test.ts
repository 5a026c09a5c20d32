import { afterAll, beforeAll, expect, test } from 'vitest';
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
