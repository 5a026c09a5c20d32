/**
 * @file What this project uses of LanceDB and of Apache Arrow, which it needs. Both are optional and large, so that the compiler does not ask for
 * them.
 */

export interface ArrowType {
  /** Of a list of fixed length. */
  listSize?: number;
}

export interface ArrowField {
  name: string;
  type: ArrowType;
}

export interface ArrowSchema {
  fields: ArrowField[];
  metadata: ReadonlyMap<string, string>;
}

/** A part of a column. */
export interface ArrowData {
  length: number;
}

export interface ArrowTable {
  numRows: number;
}

type Make<Arguments extends unknown[], T> = new (...values: Arguments) => T;

export interface Arrow {
  Field: Make<[name: string, type: ArrowType, nullable: boolean], ArrowField>;
  Float32: Make<[], ArrowType>;
  Float64: Make<[], ArrowType>;
  Utf8: Make<[], ArrowType>;
  List: Make<[item: ArrowField], ArrowType>;
  FixedSizeList: Make<[listSize: number, item: ArrowField], ArrowType>;
  Struct: Make<[fields: ArrowField[]], ArrowType>;
  Schema: Make<[fields: ArrowField[], metadata: Map<string, string>], ArrowSchema>;
  RecordBatch: Make<[schema: ArrowSchema, data: ArrowData], ArrowData>;
  Table: Make<[schema: ArrowSchema, batch: ArrowData], ArrowTable>;
  makeData: (options: {
    type: ArrowType;
    length: number;
    data?: Float32Array | Float64Array;
    child?: ArrowData;
    children?: ArrowData[];
  }) => ArrowData;
  vectorFromArray: (values: readonly unknown[], type: ArrowType) => { data: ArrowData[] };
}

/** A row as it is read; each query selects some of its columns. */
export interface LanceRow {
  id: string;
  position: number;
  record: string;
  vector: { toArray(): ArrayLike<number> };
  _distance: number;
}

export interface LanceQuery {
  where(condition: string): this;
  select(columns: (keyof LanceRow)[]): this;
  limit(count: number): this;
  toArray(options?: { timeoutMs: number }): Promise<LanceRow[]>;
}

export interface LanceVectorQuery extends LanceQuery {
  distanceType(type: 'dot'): this;
  bypassVectorIndex(): this;
  nprobes(count: number): this;
  ef(count: number): this;
  refineFactor(factor: number): this;
}

type LanceIndex = object;

export interface LanceTable {
  schema(): Promise<ArrowSchema>;
  version(): Promise<number>;
  countRows(): Promise<number>;
  checkout(version: number): Promise<void>;
  checkoutLatest(): Promise<void>;
  restore(): Promise<void>;
  add(rows: ArrowTable): Promise<unknown>;
  delete(condition: string): Promise<unknown>;
  query(): LanceQuery & { nearestTo(vector: Float32Array): LanceVectorQuery };
  listIndices(): Promise<unknown[]>;
  createIndex(column: string, options: { config: LanceIndex }): Promise<void>;
  optimize(options: { cleanupOlderThan: Date }): Promise<unknown>;
  close(): void;
}

export interface LanceConnection {
  tableNames(): Promise<string[]>;
  openTable(name: string): Promise<LanceTable>;
  createEmptyTable(name: string, schema: ArrowSchema, options: { mode: 'overwrite' }): Promise<LanceTable>;
  close(): void;
}

export interface LanceDb {
  connect(folder: string): Promise<LanceConnection>;
  Index: {
    hnswSq(options: { distanceType: 'dot' }): LanceIndex;
    ivfFlat(options: { distanceType: 'dot' }): LanceIndex;
  };
}
