/**
 * @file The store of an index folder whose vectors and records are in a database. The folder has the head and the model; the records are read
 * when the index is opened. Who writes holds the lock of the folder.
 */
import { groupBy } from '../data/group-by.js';
import { InputError } from '../errors.js';
import type { DescriptorRows } from '../linear/rows.js';
import { type CollectionRecord, columnOf } from './collection-record.js';
import { type IndexHead, type LearnedThreshold, photographPath, stateOf, writeHead } from './index-folder.js';
import type { DatabaseTable } from './stores/database.js';
import { openLanceDb } from './stores/lancedb.js';
import { openPgvector } from './stores/pgvector.js';
import { openQdrant } from './stores/qdrant.js';
import { parseStoreAddress } from './stores/store-address.js';
import type { CollectionStore, StoreChange, StoredNeighbour, StoreSearch, VectorStore } from './vector-store.js';

/** The head of an index whose vectors are in a database. */
type DatabaseHead = IndexHead & Required<Pick<IndexHead, 'store'>>;

const openers = { postgres: openPgvector, qdrant: openQdrant, lancedb: openLanceDb };

/** Photographs as they were when the index was opened, and as this object changes them; vectors as they are in the database. */
export class DatabaseStore implements CollectionStore {
  /** By id, in the order in which they came. */
  #records: ReadonlyMap<string, CollectionRecord> = new Map();
  /** Ids by value, of columns that were asked about. */
  readonly #columns = new Map<string, ReadonlyMap<string, string[]>>();

  private constructor(
    private readonly folder: string,
    private current: DatabaseHead,
    /** Undefined before the first change of a store that has just begun. */
    private store: VectorStore | undefined,
    private readonly begin?: DatabaseTable['begin'],
  ) {}

  /** @throws InputError where the database is away, or the table is not that of the index. */
  static async open(folder: string, head: DatabaseHead): Promise<DatabaseStore> {
    if (head.store.begun === true) {
      throw new InputError(`Cannot read the index ${folder}: its building has not ended; run rmac index build again.`);
    }
    const store = await openTable(folder, head);
    const opened = new DatabaseStore(folder, head, store);
    try {
      await opened.#read();
      return opened;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /**
   * An empty one, of which nothing is written before the first change.
   * @throws InputError where the database is away, or the table is somebody else's; without `replace`, where it is not empty.
   */
  static async begin(folder: string, head: DatabaseHead, replace: boolean): Promise<DatabaseStore> {
    const begin = replace ? 'replace' : 'new';
    await (await openTable(folder, head, begin)).close();
    return new DatabaseStore(folder, head, undefined, begin);
  }

  get head(): Readonly<IndexHead> {
    return this.current;
  }

  get dimension(): number {
    return this.current.model.dimension;
  }

  setDimension(dimension: number): void {
    this.current = { ...this.current, model: { ...this.current.model, dimension } };
  }

  get size(): number {
    return this.#records.size;
  }

  records(): Iterable<CollectionRecord> {
    return this.#records.values();
  }

  ids(): string[] {
    return [...this.#records.keys()];
  }

  record(id: string): CollectionRecord | undefined {
    return this.#records.get(id);
  }

  values(column: string): string[] {
    return [...this.#byValue(column).keys()];
  }

  having(column: string, value: string): string[] {
    return this.#byValue(column).get(value) ?? [];
  }

  /** Ids by the value of a column. */
  #byValue(column: string): ReadonlyMap<string, string[]> {
    let known = this.#columns.get(column);
    if (known === undefined) {
      const withOne = [...this.records()].filter((record) => columnOf(record, column) !== undefined);
      const groups = groupBy(withOne, (record) => columnOf(record, column)!);
      known = new Map([...groups].map(([value, records]) => [value, records.map(({ id }) => id)]));
      this.#columns.set(column, known);
    }
    return known;
  }

  get hasThreshold(): boolean {
    const { threshold } = this.current;
    return threshold?.fixed === true || threshold?.state === stateOf(this.current);
  }

  async setThreshold(threshold: LearnedThreshold): Promise<void> {
    await this.#replaceHead({ threshold: { ...threshold, state: stateOf(this.current) } });
  }

  /**
   * Head, database, head: whoever opens the index in between, or after a kill in between, does not take what it reads for the state before
   * or after the change.
   */
  async change(change: StoreChange): Promise<void> {
    const { address, version } = this.current.store;
    const next = this.current.next + 1;
    await this.#replaceHead({ next, store: { address, version, ...(this.begin && !this.store && { begun: true }) } });
    this.store ??= await openTable(this.folder, this.current, this.begin);
    await this.store.change(change);
    await this.#read();
    const store = { address, ...(this.store.version && { version: this.store.version }) };
    const columns = new Set<string>();
    for (const record of this.records()) for (const name in record.columns) columns.add(name);
    await this.#replaceHead({ next: next + 1, columns: [...columns], store });
  }

  /** Photographs that others have added since this was opened are passed over. */
  async search(query: Float32Array, options: StoreSearch): Promise<StoredNeighbour[]> {
    const found = await this.store?.search(query, { ...options, count: Math.min(options.count, this.size) });
    return (found ?? []).filter(({ id }) => this.record(id) !== undefined);
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    if (this.store === undefined) throw new Error('DatabaseStore.vectors: nothing is there yet.');
    return this.store.vectors(ids);
  }

  async close(): Promise<void> {
    await this.store?.close();
  }

  async #read(): Promise<void> {
    const records = new Map<string, CollectionRecord>();
    for await (const record of this.store!.records()) records.set(record.id, record);
    this.#records = records;
    this.#columns.clear();
  }

  async #replaceHead(changes: Partial<DatabaseHead>): Promise<void> {
    const head = { ...this.current, ...changes };
    await writeHead(this.folder, head);
    this.current = head;
  }
}

function openTable(
  folder: string,
  { store, model }: DatabaseHead,
  begin?: DatabaseTable['begin'],
): Promise<VectorStore> {
  const address = parseStoreAddress(store.address);
  const place = address.kind === 'lancedb' ? photographPath(folder, address.place) : address.place;
  const { sha256, dimension } = model;
  const table = { address: { ...address, place }, model: sha256, dimension, version: store.version, begin };
  return openers[address.kind](table);
}
