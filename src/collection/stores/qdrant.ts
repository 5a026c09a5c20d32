/**
 * @file A collection in Qdrant, by its REST interface. Ids there are numbers or UUIDs, so a point's id is made of the photograph's, which is in
 * its payload: {model, id, position (order of coming), keys (what can be filtered by, database.ts), record (collection-record.ts)}.
 * Qdrant has no transactions: whoever searches during a change may find a part of it. One that was interrupted is completed by the
 * same command.
 */
import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import type { DescriptorRows } from '../../linear/rows.js';
import { type CollectionRecord } from '../collection-record.js';
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
} from './database.js';

/** Values that are sent at once, points that are named or read at once. */
const sentValues = 1 << 17;
const namedPoints = 1000;

interface Payload {
  model: string;
  id: string;
  position: number;
  keys: string[];
  record: CollectionRecord;
}

/** @throws InputError where the database is away, the collection is not of this index, or the package is missing. */
export async function openQdrant(table: DatabaseTable): Promise<VectorStore> {
  const { address } = table;
  const { QdrantClient: Client } = await optionalModule<{ QdrantClient: typeof QdrantClient }>(
    '@qdrant/js-client-rest',
    '@qdrant/js-client-rest@1.19',
  );
  const apiKey = process.env.QDRANT_API_KEY;
  const client = new Client({
    url: address.place,
    ...(apiKey && { apiKey }),
    timeout: address.timeout,
    checkCompatibility: false,
  });
  const store = new QdrantStore(client, table);
  await asking(address, () => store.check());
  return store;
}

class QdrantStore implements VectorStore {
  #begin: boolean;

  constructor(
    private readonly client: QdrantClient,
    private readonly expected: DatabaseTable,
  ) {
    this.#begin = expected.begin !== undefined;
  }

  get dimension(): number {
    return this.expected.dimension;
  }

  /** Whether the collection is what is expected. */
  async check(): Promise<void> {
    const { client, expected } = this;
    const { address, begin, model } = expected;
    const { exists } = await client.collectionExists(address.table);
    if (!exists) {
      if (begin === undefined) throw missingTable(address);
      return;
    }
    const count = async (filter: Schemas['Filter']) =>
      (await client.count(address.table, { filter, exact: true })).count;
    if ((await count({ must: [{ is_empty: { key: 'model' } }] })) > 0) throw foreign(address);
    if (begin === 'replace') return;
    const all = await count({});
    if (begin === 'new' && all > 0) throw occupied(address, all);
    if (begin === 'new') return;
    const of = { key: 'model', match: { value: model } };
    const { points } = await client.scroll(address.table, {
      limit: 1,
      filter: { must_not: [of] },
      with_payload: ['model'],
    });
    const { config } = await client.getCollection(address.table);
    assertTable(expected, {
      model: (points[0]?.payload as Payload | undefined)?.model ?? model,
      dimension: Number(config.params.vectors?.size),
    });
  }

  change({ records = [], rows, remove = [] }: StoreChange): Promise<void> {
    const { client, expected, dimension } = this;
    const { address, model } = expected;
    return asking(address, async () => {
      if (this.#begin) await this.#create();
      let position = await this.#nextPosition();
      for await (const batch of recordBatches(records, rows, Math.max(1, Math.floor(sentValues / dimension)))) {
        const points = batch.records.map((record, row) => ({
          id: pointId(record.id),
          vector: [...batch.data.subarray(row * dimension, (row + 1) * dimension)],
          payload: { model, id: record.id, position: position++, keys: columnKeys(record), record } satisfies Payload,
        }));
        await client.upsert(address.table, { wait: true, points });
      }
      const added = new Set(records.map(({ id }) => id));
      const gone = [...remove].filter((id) => !added.has(id));
      for (const part of partsOf(gone, namedPoints)) {
        await client.delete(address.table, { wait: true, points: part.map(pointId) });
      }
      this.#begin = false;
    });
  }

  async search(query: Float32Array, { count, where = {}, signal }: StoreSearch): Promise<StoredNeighbour[]> {
    signal?.throwIfAborted();
    const { address } = this.expected;
    const must = Object.entries(where).map(([column, values]) => ({
      key: 'keys',
      match: { any: values.map((value) => columnKey(column, value)) },
    }));
    const { points } = await asking(address, () =>
      this.client.query(address.table, {
        query: [...query],
        limit: count,
        filter: { must },
        params: { exact: address.index === 'none' },
        with_payload: ['id', 'position'],
      }),
    );
    return points
      .map(({ score, payload }) => ({ similarity: score, ...(payload as Pick<Payload, 'id' | 'position'>) }))
      .toSorted((a, b) => b.similarity - a.similarity || a.position - b.position)
      .map(({ id, similarity }) => ({ id, similarity }));
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    const { address, dimension } = this.expected;
    const vectors = new Map<string, number[]>();
    for (const part of partsOf(ids, namedPoints)) {
      const points = await asking(address, () =>
        this.client.retrieve(address.table, { ids: part.map(pointId), with_vector: true, with_payload: ['id'] }),
      );
      for (const { payload, vector } of points) vectors.set((payload as unknown as Payload).id, vector as number[]);
    }
    return inOrder(address, ids, dimension, vectors);
  }

  records(): AsyncIterable<CollectionRecord> {
    return askingEach(this.expected.address, this.#records());
  }

  async *#records(): AsyncGenerator<CollectionRecord> {
    const { address } = this.expected;
    for (let from = 0; ; ) {
      const { points } = await this.client.scroll(address.table, {
        limit: namedPoints,
        order_by: { key: 'position', direction: 'asc', start_from: from },
        with_payload: ['position', 'record'],
      });
      const payloads = points.map(({ payload }) => payload as unknown as Payload);
      for (const { record } of payloads) yield parsedRecord(address, record);
      if (payloads.length < namedPoints) return;
      from = payloads[payloads.length - 1].position + 1;
    }
  }

  async close(): Promise<void> {
    // requests keep nothing open
  }

  async #create(): Promise<void> {
    const { client, expected } = this;
    const { address, dimension } = expected;
    await client.deleteCollection(address.table);
    await client.createCollection(address.table, { vectors: { size: dimension, distance: 'Dot', on_disk: true } });
    const index = (field_name: string, field_schema: 'keyword' | 'integer') =>
      client.createPayloadIndex(address.table, { field_name, field_schema, wait: true });
    await index('model', 'keyword');
    await index('keys', 'keyword');
    await index('position', 'integer');
  }

  async #nextPosition(): Promise<number> {
    const { points } = await this.client.scroll(this.expected.address.table, {
      limit: 1,
      order_by: { key: 'position', direction: 'desc' },
      with_payload: ['position'],
    });
    return points.length === 0 ? 0 : (points[0].payload as unknown as Payload).position + 1;
  }
}

/** A UUID of what the id is; of version 8, whose digits are anybody's. */
function pointId(id: string): string {
  const hex = digestOf(id);
  const variant = '89ab'[Number.parseInt(hex[16], 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
