/** @file The store of an index folder (index-folder.ts): files, no service. Who writes holds the lock of the folder. */
import { toHalf } from '../linear/half-float.js';
import type { DescriptorRows } from '../linear/rows.js';
import { InputError, messageOf } from '../errors.js';
import { type CollectionRecord, columnOf } from './collection-record.js';
import { type IndexHead, type LearnedThreshold, readHead, type Segment, stateOf, writeHead } from './index-folder.js';
import { Photographs } from './photographs.js';
import { livingRows, livingVectors, recordLine, writeSegment } from './segment.js';
import { VectorTable, type VectorTableOptions } from './vector-table.js';
import type { CollectionStore, ColumnFilter, StoreChange, StoredNeighbour, StoreSearch } from './vector-store.js';

export interface EmbeddedStoreOptions extends VectorTableOptions {
  /** Reads the vectors at once, not at the first search. */
  vectors?: boolean;
}

/** Times that a reader begins anew because a writer was faster. */
const mostAttempts = 20;

/** Photographs and vectors of a folder as they were when it was opened, and as this object changes them. */
export class EmbeddedStore implements CollectionStore {
  #table: Promise<VectorTable> | undefined;
  /** Rows by column and value, for filters. */
  readonly #rowsOf = new Map<string, Map<string, number[]>>();

  private constructor(
    private readonly folder: string,
    private current: IndexHead,
    private photographs: Photographs,
    private readonly options: EmbeddedStoreOptions,
  ) {}

  /** Close it. @throws InputError where there is no index, or a damaged one. */
  static async open(folder: string, options: EmbeddedStoreOptions = {}): Promise<EmbeddedStore> {
    for (let attempt = 1; ; attempt++) {
      const head = await readHead(folder);
      let photographs: Photographs | undefined;
      try {
        photographs = await Photographs.open(folder, head.segments);
        const store = new EmbeddedStore(folder, head, photographs, options);
        if (options.vectors === true) await store.#opened();
        return store;
      } catch (error) {
        photographs?.close();
        // A writer may have replaced what the head named.
        if (attempt < mostAttempts && stateOf(await readHead(folder)) !== stateOf(head)) continue;
        if (!/ENOENT/.test(messageOf(error))) throw error;
        throw new InputError(`The index ${folder} lacks files that it names; build it again with --overwrite.`);
      }
    }
  }

  /** An empty one, of which nothing is written before the first change. */
  static begin(folder: string, head: Omit<IndexHead, 'columns' | 'segments'>): EmbeddedStore {
    return new EmbeddedStore(folder, { ...head, columns: [], segments: [] }, Photographs.none(), {});
  }

  get head(): Readonly<IndexHead> {
    return this.current;
  }

  get dimension(): number {
    return this.current.model.dimension;
  }

  /** Of a store that has just begun. */
  setDimension(dimension: number): void {
    this.current = { ...this.current, model: { ...this.current.model, dimension } };
  }

  get size(): number {
    return this.photographs.count;
  }

  /** Read one by one. */
  records(): Iterable<CollectionRecord> {
    return this.photographs.records();
  }

  ids(): string[] {
    return this.photographs.ids();
  }

  record(id: string): CollectionRecord | undefined {
    const row = this.photographs.rowOf(id);
    return row === undefined ? undefined : this.photographs.record(row);
  }

  /** Adds and removes in one step. Segments that are short beside the new one are joined with it, so that there are few. */
  async change({ records = [], rows = noRows(), remove = [] }: StoreChange): Promise<void> {
    const { folder, dimension, photographs } = this;
    const segments = photographs.without([...remove, ...records.map(({ id }) => id)]);
    const first = firstToJoin(segments, records.length);
    const kept = segments.slice(0, first);
    const joined = segments.slice(first);
    const rowsThere = joined.reduce((sum, segment) => sum + livingRows(segment), 0);
    if (rowsThere + records.length > 0) {
      const lines = function* () {
        for (const [s, segment] of joined.entries()) yield* photographs.lines(first + s, segment);
        for (const record of records) yield recordLine(record);
      };
      const vectors = async function* () {
        for (const segment of joined) yield* livingVectors(folder, segment, dimension);
        for await (const { data } of rows) yield toHalf(data);
      };
      kept.push(await writeSegment(folder, this.current.next, lines(), vectors()));
    }
    const columns = new Set([...this.current.columns, ...records.flatMap((record) => Object.keys(record.columns))]);
    await this.#replaceHead({ ...this.current, columns: [...columns], segments: kept, next: this.current.next + 1 });
    await this.close();
    this.photographs = await Photographs.open(folder, kept);
    this.#rowsOf.clear();
  }

  /** States the threshold that was learned of what is there now. */
  async setThreshold(threshold: LearnedThreshold): Promise<void> {
    await this.#replaceHead({ ...this.current, threshold: { ...threshold, state: stateOf(this.current) } });
  }

  /** Whether the threshold is that of what is there now, or one that stays. */
  get hasThreshold(): boolean {
    const { threshold } = this.current;
    return threshold?.fixed === true || threshold?.state === stateOf(this.current);
  }

  async search(query: Float32Array, { count, where, signal }: StoreSearch): Promise<StoredNeighbour[]> {
    signal?.throwIfAborted();
    const allowed = where === undefined ? undefined : this.#allowed(where);
    const { rows, similarities } = await (await this.#opened()).search(query, Math.min(count, this.size), allowed);
    return rows.map((row, k) => ({ id: this.photographs.id(row), similarity: similarities[k] }));
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    const rows = ids.map((id) => this.photographs.rowOf(id));
    if (rows.includes(undefined)) throw new Error('EmbeddedStore.vectors: an id that is not there.');
    return (await this.#opened()).values(rows as number[]);
  }

  async close(): Promise<void> {
    this.photographs.close();
    const table = this.#table;
    this.#table = undefined;
    await (await table?.catch(() => undefined))?.close();
  }

  /** Rows that have a value of each column. [N] */
  #allowed(where: ColumnFilter): Uint8Array {
    const missing = new Uint8Array(this.size);
    const columns = Object.entries(where);
    for (const [column, values] of columns) {
      const byValue = this.#columnRows(column);
      for (const value of new Set(values)) for (const row of byValue.get(value) ?? []) missing[row]++;
    }
    return missing.map((found) => (found === columns.length ? 1 : 0));
  }

  /** The rows of each value of a column. */
  #columnRows(column: string): Map<string, number[]> {
    const known = this.#rowsOf.get(column);
    if (known !== undefined) return known;
    const rows = new Map<string, number[]>();
    let row = 0;
    for (const record of this.records()) {
      const value = columnOf(record, column);
      const list = value === undefined ? undefined : rows.get(value);
      if (list !== undefined) list.push(row);
      else if (value !== undefined) rows.set(value, [row]);
      row++;
    }
    this.#rowsOf.set(column, rows);
    return rows;
  }

  /** Values that a column has. */
  values(column: string): string[] {
    return [...this.#columnRows(column).keys()];
  }

  having(column: string, value: string): string[] {
    return (this.#columnRows(column).get(value) ?? []).map((row) => this.photographs.id(row));
  }

  #opened(): Promise<VectorTable> {
    this.#table ??= VectorTable.open(this.folder, this.current.segments, this.dimension, this.options);
    return this.#table;
  }

  async #replaceHead(head: IndexHead): Promise<void> {
    await writeHead(this.folder, head);
    this.current = head;
  }
}

/** From which segment on all are written anew, together with `added` rows: each is at least twice as long as all after it. */
function firstToJoin(segments: readonly Segment[], added: number): number {
  let first = segments.length;
  let rows = added;
  for (let s = segments.length - 1; s >= 0; s--) {
    if (livingRows(segments[s]) < 2 * rows || 2 * segments[s].removed.length > segments[s].rows) first = s;
    rows += livingRows(segments[s]);
  }
  return first;
}

async function* noRows(): AsyncGenerator<DescriptorRows> {
  // none
}
