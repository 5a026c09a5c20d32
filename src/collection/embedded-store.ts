/** @file The store of an index folder (index-folder.ts): files, no service. Who writes holds the lock of the folder. */
import { toHalf } from '../linear/half-float.js';
import type { DescriptorRows } from '../linear/rows.js';
import { InputError } from '../errors.js';
import type { CollectionRecord } from './collection-record.js';
import { type IndexHead, readHead, type Segment, stateOf, writeHead } from './index-folder.js';
import { RecordTable } from './record-table.js';
import { livingRows, livingVectors, readRecords, writeSegment } from './segment.js';
import { VectorTable, type VectorTableOptions } from './vector-table.js';
import type { CollectionStore, StoreChange, StoredNeighbour, StoreSearch } from './vector-store.js';

export interface EmbeddedStoreOptions extends VectorTableOptions {
  /** Reads the vectors at once, not at the first search. */
  vectors?: boolean;
}

/** Times that a reader begins anew because a writer was faster. */
const mostAttempts = 20;

/** Photographs and vectors of a folder as they were when it was opened, and as this object changes them. */
export class EmbeddedStore implements CollectionStore {
  #table: Promise<VectorTable> | undefined;
  #records: RecordTable;

  private constructor(
    private readonly folder: string,
    private current: IndexHead,
    /** Of each segment, removed ones too. */
    private bySegment: CollectionRecord[][],
    private readonly options: EmbeddedStoreOptions,
  ) {
    this.#records = new RecordTable(livingRecords(current.segments, bySegment));
  }

  /** @throws InputError where there is no index, or a damaged one. */
  static async open(folder: string, options: EmbeddedStoreOptions = {}): Promise<EmbeddedStore> {
    for (let attempt = 1; ; attempt++) {
      const head = await readHead(folder);
      try {
        const records: CollectionRecord[][] = [];
        for (const segment of head.segments) records.push(await readRecords(folder, segment));
        const store = new EmbeddedStore(folder, head, records, options);
        if (options.vectors === true) await store.#opened();
        return store;
      } catch (error) {
        // A writer may have replaced what the head named.
        if (attempt < mostAttempts && stateOf(await readHead(folder)) !== stateOf(head)) continue;
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !/ENOENT/.test(String(error))) throw error;
        throw new InputError(`The index ${folder} lacks files that it names; build it again with --overwrite.`);
      }
    }
  }

  /** An empty one, of which nothing is written before the first change. */
  static begin(folder: string, head: Omit<IndexHead, 'columns' | 'segments'>): EmbeddedStore {
    return new EmbeddedStore(folder, { ...head, columns: [], segments: [] }, [], {});
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
    return this.#records.records.length;
  }

  records(): readonly CollectionRecord[] {
    return this.#records.records;
  }

  record(id: string): CollectionRecord | undefined {
    return this.#records.record(id);
  }

  values(column: string): string[] {
    return this.#records.values(column);
  }

  /** Adds and removes in one step. Segments that are short beside the new one are joined with it, so that there are few. */
  async change({ records = [], rows = noRows(), remove = [] }: StoreChange): Promise<void> {
    const { folder, dimension } = this;
    const gone = new Set([...remove, ...records.map(({ id }) => id)]);
    const segments = this.current.segments.map((segment, s) => withoutIds(segment, this.bySegment[s], gone));
    const first = firstToJoin(segments, records.length);
    const joined = livingRecords(segments.slice(first), this.bySegment.slice(first)).concat(records);
    const kept = segments.slice(0, first);
    const lists = this.bySegment.slice(0, first);
    if (joined.length > 0) {
      const vectors = async function* () {
        for (const segment of segments.slice(first)) yield* livingVectors(folder, segment, dimension);
        for await (const { data } of rows) yield toHalf(data);
      };
      kept.push(await writeSegment(folder, this.current.next, joined, vectors()));
      lists.push(joined);
    }
    const living = new RecordTable(livingRecords(kept, lists));
    await this.#replaceHead({
      ...this.current,
      columns: living.columns(),
      segments: kept,
      next: this.current.next + 1,
    });
    this.bySegment = lists;
    this.#records = living;
    await this.#closeTable();
  }

  /** States the threshold that was learned of what is there now. */
  async setThreshold(threshold: { similarity?: number; how: string }): Promise<void> {
    await this.#replaceHead({ ...this.current, threshold: { ...threshold, state: stateOf(this.current) } });
  }

  /** Whether the threshold is that of what is there now. */
  get hasThreshold(): boolean {
    return this.current.threshold?.state === stateOf(this.current);
  }

  async search(query: Float32Array, { count, where, signal }: StoreSearch): Promise<StoredNeighbour[]> {
    signal?.throwIfAborted();
    const allowed = where === undefined ? undefined : this.#records.allowed(where);
    const { rows, similarities } = await (await this.#opened()).search(query, Math.min(count, this.size), allowed);
    return rows.map((row, k) => ({ id: this.records()[row].id, similarity: similarities[k] }));
  }

  async vectors(ids: readonly string[]): Promise<DescriptorRows> {
    const rows = ids.map((id) => this.#records.row(id));
    if (rows.includes(undefined)) throw new Error('EmbeddedStore.vectors: an id that is not there.');
    return (await this.#opened()).values(rows as number[]);
  }

  async close(): Promise<void> {
    await this.#closeTable();
  }

  #opened(): Promise<VectorTable> {
    this.#table ??= VectorTable.open(this.folder, this.current.segments, this.dimension, this.options);
    return this.#table;
  }

  async #closeTable(): Promise<void> {
    const table = this.#table;
    this.#table = undefined;
    await (await table?.catch(() => undefined))?.close();
  }

  async #replaceHead(head: IndexHead): Promise<void> {
    await writeHead(this.folder, head);
    this.current = head;
  }
}

function livingRecords(segments: readonly Segment[], bySegment: readonly CollectionRecord[][]): CollectionRecord[] {
  return segments.flatMap(({ removed }, s) => {
    const gone = new Set(removed);
    return gone.size === 0 ? bySegment[s] : bySegment[s].filter((_, row) => !gone.has(row));
  });
}

function withoutIds(segment: Segment, records: readonly CollectionRecord[], ids: ReadonlySet<string>): Segment {
  if (ids.size === 0) return segment;
  const removed = new Set(segment.removed);
  for (const [row, { id }] of records.entries()) if (ids.has(id)) removed.add(row);
  return { ...segment, removed: [...removed].toSorted((a, b) => a - b) };
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
