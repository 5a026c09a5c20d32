/** @file A table of float16 rows in WebAssembly memory, and the dot products of a query with all of them (assembly/half-rows.ts). */
import { type Kernels, loadKernels } from '../wasm.js';
import { fromHalf } from './half-float.js';

interface Exports {
  halfProducts(rows: number, count: number, dimension: number, query: number, out: number): void;
}

/** Bytes of WebAssembly memory that one table takes at most, under the 4 GiB that there are. */
const mostBytes = 2 ** 32 - 2 ** 20;

/** N rows of D values, to be filled by `set`. Rows are padded to a multiple of eight values. */
export class HalfRows {
  readonly dimension: number;
  readonly count: number;
  readonly #width: number;
  readonly #kernels: Kernels<Exports> = loadKernels<Exports>('linear/half-rows');
  readonly #query: number;
  readonly #rows: number;
  readonly #out: number;

  /** Rows of `dimension` values that fit into one table. */
  static mostRows(dimension: number): number {
    return Math.floor(mostBytes / (2 * padded(dimension) + 4));
  }

  constructor(count: number, dimension: number) {
    this.count = count;
    this.dimension = dimension;
    this.#width = padded(dimension);
    this.#query = this.#kernels.alloc(4 * this.#width);
    this.#out = this.#kernels.alloc(4 * count);
    this.#rows = this.#kernels.alloc(2 * this.#width * count);
  }

  /** Sets rows from `row` on by their float16 bits, one after the other. */
  set(row: number, bits: Uint16Array): void {
    const { dimension } = this;
    if (dimension === this.#width) {
      new Uint16Array(this.#kernels.buffer(), this.#rows + 2 * dimension * row, bits.length).set(bits);
      return;
    }
    for (let start = 0; start < bits.length; start += dimension, row++) {
      this.#bits(row).set(bits.subarray(start, start + dimension));
    }
  }

  #bits(row: number): Uint16Array {
    return new Uint16Array(this.#kernels.buffer(), this.#rows + 2 * this.#width * row, this.dimension);
  }

  /** The values of a row. */
  row(row: number): Float32Array {
    return fromHalf(this.#bits(row));
  }

  /** Dot products of a query [D] with all rows [N], float32; they hold until the next call. */
  products(query: Float32Array): Float32Array {
    const buffer = this.#kernels.buffer();
    const scaled = new Float32Array(buffer, this.#query, this.#width);
    for (let i = 0; i < query.length; i++) scaled[i] = query[i] * 2 ** 112;
    this.#kernels.exports.halfProducts(this.#rows, this.count, this.#width, this.#query, this.#out);
    return new Float32Array(buffer, this.#out, this.count);
  }
}

function padded(dimension: number): number {
  return Math.ceil(dimension / 8) * 8;
}
