/** @file Raw elements of any stored type, in any byte order and with any strides -> float32, row-major. */
import { bfloatToFloat, halfToFloat, type NamedArray } from '../safetensors.js';
import { described, Malformed } from './bytes.js';

export type ElementType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool';

export const elementSize: Readonly<Record<ElementType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

/** Elements that a tensor of this shape has; a shape that is none, or has more than 2^31 of them, is malformed. */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > 32 || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new Malformed(`[${shape.slice(0, 32).map(described).join(', ')}] is no shape of a tensor`);
  }
  if (shape.includes(0)) return 0;
  const count = shape.reduce((product, n) => product * n, 1);
  if (count > 2 ** 31) throw new Malformed(`a tensor of shape [${shape.join(', ')}] is too large`);
  return count;
}

/** Reads element `index` of `view`. */
function elementReader(view: DataView, type: ElementType, littleEndian: boolean): (index: number) => number {
  switch (type) {
    case 'float64':
      return (i) => view.getFloat64(i * 8, littleEndian);
    case 'float32':
      return (i) => view.getFloat32(i * 4, littleEndian);
    case 'float16':
      return (i) => halfToFloat(view.getUint16(i * 2, littleEndian));
    case 'bfloat16':
      return (i) => bfloatToFloat(view.getUint16(i * 2, littleEndian));
    case 'int64':
      return (i) => Number(view.getBigInt64(i * 8, littleEndian));
    case 'uint64':
      return (i) => Number(view.getBigUint64(i * 8, littleEndian));
    case 'int32':
      return (i) => view.getInt32(i * 4, littleEndian);
    case 'uint32':
      return (i) => view.getUint32(i * 4, littleEndian);
    case 'int16':
      return (i) => view.getInt16(i * 2, littleEndian);
    case 'uint16':
      return (i) => view.getUint16(i * 2, littleEndian);
    case 'int8':
      return (i) => view.getInt8(i);
    default:
      return (i) => view.getUint8(i);
  }
}

export interface RawElements {
  bytes: Uint8Array;
  type: ElementType;
  /** Default true. */
  littleEndian?: boolean;
}

/** The first `count` elements as float32. */
export function toFloat32({ bytes, type, littleEndian = true }: RawElements, count: number): Float32Array {
  if (bytes.byteLength < count * elementSize[type]) {
    throw new Malformed(`${count} ${type} values expected, ${bytes.byteLength} bytes found (truncated?)`);
  }
  const out = new Float32Array(count);
  if (type === 'float32' && littleEndian) {
    new Uint8Array(out.buffer).set(bytes.subarray(0, count * 4)); // hosts of Node are little-endian
    return out;
  }
  const read = elementReader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), type, littleEndian);
  for (let i = 0; i < count; i++) out[i] = read(i);
  return out;
}

/** A view into elements: element (i, j, ...) is at offset + i strides[0] + j strides[1] + ... -> row-major. */
export function gather(
  raw: RawElements,
  { shape, strides, offset = 0 }: { shape: readonly number[]; strides: readonly number[]; offset?: number },
): NamedArray {
  const count = elementCount(shape);
  if (strides.length !== shape.length || ![offset, ...strides].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new Malformed('a tensor has bad strides');
  }
  const size = elementSize[raw.type];
  const available = Math.floor(raw.bytes.byteLength / size);
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], offset);
  if (count > 0 && last >= available) {
    throw new Malformed(`a tensor of shape [${shape.join(', ')}] needs ${last + 1} values, ${available} are stored`);
  }
  if (count > available) throw new Malformed(`a tensor shows ${available} stored values as ${count}`);
  if (count === 0 || isRowMajor(shape, strides)) {
    const bytes = raw.bytes.subarray(offset * size, (offset + count) * size);
    return { shape: [...shape], data: toFloat32({ ...raw, bytes }, count) };
  }
  const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset, raw.bytes.byteLength);
  const read = elementReader(view, raw.type, raw.littleEndian ?? true);
  const out = new Float32Array(count);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    out[to] = read(from);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return { shape: [...shape], data: out };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** Strides, in elements, of an array whose first axis changes fastest (Matlab, Fortran). */
export function columnMajorStrides(shape: readonly number[]): number[] {
  let step = 1;
  return shape.map((n) => {
    const stride = step;
    step *= n;
    return stride;
  });
}
