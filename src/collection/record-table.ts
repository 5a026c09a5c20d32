/** @file The records of a collection in memory, found by id and by what their columns say. */
import { type CollectionRecord, columnOf } from './collection-record.js';
import type { ColumnFilter } from './vector-store.js';

/** Records in the order in which they came, a row each. */
export class RecordTable {
  readonly #rowOf: ReadonlyMap<string, number>;
  /** Rows by column and value. */
  readonly #rowsOf = new Map<string, Map<string, number[]>>();

  constructor(readonly records: readonly CollectionRecord[]) {
    this.#rowOf = new Map(records.map(({ id }, row) => [id, row]));
  }

  /** Undefined for an id that is not there. */
  row(id: string): number | undefined {
    return this.#rowOf.get(id);
  }

  /** Undefined for an id that is not there. */
  record(id: string): CollectionRecord | undefined {
    const row = this.row(id);
    return row === undefined ? undefined : this.records[row];
  }

  /** Values that a column has. */
  values(column: string): string[] {
    return [...this.#rows(column).keys()];
  }

  /** Names of the columns that have no name of their own in a record, in order of appearance. */
  columns(): string[] {
    const names = new Set<string>();
    for (const { columns } of this.records) for (const name in columns) names.add(name);
    return [...names];
  }

  /** 1 for rows that have a value of each column. [N] */
  allowed(where: ColumnFilter): Uint8Array {
    const found = new Uint8Array(this.records.length);
    const columns = Object.entries(where);
    for (const [column, values] of columns) {
      const byValue = this.#rows(column);
      for (const value of new Set(values)) for (const row of byValue.get(value) ?? []) found[row]++;
    }
    return found.map((count) => (count === columns.length ? 1 : 0));
  }

  #rows(column: string): Map<string, number[]> {
    const known = this.#rowsOf.get(column);
    if (known !== undefined) return known;
    const rows = new Map<string, number[]>();
    for (const [row, record] of this.records.entries()) {
      const value = columnOf(record, column);
      if (value === undefined) continue;
      const list = rows.get(value);
      if (list === undefined) rows.set(value, [row]);
      else list.push(row);
    }
    this.#rowsOf.set(column, rows);
    return rows;
  }
}
