/**
 * @file Loads WebAssembly kernels (the folders `assembly/`, compiled by `npm run build`) and lends them memory.
 *
 * A kernel takes addresses. One call of `reset` begins a piece of work, `alloc` hands out addresses until the next `reset`; views of
 * the memory are stale once `alloc` has grown it, so take them after the last `alloc`.
 */
import { readFileSync } from 'node:fs';

const pageBytes = 65536;

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

// Node's types leave WebAssembly to the browser's.
const { Instance, Module } = (
  globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
    };
  }
).WebAssembly;

export interface Kernels<Exports> {
  exports: Exports;
  /** Forgets all allocations. */
  reset(): void;
  /** Address of `bytes` bytes, at a multiple of 16. Throws a RangeError beyond 4 GiB. */
  alloc(bytes: number): number;
  /** The memory; take it anew after every `alloc`. */
  buffer(): ArrayBuffer;
}

/** Instantiates the kernels `<folder>/<name>` of `src/<folder>/assembly/<name>.ts`; every call has memory of its own. */
export function loadKernels<Exports>(name: string): Kernels<Exports> {
  // From src/ and from dist/ alike: the kernels lie in dist.
  const file = new URL(`../dist/${name}.wasm`, import.meta.url);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new Error(`${file.pathname} is missing: run "npm run build".`, { cause: error });
  }
  const { exports } = new Instance(new Module(bytes), {
    env: {
      abort() {
        throw new Error(`The ${name} kernels aborted.`);
      },
    },
  });
  const memory = exports.memory as Memory;
  const base = (exports.heapBase as () => number)();
  let top = base;
  return {
    exports: exports as Exports,
    reset() {
      top = base;
    },
    alloc(size) {
      const address = (top + 15) & ~15;
      top = address + size;
      const missing = top - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
      return address;
    },
    buffer: () => memory.buffer,
  };
}
