/** @file What a collection needs of a place for its vectors, be it files or a database. */
import type { DescriptorRows } from '../linear/rows.js';
import type { CollectionRecord } from './collection-record.js';
import type { IndexHead, LearnedThreshold } from './index-folder.js';

/** Values that a column may have, by column: a photograph is searched where it has one of each. */
export type ColumnFilter = Readonly<Record<string, readonly string[]>>;

export interface StoreSearch {
  /** At most this many are found. */
  count: number;
  where?: ColumnFilter;
  signal?: AbortSignal;
}

export interface StoredNeighbour {
  id: string;
  /** Dot product with the query. */
  similarity: number;
}

/** What changes in one step. */
export interface StoreChange {
  records?: readonly CollectionRecord[];
  /** Vectors of `records` [N, D], in blocks of any size; unit length. */
  rows?: AsyncIterable<DescriptorRows>;
  /** Ids that go; those that are not there are passed over. */
  remove?: Iterable<string>;
}

/** Vectors and records of a collection, in files or in a database. */
export interface VectorStore {
  /** D. */
  readonly dimension: number;
  /** What the last change has made, where earlier states are kept. */
  readonly version?: number | undefined;
  /** Removes, and adds; records of equal ids are replaced. Searches that begin afterwards see it. */
  change(change: StoreChange): Promise<void>;
  /** The most similar photographs, best first; of equal ones the one that came first. */
  search(query: Float32Array, options: StoreSearch): Promise<StoredNeighbour[]>;
  /** Vectors of photographs that are there, [N, D]. */
  vectors(ids: readonly string[]): Promise<DescriptorRows>;
  /** In the order in which they came. */
  records(): Iterable<CollectionRecord> | AsyncIterable<CollectionRecord>;
  close(): Promise<void>;
}

/** The store of an opened index folder, which knows its head and its photographs. */
export interface CollectionStore extends VectorStore {
  readonly head: Readonly<IndexHead>;
  /** Photographs. */
  readonly size: number;
  records(): Iterable<CollectionRecord>;
  /** In the order of the records. */
  ids(): string[];
  /** Undefined for an id that is not there. */
  record(id: string): CollectionRecord | undefined;
  /** Values that a column has. */
  values(column: string): string[];
  /** Ids of the photographs that have a value of a column, in order. */
  having(column: string, value: string): string[];
  /** Of a store that has just begun. */
  setDimension(dimension: number): void;
  /** States the threshold that was learned of what is there now. */
  setThreshold(threshold: LearnedThreshold): Promise<void>;
  /** Whether the threshold is that of what is there now, or one that stays. */
  readonly hasThreshold: boolean;
}
