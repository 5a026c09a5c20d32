/** @file What a collection needs of a place for its vectors, be it files or a database. */
import type { DescriptorRows } from '../linear/rows.js';
import type { CollectionRecord } from './collection-record.js';

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

/** Vectors and records of a collection. A change is there as a whole or not at all, and seen by those who search afterwards. */
export interface VectorStore {
  /** D. */
  readonly dimension: number;
  /** Photographs. */
  readonly size: number;
  /** Those of equal ids are replaced. `rows`: the vectors [N, D], in blocks of any size; unit length. */
  add(records: readonly CollectionRecord[], rows: AsyncIterable<DescriptorRows>): Promise<void>;
  /** Ids that are not there are passed over. */
  remove(ids: readonly string[]): Promise<void>;
  /** The most similar photographs, best first; of equal ones the one that came first. */
  search(query: Float32Array, options: StoreSearch): Promise<StoredNeighbour[]>;
  /** Vectors of photographs that are there, [N, D]. */
  vectors(ids: readonly string[]): Promise<DescriptorRows>;
  records(): Iterable<CollectionRecord>;
  close(): Promise<void>;
}
