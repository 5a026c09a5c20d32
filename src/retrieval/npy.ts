/**
 * @file NumPy's .npy format for float arrays: versions 1 to 3, little-endian float32 or float64, C order.
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

export interface NpyLayout {
  shape: number[];
  /** Bytes of a value: 4 or 8. */
  size: 4 | 8;
  /** Where the values begin, bytes. */
  offset: number;
}

/** Bytes from the start of a file that surely hold its header. */
export const mostHeaderBytes = 12 + longestHeader;

/**
 * Reads the header from the first bytes of an .npy file of `fileBytes` bytes.
 * @throws InputError naming `source` for other types, Fortran order, wrong lengths.
 */
export function parseNpyHeader(bytes: Uint8Array, fileBytes: number, source: string): NpyLayout {
  const fail = (problem: string): never => {
    throw new InputError(`${source}: ${problem}; expected a NumPy file of float32 or float64, as np.save writes it.`);
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
  const size =
    type === '<f4' ? 4 : type === '<f8' ? 8 : fail(`values of type '${type}' (convert with astype('float32'))`);
  const shape = sides
    .split(',')
    .map((side) => side.trim())
    .filter((side) => side !== '')
    .map((side) => Number(side.replace(/L$/, '')));
  if (shape.length > mostDimensions) return fail(`${shape.length} dimensions`);
  if (order === 'True' && shape.length > 1) return fail('Fortran order (convert with np.ascontiguousarray)');

  const offset = start + headerLength;
  const count = shape.reduce((product, side) => product * side, 1);
  // A product past 2^53 is inexact but still far from any real length, so comparing is safe.
  if (!Number.isFinite(count) || count * size !== fileBytes - offset) {
    return fail(
      `shape (${shape.join(', ')}) needs ${count * size} bytes of values, the file has ${fileBytes - offset}`,
    );
  }
  return { shape, size, offset };
}

/** Reads the bytes of an .npy file; float64 is rounded to float32. @throws InputError as parseNpyHeader does. */
export function parseNpy(bytes: Uint8Array, source: string): { data: Float32Array; shape: number[] } {
  const { shape, size, offset } = parseNpyHeader(bytes, bytes.length, source);
  // The copy is needed for alignment: a typed array must start at a multiple of its element size. (Not bytes.slice():
  // a Buffer's slice is a view of the whole file.)
  const values = new Uint8Array(bytes.subarray(offset)).buffer;
  return { data: size === 4 ? new Float32Array(values) : Float32Array.from(new Float64Array(values)), shape };
}
