/**
 * @file A collection in a table of LanceDB, which is a folder on disk:
 *   id, key (32 digits made of it), position (order of coming), keys (what can be filtered by, database.ts), record (JSON,
 *   collection-record.ts), vector (D float32 values); the model is in the table's metadata.
 * A change is several of its versions; the index folder's head names the last, so that a change is seen as a whole, and what an interrupted
 * one left is undone by the next. Queries there are text: all that is put into them are digits that this project has made.
 */
import { createRequire } from 'node:module';
import { InputError } from '../../errors.js';
import type { DescriptorRows } from '../../linear/rows.js';
import type { CollectionRecord } from '../collection-record.js';
import type { StoreChange, StoredNeighbour, StoreSearch, VectorStore } from '../vector-store.js';
import {
  asking,
  askingEach,
  assertTable,
  columnKey,
  columnKeys,
  type DatabaseTable,
  digestOf,
  foreign,
  inOrder,
  missingTable,
  occupied,
  optionalModule,
  parsedRecord,
  partsOf,
  recordBatches,
  storeName,
} from './database.js';
import type { Arrow, ArrowSchema, ArrowTable, LanceConnection, LanceDb, LanceTable } from './lancedb-types.js';

/** Values that are written at once, rows that are named at once. */
const writtenValues = 1 << 24;
const namedRows = 1000;
/** Rows from which an index by cells or a graph can be made. */
const fewestIndexed = 1000;
/** Versions of a table that are younger than a day are kept for those who read them, ms. */
const keptFor = 24 * 3600 * 1000;
const modelKey = 'rmac model';

/** @throws InputError where the table is not of this index, or the package is missing. */
export async function openLanceDb(table: DatabaseTable): Promise<VectorStore> {
  const { address } = table;
  process.env.LANCEDB_LOG ??= 'error'; // else it tells on stderr that a new table is new
  const lance = await optionalModule<LanceDb>('@lancedb/lancedb', '@lancedb/lancedb@0.31.0');
  // The very module that LanceDB has loaded: tables made by another copy are not tables to it.
  const require = createRequire(import.meta.url);
  const arrow = createRequire(require.resolve('@lancedb/lancedb'))('apache-arrow') as Arrow;
  return asking(address, async () => {
    const connection = await lance.connect(address.place);
    const store = new LanceStore(lance, arrow, connection, table);
    await store.check();
    return store;
  });
}

class LanceStore implements VectorStore {
  #table: LanceTable | undefined;
  #begin: boolean;
  #version: number | undefined;

  constructor(
    private readonly lance: LanceDb,
    private readonly arrow: Arrow,
    private readonly connection: LanceConnection,
    private readonly expected: DatabaseTable,
  ) {
    this.#begin = expected.begin !== undefined;
  }

  get dimension(): number {
    return this.expected.dimension;
  }

  get version(): number | undefined {
    return this.#version;
  }

  /** Opens the table where there is one. */
  async check(): Promise<void> {
    const { expected, connection } = this;
    const { address, begin, version } = expected;
    if (!(await connection.tableNames()).includes(address.table)) {
      if (begin === undefined) throw missingTable(address);
      return;
    }
    const table = await connection.openTable(address.table);
    if (version !== undefined) {
      await table.checkout(version).catch(() => {
        throw new InputError(
          `${storeName(address)} has no version ${version} any more; build the index again with --overwrite.`,
        );
      });
    }
    await this.#assertExpected(table);
    const rows = await table.countRows();
    if (begin === 'new' && rows > 0) throw occupied(address, rows);
    this.#table = table;
  }

  change({ records = [], rows, remove = [] }: StoreChange): Promise<void> {
    const { expected, connection, dimension } = this;
    const { address } = expected;
    return asking(address, async () => {
      const table = this.#begin
        ? await connection.createEmptyTable(address.table, this.#schema(), { mode: 'overwrite' })
        : await this.#latest();
      let position = 0;
      if (!this.#begin) {
        const gone = [...remove, ...records.map(({ id }) => id)];
        for (const part of partsOf(gone, namedRows)) await table.delete(keyIn(part));
        for (const each of await table.query().select(['position']).toArray()) {
          position = Math.max(position, each.position + 1);
        }
      }
      for await (const batch of recordBatches(records, rows, Math.max(1, Math.floor(writtenValues / dimension)))) {
        await table.add(this.#rows(batch.records, batch.data, position));
        position += batch.records.length;
      }
      await this.#optimize(table);
      this.#table = table;
      this.#begin = false;
      this.#version = await table.version();
    });
  }

  async search(query: Float32Array, { count, where = {}, signal }: StoreSearch): Promise<StoredNeighbour[]> {
    signal?.throwIfAborted();
    if (count < 1) return [];
    const { address } = this.expected;
    const conditions = Object.entries(where).map(([column, values]) =>
      values.length === 0
        ? 'false'
        : `array_has_any(keys, make_array(${values.map((value) => `'${columnKey(column, value)}'`).join(', ')}))`,
    );
    const found = await asking(address, () => {
      let nearest = this.#opened().query().nearestTo(query).distanceType('dot').limit(count);
      if (address.index === 'none') nearest = nearest.bypassVectorIndex();
      // Codes of the index find candidates, the vectors themselves decide.
      else
        nearest = nearest
          .nprobes(20)
          .ef(Math.max(100, 2 * count))
          .refineFactor(4);
      if (conditions.length > 0) nearest = nearest.where(conditions.join(' AND '));
      return nearest.select(['id', 'position', '_distance']).toArray({ timeoutMs: address.timeout });
    });
    return found
      .map(({ id, position, _distance }) => ({ id, similarity: 1 - _distance, position }))
      .toSorted((a, b) => b.similarity - a.similarity || a.position - b.position)
      .map(({ id, similarity }) => ({ id, similarity }));
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    const { address, dimension } = this.expected;
    const vectors = new Map<string, ArrayLike<number>>();
    for (const part of partsOf(ids, namedRows)) {
      const rows = await asking(address, () =>
        this.#opened().query().where(keyIn(part)).select(['id', 'vector']).toArray({ timeoutMs: address.timeout }),
      );
      for (const { id, vector } of rows) vectors.set(id, vector.toArray());
    }
    return inOrder(address, ids, dimension, vectors);
  }

  records(): AsyncIterable<CollectionRecord> {
    return askingEach(this.expected.address, this.#records());
  }

  async *#records(): AsyncGenerator<CollectionRecord> {
    const rows = await this.#opened().query().select(['position', 'record']).toArray();
    const plain = rows.map(({ position, record }) => ({ position, record }));
    for (const { record } of plain.toSorted((a, b) => a.position - b.position)) {
      yield parsedRecord(this.expected.address, record);
    }
  }

  async close(): Promise<void> {
    this.#table?.close();
    this.connection.close();
  }

  #opened(): LanceTable {
    if (this.#table === undefined) throw missingTable(this.expected.address);
    return this.#table;
  }

  /** The table as its head knows it, to be written to: what a killed writer added since is undone. */
  async #latest(): Promise<LanceTable> {
    const table = this.#opened();
    const known = await table.version();
    await table.checkoutLatest();
    if (known !== (await table.version())) {
      await this.#assertExpected(table);
      await table.checkout(known);
      await table.restore();
    }
    return table;
  }

  async #assertExpected(table: LanceTable): Promise<void> {
    const { metadata, fields } = await table.schema();
    const model = metadata.get(modelKey);
    if (model === undefined) throw foreign(this.expected.address);
    const dimension = fields.find(({ name }) => name === 'vector')?.type.listSize ?? 0;
    if (!this.#begin) assertTable(this.expected, { model, dimension });
  }

  /** Joins small files, tells the index of new rows, or makes it where there are enough. */
  async #optimize(table: LanceTable): Promise<void> {
    const { index } = this.expected.address;
    await table.optimize({ cleanupOlderThan: new Date(Date.now() - keptFor) });
    if (index === 'none' || (await table.listIndices()).length > 0) return;
    if ((await table.countRows()) < fewestIndexed) return;
    const { Index } = this.lance;
    const options = { distanceType: 'dot' } as const;
    await table.createIndex('vector', { config: index === 'hnsw' ? Index.hnswSq(options) : Index.ivfFlat(options) });
  }

  #schema(): ArrowSchema {
    const { Schema, Field, Utf8, Float64, Float32, List, FixedSizeList } = this.arrow;
    const text = new Utf8();
    return new Schema(
      [
        new Field('id', text, false),
        new Field('key', text, false),
        new Field('position', new Float64(), false),
        new Field('keys', new List(new Field('item', text, true)), false),
        new Field('record', text, false),
        new Field('vector', new FixedSizeList(this.dimension, new Field('item', new Float32(), true)), false),
      ],
      new Map([[modelKey, this.expected.model]]),
    );
  }

  /** `data`: [N, D]. */
  #rows(records: readonly CollectionRecord[], data: Float32Array, position: number): ArrowTable {
    const { Float32, Float64, RecordBatch, Struct, Table, Utf8, makeData, vectorFromArray } = this.arrow;
    const schema = this.#schema();
    const typeOf = (name: string) => schema.fields.find((field) => field.name === name)!.type;
    const texts = (values: string[]) => vectorFromArray(values, new Utf8()).data[0];
    const length = records.length;
    const children = [
      texts(records.map(({ id }) => id)),
      texts(records.map(({ id }) => digestOf(id))),
      makeData({ type: new Float64(), length, data: Float64Array.from(records, (_, row) => position + row) }),
      vectorFromArray(records.map(columnKeys), typeOf('keys')).data[0],
      texts(records.map((record) => JSON.stringify(record))),
      makeData({ type: typeOf('vector'), length, child: makeData({ type: new Float32(), length: data.length, data }) }),
    ];
    return new Table(schema, new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, children })));
  }
}

function keyIn(ids: readonly string[]): string {
  return `key IN (${ids.map((id) => `'${digestOf(id)}'`).join(', ')})`;
}
