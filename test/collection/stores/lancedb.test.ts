import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import type { DatabaseTable } from '../../../src/collection/stores/database.js';
import { openLanceDb } from '../../../src/collection/stores/lancedb.js';
import { parseStoreAddress } from '../../../src/collection/stores/store-address.js';
import type { VectorStore } from '../../../src/collection/vector-store.js';
import { describesStore, dimension, refusesTables } from '../store-contract.js';

const name: string = '@lancedb/lancedb'; // which the compiler does not ask for
const isInstalled = await import(name).then(
  () => true,
  () => false,
);
const folder = mkdtempSync(join(tmpdir(), 'rmac-lancedb-'));
afterAll(() => rmSync(folder, { recursive: true }));

let tables = 0;
const newTable = (options = ''): DatabaseTable => ({
  address: parseStoreAddress(`lancedb:${folder}?table=t-${tables++}${options}`),
  model: 'cd'.repeat(32),
  dimension,
});

describe.skipIf(!isInstalled)('LanceDB (skipped where @lancedb/lancedb is not installed)', () => {
  describesStore(
    () => {
      const table = newTable();
      let store: VectorStore;
      return {
        begin: async () => (store = await openLanceDb({ ...table, begin: 'new' })),
        reopen: () => openLanceDb({ ...table, version: store.version }),
      };
    },
    { runs: 6 },
  );
  refusesTables(openLanceDb, newTable);
});
