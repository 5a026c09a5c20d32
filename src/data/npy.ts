/**
 * @file NumPy's .npy format for float arrays: versions 1 to 3, little-endian float32 or float64, C or Fortran order; C order is written.
 * Layout: "\x93NUMPY", version, header length, a Python dict literal padded with spaces to a multiple of 64, raw values.
 * Typed arrays are read and written as they lie in memory, which is little-endian on every platform Node runs on.
 */
import { InputError } from '../errors.js';

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
// A real header is under 200 bytes; a claim of more than this is a broken or hostile file, not a bigger shape.
const longestHeader = 1 << 16;
const mostDimensions = 32;

/** The header of a float32 C-order array: what comes before the values in the file. */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const list = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${list}), }`;
  const prefix = magic.length + 2 + 2;
  const length = Math.ceil((prefix + dict.length + 1) / 64) * 64;
  const header = new Uint8Array(length).fill(0x20);
  header.set(magic);
  header.set([1, 0, (length - prefix) & 0xff, (length - prefix) >> 8], magic.length);
  header.set(new TextEncoder().encode(dict), prefix);
  header[length - 1] = 0x0a;
  return header;
}

/** A float32 array as the bytes of a version 1 .npy file. */
export function encodeNpy(data: Float32Array, shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, side) => product * side, 1);
  if (count !== data.length) throw new Error(`encodeNpy: shape [${shape.join(', ')}] is not ${data.length} values.`);
  const header = npyHeader(shape);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return bytes;
}

/** Types of values that are read: bytes of one. */
const floatSizes = { '<f4': 4, '<f8': 8 } as const;
const floats = 'expected a NumPy file of float32 or float64, as np.save writes it';

interface Layout {
  type: string;
  shape: number[];
  /** Bytes of a value. */
  size: number;
  /** Where the values begin, bytes. */
  offset: number;
  /** Fortran order: the first axis is the fastest. */
  columnMajor: boolean;
}

export interface NpyLayout extends Layout {
  size: 4 | 8;
}

/** Bytes from the start of a file that surely hold its header. */
export const mostHeaderBytes = 12 + longestHeader;

/**
 * Reads the header of a file of float32 or float64 from the first bytes of its `fileBytes`.
 * @throws InputError naming `source` for other types and wrong lengths.
 */
export function parseNpyHeader(bytes: Uint8Array, fileBytes: number, source: string): NpyLayout {
  return parseHeader(bytes, fileBytes, floatSizes, { source, expected: floats }) as NpyLayout;
}

/** Reads the bytes of an .npy file, row-major; float64 is rounded to float32. @throws InputError as parseNpyHeader does. */
export function parseNpy(bytes: Uint8Array, source: string): { data: Float32Array; shape: number[] } {
  const layout = parseNpyHeader(bytes, bytes.length, source);
  const values = valuesOf(bytes, layout.offset);
  const data = layout.size === 4 ? new Float32Array(values) : Float32Array.from(new Float64Array(values));
  return { data: rowMajor(data, layout), shape: layout.shape };
}

/** The values in C order. */
function rowMajor<T extends Float32Array | Float64Array>(values: T, { shape, columnMajor }: Layout): T {
  if (!columnMajor) return values;
  const out = values.slice() as T;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, side) => product * side, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = values[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

const integerReaders: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  '<i8': (view, at) => Number(view.getBigInt64(at, true)),
  '<u8': (view, at) => Number(view.getBigUint64(at, true)),
  '<i4': (view, at) => view.getInt32(at, true),
  '<u4': (view, at) => view.getUint32(at, true),
  '<i2': (view, at) => view.getInt16(at, true),
  '<u2': (view, at) => view.getUint16(at, true),
};

/** Reads an .npy file of integers, such as np.argsort gives, row-major; values beyond 2^53 lose digits. */
export function parseIntegerNpy(bytes: Uint8Array, source: string): { values: Float64Array; shape: number[] } {
  const expected = 'expected a NumPy file of integers, as np.save(np.argsort(...)) writes it';
  const sizes = Object.fromEntries(Object.keys(integerReaders).map((name) => [name, Number(name[2])]));
  const layout = parseHeader(bytes, bytes.length, sizes, { source, expected });
  const { type, shape, size, offset } = layout;
  const view = new DataView(valuesOf(bytes, offset));
  const values = Float64Array.from({ length: view.byteLength / size }, (_, i) => integerReaders[type](view, i * size));
  return { values: rowMajor(values, layout), shape };
}

/** Layout of a file whose type is one of `sizes` (bytes by type). */
function parseHeader(
  bytes: Uint8Array,
  fileBytes: number,
  sizes: Readonly<Record<string, number>>,
  { source, expected }: { source: string; expected: string },
): Layout {
  const fail = (problem: string): never => {
    throw new InputError(`${source}: ${problem}; ${expected}.`);
  };
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte)) return fail('not an .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (version < 1 || version > 3) return fail(`.npy version ${version}.${bytes[7]} is unknown`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) return fail('truncated header');
  const headerLength = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > longestHeader || start + headerLength > bytes.length) {
    return fail(`header of ${headerLength} bytes does not fit`);
  }
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + headerLength));

  const type = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const sides = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (type === undefined || order === undefined || sides === undefined) return fail('unreadable header');
  const size = Object.hasOwn(sizes, type) ? sizes[type] : fail(`values of type '${type}' (convert with astype)`);
  const shape = sides
    .split(',')
    .map((side) => side.trim())
    .filter((side) => side !== '')
    .map((side) => Number(side.replace(/L$/, '')));
  if (!shape.every(Number.isSafeInteger)) return fail(`shape (${shape.join(', ')})`);
  if (shape.length > mostDimensions) return fail(`${shape.length} dimensions`);

  const offset = start + headerLength;
  const count = shape.reduce((product, side) => product * side, 1);
  // A product past 2^53 is inexact but still far from any real length, so comparing is safe.
  if (!Number.isFinite(count) || count * size !== fileBytes - offset) {
    return fail(
      `shape (${shape.join(', ')}) needs ${count * size} bytes of values, the file has ${fileBytes - offset}`,
    );
  }
  return { type, shape, size, offset, columnMajor: order === 'True' && shape.length > 1 };
}

function valuesOf(bytes: Uint8Array, offset: number): ArrayBuffer {
  // The copy is needed for alignment: a typed array must start at a multiple of its element size. (Not bytes.slice():
  // a Buffer's slice is a view of the whole file.)
  return new Uint8Array(bytes.subarray(offset)).buffer;
}
