/**
 * @file A collection in a table of PostgreSQL with the extension pgvector:
 *   id text, position bigint (order of coming), record jsonb (collection-record.ts), vector vector(D), or halfvec(D) above 2,000 values.
 * The table's comment names the model. A change is one transaction. Everything that comes from photographs and people is a parameter; names
 * of tables are quoted.
 */
import type pg from 'pg';
import { InputError } from '../../errors.js';
import type { DescriptorRows } from '../../linear/rows.js';
import { type CollectionRecord, namedColumns } from '../collection-record.js';
import type { StoreChange, StoredNeighbour, StoreSearch, VectorStore } from '../vector-store.js';
import {
  asking,
  askingEach,
  assertTable,
  type DatabaseTable,
  foreign,
  inOrder,
  missingTable,
  occupied,
  optionalModule,
  parsedRecord,
  recordBatches,
  storeName,
} from './database.js';

/** Values of a vector, and of one in an index by a graph, that pgvector takes at most. */
const mostValues = { vector: 2000, halfvec: 16_000, indexedHalfvec: 4000 };
/** Values that are sent at once, and records that are read at once. */
const sentValues = 1 << 18;
const readRecords = 5000;
/** For statements that take the longer the more there is, ms. */
const noTimeout = { query_timeout: 2 ** 31 - 1 };

type Sql = Pick<pg.ClientBase, 'query'>;

/** @throws InputError where the database is away, the table is not of this index, or a package or an extension is missing. */
export async function openPgvector(table: DatabaseTable): Promise<VectorStore> {
  const { address, dimension } = table;
  const { default: client } = await optionalModule<{ default: typeof pg }>('pg', 'pg@8');
  const { hostname, port, username, pathname } = new URL(address.place);
  const pool = new client.Pool({
    host: decodeURIComponent(hostname.replace(/^\[|\]$/g, '')),
    ...(port && { port: Number(port) }),
    ...(username && { user: decodeURIComponent(username) }),
    database: decodeURIComponent(pathname.slice(1)),
    connectionTimeoutMillis: address.timeout,
    query_timeout: address.timeout,
    max: 4,
    // Nothing that waits for a next query keeps a program running.
    allowExitOnIdle: true,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for what it returns
    onConnect: async (connection) => {
      // The nearest of those that a filter lets through: the graph is walked on until there are enough.
      if (address.index === 'hnsw') {
        await connection.query("SET hnsw.ef_search = 100; SET hnsw.iterative_scan = 'strict_order'");
      }
    },
  });
  pool.on('error', () => undefined); // a connection that breaks while idle is made again
  // One that breaks while it is used fails its query; told to nobody besides, it would end the program.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  const store = new PgvectorStore(pool, table, client.escapeIdentifier(address.table), client.escapeLiteral);
  try {
    await asking(address, () => store.check());
    if (dimension > mostValues.halfvec || (address.index === 'hnsw' && dimension > mostValues.indexedHalfvec)) {
      const most = address.index === 'hnsw' ? mostValues.indexedHalfvec : mostValues.halfvec;
      throw new InputError(`pgvector takes at most ${most} values here, the model has ${dimension}.`);
    }
    return store;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

class PgvectorStore implements VectorStore {
  readonly #type: 'vector' | 'halfvec';
  #begin: boolean;

  constructor(
    private readonly pool: pg.Pool,
    private readonly expected: DatabaseTable,
    /** Quoted. */
    private readonly table: string,
    private readonly literal: (text: string) => string,
  ) {
    this.#type = expected.dimension > mostValues.vector ? 'halfvec' : 'vector';
    this.#begin = expected.begin !== undefined;
  }

  get dimension(): number {
    return this.expected.dimension;
  }

  /** Whether the table is what is expected. */
  async check(): Promise<void> {
    const { expected, table } = this;
    const { address, begin } = expected;
    const { rows } = await this.pool.query<{ there: boolean; comment: string | null }>(
      "SELECT to_regclass($1) IS NOT NULL AS there, obj_description(to_regclass($1), 'pg_class') AS comment",
      [table],
    );
    const [{ there, comment }] = rows;
    if (!there) {
      if (begin === undefined) throw missingTable(address);
      return;
    }
    const [, model, dimension] = /^rmac collection: model (\w+), (\d+) values$/.exec(comment ?? '') ?? [];
    if (model === undefined) throw foreign(address);
    if (begin === undefined) assertTable(expected, { model, dimension: Number(dimension) });
    if (begin === 'new') {
      const count = await this.pool.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
      if (count.rows[0].count !== '0') throw occupied(address, Number(count.rows[0].count));
    }
  }

  change(change: StoreChange): Promise<void> {
    return asking(this.expected.address, async () => {
      const sql = await this.pool.connect();
      try {
        await sql.query('BEGIN');
        await this.#write(sql, change);
        await sql.query({ text: 'COMMIT', ...noTimeout });
        sql.release();
        this.#begin = false;
      } catch (error) {
        sql.release(true); // ends the connection, and with it the transaction
        throw error;
      }
    });
  }

  async #write(sql: Sql, { records = [], rows, remove = [] }: StoreChange): Promise<void> {
    const { table, dimension } = this;
    if (this.#begin) await this.#create(sql);
    else {
      // Another writer waits; readers do not.
      await sql.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
      const gone = [...remove, ...records.map(({ id }) => id)];
      await sql.query({ text: `DELETE FROM ${table} WHERE id = ANY($1)`, values: [gone], ...noTimeout });
    }
    for await (const batch of recordBatches(records, rows, Math.max(1, Math.floor(sentValues / dimension)))) {
      await sql.query(
        `INSERT INTO ${table} (id, record, vector)
         SELECT id, record, vector FROM unnest($1::text[], $2::jsonb[], $3::text[]::${this.#type}[])
           WITH ORDINALITY AS batch (id, record, vector, place) ORDER BY place`,
        [
          batch.records.map(({ id }) => id),
          batch.records.map((record) => JSON.stringify(record)),
          batch.records.map((_, row) => vectorText(batch.data.subarray(row * dimension, (row + 1) * dimension))),
        ],
      );
    }
    if (this.#begin && this.expected.address.index === 'hnsw') {
      const text = `CREATE INDEX ON ${table} USING hnsw (vector ${this.#type}_ip_ops)`;
      await sql.query({ text, ...noTimeout });
    }
  }

  async search(query: Float32Array, { count, where = {}, signal }: StoreSearch): Promise<StoredNeighbour[]> {
    signal?.throwIfAborted();
    const values: unknown[] = [vectorText(query), count];
    const conditions = Object.entries(where).map(([column, accepted]) => {
      const isNamed = namedColumns.some((name) => name === column);
      values.push(isNamed ? [column] : ['columns', column], accepted);
      return `record #>> $${values.length - 1}::text[] = ANY($${values.length}::text[])`;
    });
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const distance = `vector <#> $1::${this.#type}`; // the negative dot product
    // By distance alone, the graph is used; by position too, equal ones have an order.
    const order = this.expected.address.index === 'hnsw' ? 'distance' : 'distance, position';
    const found = await asking(this.expected.address, () =>
      this.pool.query<{ id: string; distance: number }>(
        `SELECT id, distance FROM
           (SELECT id, position, ${distance} AS distance FROM ${this.table} ${filter} ORDER BY ${order} LIMIT $2) AS nearest
         ORDER BY distance, position`,
        values,
      ),
    );
    return found.rows.map(({ id, distance: negative }) => ({ id, similarity: -negative }));
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    const { address, dimension } = this.expected;
    const found = await asking(address, () =>
      this.pool.query<{ id: string; vector: string }>(
        `SELECT id, vector::text AS vector FROM ${this.table} WHERE id = ANY($1)`,
        [ids],
      ),
    );
    const vectors = found.rows.map(({ id, vector }): [string, number[]] => [id, JSON.parse(vector)]);
    return inOrder(address, ids, dimension, new Map(vectors));
  }

  records(): AsyncIterable<CollectionRecord> {
    return askingEach(this.expected.address, this.#records());
  }

  /** Of one moment, however many requests it takes. */
  async *#records(): AsyncGenerator<CollectionRecord> {
    const sql = await this.pool.connect();
    try {
      await sql.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      for (let after = '-1'; ; ) {
        const { rows } = await sql.query<{ position: string; record: unknown }>(
          `SELECT position, record FROM ${this.table} WHERE position > $1 ORDER BY position LIMIT ${readRecords}`,
          [after],
        );
        for (const { record } of rows) yield parsedRecord(this.expected.address, record);
        if (rows.length < readRecords) break;
        after = rows[rows.length - 1].position;
      }
      await sql.query('COMMIT');
      sql.release();
    } catch (error) {
      sql.release(true);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.pool.ended) await this.pool.end();
  }

  async #create(sql: Sql): Promise<void> {
    const { table, expected } = this;
    await sql.query('CREATE EXTENSION IF NOT EXISTS vector').catch((error: unknown) => {
      const { code } = error as { code?: string };
      if (code !== '0A000' && code !== '58P01' && code !== '42501') throw error;
      throw new InputError(
        `${storeName(expected.address)}: the extension pgvector is not there; install it, and have CREATE EXTENSION vector run in this database.`,
      );
    });
    await sql.query(`DROP TABLE IF EXISTS ${table}`);
    await sql.query(
      `CREATE TABLE ${table} (id text PRIMARY KEY, position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
         record jsonb NOT NULL, vector ${this.#type}(${expected.dimension}) NOT NULL)`,
    );
    const comment = `rmac collection: model ${expected.model}, ${expected.dimension} values`;
    await sql.query(`COMMENT ON TABLE ${table} IS ${this.literal(comment)}`);
  }
}

const vectorText = (row: Float32Array) => `[${row.join(',')}]`;
