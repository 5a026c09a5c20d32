/** @file Where the elements of an HDF5 dataset lie, and how its chunks become rows of elements again. */
import { inflateSync } from 'node:zlib';
import { type ByteReader, Malformed, shown } from './bytes.js';
import { address, type Filter } from './hdf5-types.js';

export type StorageLayout =
  | { kind: 'inline'; bytes: Uint8Array }
  | { kind: 'contiguous'; at: number | undefined; size: number }
  | { kind: 'chunked'; at: number | undefined; chunk: number[]; size: number };

export function readLayout(reader: ByteReader): StorageLayout {
  const version = reader.u8();
  const kind = reader.u8();
  if (version !== 3 && !(version === 4 && kind < 2)) {
    throw new Malformed('a dataset is written in another layout; write it without libver="latest"');
  }
  if (kind === 0) return { kind: 'inline', bytes: reader.take(reader.u16()) };
  if (kind === 1) return { kind: 'contiguous', at: address(reader), size: reader.u64() };
  if (kind !== 2) throw new Malformed(`a dataset has the layout ${kind}`);
  const rank = reader.u8();
  const at = address(reader);
  const lengths = Array.from({ length: rank }, () => reader.u32());
  return { kind: 'chunked', at, chunk: lengths.slice(0, -1), size: lengths.at(-1) ?? 0 };
}

/** Undoes the filters of a chunk, the last one first; a set bit of `mask` means that this one was left out. */
export function unfilter(stored: Uint8Array, filters: readonly Filter[], mask: number, size: number): Uint8Array {
  let bytes = stored;
  for (const [i, { id, elementSize }] of [...filters.entries()].toReversed()) {
    if (mask & (1 << i)) continue;
    if (id === 1) {
      try {
        bytes = inflateSync(bytes, { maxOutputLength: size + 4 });
      } catch {
        throw new Malformed('a chunk does not inflate');
      }
    } else if (id === 2) bytes = unshuffle(bytes, elementSize);
    else bytes = bytes.subarray(0, Math.max(0, bytes.length - 4)); // a checksum
  }
  if (bytes.length !== size) throw new Malformed(`a chunk has ${bytes.length} bytes, ${size} expected`);
  return bytes;
}

/** First bytes of all elements, then second bytes, ... -> elements. */
function unshuffle(bytes: Uint8Array, size: number): Uint8Array {
  if (size < 1 || size > bytes.length) throw new Malformed(`elements of ${shown(String(size))} bytes are shuffled`);
  const count = Math.floor(bytes.length / size);
  const out = Uint8Array.from(bytes);
  for (let part = 0; part < size; part++) {
    for (let i = 0; i < count; i++) out[i * size + part] = bytes[part * count + i];
  }
  return out;
}

/** Copies the part of a chunk that lies inside the dataset, row by row. */
export function copyChunk(
  content: Uint8Array,
  chunk: readonly number[],
  origin: readonly number[],
  { out, shape, elementBytes }: { out: Uint8Array; shape: readonly number[]; elementBytes: number },
): void {
  const rank = shape.length;
  if (rank === 0) return out.set(content.subarray(0, elementBytes));
  const extent = chunk.map((n, axis) => Math.min(n, shape[axis] - origin[axis]));
  const row = extent[rank - 1] * elementBytes;
  const index = extent.map(() => 0);
  for (;;) {
    let from = 0;
    let to = 0;
    for (let axis = 0; axis < rank; axis++) {
      from = from * chunk[axis] + index[axis];
      to = to * shape[axis] + origin[axis] + index[axis];
    }
    out.set(content.subarray(from * elementBytes, from * elementBytes + row), to * elementBytes);
    let axis = rank - 2;
    for (; axis >= 0; axis--) {
      if (++index[axis] < extent[axis]) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
