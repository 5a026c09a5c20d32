/**
 * @file Stores of collections beside each other: seconds to fill one, milliseconds a query, and the share of the ten nearest (of all rows, by the
 * embedded store) that each finds. Vectors are unit ones around 1 centre a 20 rows, queries lie beside rows. Prints one JSON line a store.
 *   npm run bench:stores -- [--count 20000] [--dimension 512] [ADDRESS ...]
 * Without addresses: LanceDB where it is installed, and PostgreSQL with pgvector compiled to WebAssembly (PGlite), whose times say
 * nothing of a server's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import { beginStore } from '../../src/collection/open-store.js';
import type { CollectionStore } from '../../src/collection/vector-store.js';
import { messageOf } from '../../src/errors.js';
import type { DescriptorRows } from '../../src/linear/rows.js';
import { startPostgres } from '../../test/support/postgres.js';
import { clock, median, noise, print, rounded } from './process.js';

const { values, positionals } = parseArgs({
  options: { count: { type: 'string', default: '20000' }, dimension: { type: 'string', default: '512' } },
  allowPositionals: true,
});
const count = Number(values.count);
const dimension = Number(values.dimension);
const queries = 50;
const perCluster = 20;
const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-stores-'));

function unit(data: Float32Array): Float32Array {
  const length = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
  return data.map((value) => value / length);
}

/** Rows `first` to `last`: each half its cluster's centre, half noise. */
function rowsFrom(first: number, last: number, seed: number): DescriptorRows {
  const data = new Float32Array((last - first) * dimension);
  for (let row = first; row < last; row++) {
    const centre = noise(1 + Math.floor(row / perCluster));
    const own = noise(seed + row);
    const vector = unit(Float32Array.from({ length: dimension }, () => centre() - 0.5 + (own() - 0.5)));
    data.set(vector, (row - first) * dimension);
  }
  return { dimension, data };
}

async function* allRows(): AsyncGenerator<DescriptorRows> {
  for (let first = 0; first < count; first += 1000) yield rowsFrom(first, Math.min(count, first + 1000), 1_000_000);
}

const records = Array.from({ length: count }, (_, i): CollectionRecord => {
  const file = { path: `photographs/${i}.jpg`, bytes: 100_000, modified: 1.7e12, sha256: `${i}`.padStart(64, '0') };
  return { id: `photograph-${i}`, ...file, title: `Title of photograph ${i}`, columns: { town: `town-${i % 100}` } };
});

async function filled(address?: string): Promise<{ store: CollectionStore; seconds: number }> {
  const model = { file: 'model-0.safetensors', sha256: '0'.repeat(64), dimension };
  const head = { name: 'bench', model, describing: {}, next: 1, ...(address && { store: { address } }) };
  const store = await beginStore(mkdtempSync(join(folder, 'index-')), head, { replace: true });
  const elapsed = clock();
  await store.change({ records, rows: allRows() });
  return { store, seconds: elapsed().ms / 1000 };
}

async function answers(store: CollectionStore): Promise<{ ids: string[][]; ms: number }> {
  const ids: string[][] = [];
  const times: number[] = [];
  for (let q = 0; q < queries; q++) {
    const row = Math.floor((q * count) / queries);
    const { data } = rowsFrom(row, row + 1, 2_000_000);
    const elapsed = clock();
    ids.push((await store.search(data, { count: 10 })).map(({ id }) => id));
    times.push(elapsed().ms);
  }
  return { ids, ms: median(times) };
}

const postgres = positionals.length === 0 ? await startPostgres() : undefined;
try {
  const embedded = await filled();
  const exact = await answers(embedded.store);
  const of = `${count} x ${dimension}`;
  print({ store: 'embedded', of, fillSeconds: rounded(embedded.seconds, 1), ms: rounded(exact.ms, 1), recall10: 1 });
  await embedded.store.close();
  const indexes = ['none', 'hnsw', 'ivf'].map((index) => `lancedb:${join(folder, index)}?index=${index}`);
  const own = postgres && [
    postgres.address('flat', '&timeout=3600'),
    postgres.address('graph', '&index=hnsw&timeout=3600'),
  ];
  for (const address of own === undefined ? positionals : [...indexes, ...own]) {
    const name = address.replace(folder, '');
    try {
      const { store, seconds } = await filled(address);
      const { ids, ms } = await answers(store);
      const shared = ids.map((found, q) => found.filter((id) => exact.ids[q].includes(id)).length / 10);
      const recall10 = rounded(shared.reduce((sum, share) => sum + share, 0) / queries, 3);
      print({ store: name, of, fillSeconds: rounded(seconds, 1), ms: rounded(ms, 1), recall10 });
      await store.close();
    } catch (error) {
      print({ store: name, error: messageOf(error) });
    }
  }
} finally {
  await postgres?.stop();
  rmSync(folder, { recursive: true });
}
