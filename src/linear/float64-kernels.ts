/** @file float64 matrices in WebAssembly memory and what the kernels of assembly/float64.ts do with them. */
import { type Kernels, loadKernels } from '../wasm.js';

interface Exports {
  dot(x: number, y: number, n: number): number;
  addScaled(a: number, x: number, y: number, n: number): void;
  symmetricTimes(a: number, stride: number, x: number, y: number, n: number): void;
  multiplyScratch(): number;
  multiply(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    aRow: number,
    aColumn: number,
    b: number,
    bRow: number,
    bColumn: number,
    c: number,
    cRow: number,
    scratch: number,
  ): void;
}

/** A matrix or a part of one; its value [i, j] is `values[start + i * stride + j]`. */
export interface MatrixBlock {
  /** Index of the first value. */
  start: number;
  /** Values from row to row. */
  stride: number;
}

/** Memory for `size` float64 values; blocks of it are named by their index in `values`. */
export class Float64Kernels {
  readonly values: Float64Array;
  readonly #kernels: Kernels<Exports> = loadKernels<Exports>('linear/float64');
  readonly #base: number;
  readonly #scratch: number;

  constructor(size: number) {
    this.#scratch = this.#kernels.alloc(this.#kernels.exports.multiplyScratch());
    this.#base = this.#kernels.alloc(8 * size);
    this.values = new Float64Array(this.#kernels.buffer(), this.#base, size);
  }

  /** Σ values[x + i] values[y + i] over n values. */
  dot(x: number, y: number, n: number): number {
    return this.#kernels.exports.dot(this.#at(x), this.#at(y), n);
  }

  /** values[y + i] += a values[x + i] over n values. */
  addScaled(a: number, x: number, y: number, n: number): void {
    this.#kernels.exports.addScaled(a, this.#at(x), this.#at(y), n);
  }

  /** y = A x, A symmetric [n, n] in its lower triangle. */
  symmetricTimes(a: MatrixBlock, x: number, y: number, n: number): void {
    this.#kernels.exports.symmetricTimes(this.#at(a.start), a.stride, this.#at(x), this.#at(y), n);
  }

  /** C [m, n] += alpha A [m, k] B [k, n]; `transposed` names the factors that are stored as their transposes. */
  multiply(
    [m, n, k]: readonly [number, number, number],
    a: MatrixBlock,
    b: MatrixBlock,
    c: MatrixBlock,
    { alpha = 1, transposed = '' }: { alpha?: number; transposed?: '' | 'a' | 'b' } = {},
  ): void {
    if (m === 0 || n === 0 || k === 0) return;
    const [aRow, aColumn] = transposed === 'a' ? [1, a.stride] : [a.stride, 1];
    const [bRow, bColumn] = transposed === 'b' ? [1, b.stride] : [b.stride, 1];
    const [first, second, result] = [a, b, c].map(({ start }) => this.#at(start));
    const { exports } = this.#kernels;
    exports.multiply(m, n, k, alpha, first, aRow, aColumn, second, bRow, bColumn, result, c.stride, this.#scratch);
  }

  #at(index: number): number {
    return this.#base + 8 * index;
  }
}
