/** @file A part of the vectors of an index in memory, what it is asked, and what it answers. */
import { HalfRows } from '../linear/half-rows.js';
import { TopK } from '../retrieval/top-k.js';
import type { Segment } from './index-folder.js';
import { livingRows, livingVectors } from './segment.js';

/** Rows `from` to `to` of what is still there in the segments of a folder. */
export interface TablePart {
  folder: string;
  segments: readonly Segment[];
  dimension: number;
  from: number;
  to: number;
}

export interface NearestRows {
  /** Best first; of equal ones the first. */
  rows: number[];
  similarities: number[];
}

/** To the thread of a part. Without either it only waits until the rows are there. */
export interface WorkerRequest {
  /** Sent back with the answer. */
  number: number;
  search?: { query: Float32Array; count: number; allowed: Uint8Array | undefined };
  rows?: readonly number[];
}

export interface WorkerAnswer {
  number: number;
  nearest?: NearestRows;
  values?: Float32Array;
  error?: string;
  /** Whether the error is one of the input. */
  input?: boolean;
}

/** Reads a part into memory. */
export async function readPart({ folder, segments, dimension, from, to }: TablePart): Promise<HalfRows> {
  const table = new HalfRows(to - from, dimension);
  let row = 0;
  for (const segment of segments) {
    const start = row;
    row += livingRows(segment);
    if (row <= from || start >= to) continue;
    let next = Math.max(start, from);
    for await (const bits of livingVectors(folder, segment, dimension, { from: from - start, to: to - start })) {
      table.set(next - from, bits);
      next += bits.length / dimension;
    }
  }
  return table;
}

/** The best of a table. */
export function nearestOf(table: HalfRows, query: Float32Array, count: number, allowed?: Uint8Array): NearestRows {
  const products = table.products(query);
  if (allowed !== undefined) {
    for (let row = 0; row < products.length; row++) if (allowed[row] === 0) products[row] = Number.NEGATIVE_INFINITY;
  }
  const best = new TopK(1, count);
  best.offer(0, products);
  const { rows, similarities } = best.finish();
  const found = similarities.indexOf(Number.NEGATIVE_INFINITY);
  const end = found < 0 ? count : found;
  return { rows: [...rows.subarray(0, end)], similarities: [...similarities.subarray(0, end)] };
}

/** Rows of a table, one after the other. */
export function valuesOf(table: HalfRows, rows: readonly number[]): Float32Array {
  const values = new Float32Array(rows.length * table.dimension);
  rows.forEach((row, k) => values.set(table.row(row), k * table.dimension));
  return values;
}
