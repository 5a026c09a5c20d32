/** @file What rounding a table costs those who search in it. */
import type { DescriptorRows } from '../linear/rows.js';
import { nearestRows } from './nearest-rows.js';

/** Similarities this near are taken for equal: more than sums of float32 differ in. */
const equal = 1e-6;

/** Rows of a table, and the table as it is and rounded, each [N, D] in blocks. */
export interface RoundedTable {
  /** [Q, D], of the table as it is. */
  queries: DescriptorRows;
  /** Which rows of the table they are: none is an answer to itself. [Q] */
  rows: readonly number[];
  exact: Iterable<DescriptorRows> | AsyncIterable<DescriptorRows>;
  rounded: Iterable<DescriptorRows> | AsyncIterable<DescriptorRows>;
  /** N */
  total: number;
}

/**
 * recall@`count`: of the nearest other rows of each query, the share that the rounded table finds; of equally near ones (copies of a
 * photograph) any will do. 1 where there are no others.
 */
export async function roundedRecall(table: RoundedTable, count = 10): Promise<number> {
  const { queries, exact, rounded, total } = table;
  const asked = Math.min(count, total - 1);
  if (asked < 1) return 1;
  const skip = Int32Array.from(table.rows);
  const near = Math.min(2 * asked, total - 1); // beyond the last one, those that are as near
  const right = await nearestRows(queries, exact, { count: near, skip });
  const found = await nearestRows(queries, rounded, { count: asked, skip });
  let kept = 0;
  for (let q = 0; q < skip.length; q++) {
    const least = right.similarities[q * near + asked - 1] - equal;
    const isRight = (_: number, k: number) => right.similarities[q * near + k] >= least;
    const rightRows = new Set(right.rows.subarray(q * near, (q + 1) * near).filter(isRight));
    for (const row of found.rows.subarray(q * asked, (q + 1) * asked)) kept += Number(rightRows.has(row));
  }
  return kept / (asked * skip.length);
}
