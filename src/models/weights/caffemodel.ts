/**
 * @file Caffe's `.caffemodel`: a NetParameter in protocol buffers, its layers in the current form or the one before. Layers
 * become tensors with torch's suffixes and axes (out, in, height, width): `conv1.weight`, `conv1.bias`; a BatchNorm and the
 * Scale behind it become one batch norm under the BatchNorm's name.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { NamedArray, NamedArrays } from '../safetensors.js';
import { ByteReader, Malformed, parsing, shown, utf8 } from './bytes.js';
import { type ElementType, elementCount, toFloat32 } from './elements.js';
import type { WeightFile } from './weight-file.js';
import { append } from '../../extremes.js';

interface Field {
  number: number;
  wire: WireType;
  /** The bytes of a string, message, packed list or fixed number; empty for a varint. */
  bytes: Uint8Array;
  /** The value of a varint. */
  value: number;
}

/** The fields of a message in order. */
function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    let field: Field;
    try {
      const [number, wire] = reader.tag();
      if (wire === WireType.Varint) field = { number, wire, bytes: new Uint8Array(), value: Number(reader.uint64()) };
      else if (wire === WireType.LengthDelimited) field = { number, wire, bytes: reader.bytes(), value: 0 };
      else field = { number, wire, bytes: reader.skip(wire, number), value: 0 };
    } catch {
      throw new Malformed(`a message breaks off or is none at byte ${reader.pos}`);
    }
    yield field;
  }
}

interface CaffeLayer {
  name: string;
  type: string;
  bottoms: string[];
  tops: string[];
  blobs: { array: NamedArray; dtype: string }[];
}

/** Field numbers of LayerParameter and of V1LayerParameter. */
const currentForm = { name: 1, type: 2, bottom: 3, top: 4, blobs: 7 };
const olderForm = { name: 4, type: 5, bottom: 2, top: 3, blobs: 6 };

/** What could be a NetParameter: it starts with a name, an input or a layer. */
export function looksLikeCaffe(bytes: Uint8Array): boolean {
  return [0x0a, 0x12, 0x1a].includes(bytes[0]) || (bytes[0] === 0xa2 && bytes[1] === 0x06);
}

/** Reads a caffemodel in memory. Throws `InputError` on anything malformed. */
export function parseCaffemodel(bytes: Uint8Array, source: string): WeightFile {
  return parsing(source, 'a caffemodel', () => {
    const layers: CaffeLayer[] = [];
    const budget = { left: 2 ** 20 + bytes.byteLength };
    for (const { number, wire, bytes: content } of fieldsOf(bytes)) {
      if (wire !== WireType.LengthDelimited) continue;
      if (number === 100) layers.push(readLayer(content, currentForm, budget));
      else if (number === 2) layers.push(readLayer(content, olderForm, budget));
    }
    if (!layers.some(({ blobs }) => blobs.length > 0)) throw new Malformed('it holds no layers with weights');
    const tensors: NamedArrays = new Map();
    const dtypes = new Map<string, string>();
    for (const [name, array, dtype] of tensorsOf(layers)) {
      if (tensors.has(name)) throw new Malformed(`tensor ${shown(name)} occurs twice`);
      tensors.set(name, array);
      dtypes.set(name, dtype);
    }
    return { format: 'caffemodel', tensors, dtypes, metadata: {} };
  });
}

/** What an empty layer or blob counts in values: two bytes of a file make one. */
const emptyCost = 64;

function readLayer(message: Uint8Array, form: typeof currentForm, budget: { left: number }): CaffeLayer {
  spend(budget, emptyCost);
  const layer: CaffeLayer = { name: '', type: '', bottoms: [], tops: [], blobs: [] };
  for (const { number, wire, bytes, value } of fieldsOf(message)) {
    if (number === form.type && wire === WireType.Varint) layer.type = String(value);
    if (wire !== WireType.LengthDelimited) continue;
    if (number === form.name) layer.name = utf8(bytes);
    else if (number === form.type) layer.type = utf8(bytes);
    else if (number === form.bottom) layer.bottoms.push(utf8(bytes));
    else if (number === form.top) layer.tops.push(utf8(bytes));
    else if (number === form.blobs) layer.blobs.push(readBlob(bytes, budget));
  }
  return layer;
}

/** Packed or one by one, float or double; the shape as a list, or as num, channels, height, width. */
function readBlob(message: Uint8Array, budget: { left: number }): { array: NamedArray; dtype: string } {
  const older = [0, 0, 0, 0];
  let shape: number[] | undefined;
  const parts: Record<'float32' | 'float64', Uint8Array[]> = { float32: [], float64: [] };
  for (const { number, wire, bytes, value } of fieldsOf(message)) {
    if (wire === WireType.Varint && number >= 1 && number <= 4) older[number - 1] = value;
    else if (number === 7 && wire === WireType.LengthDelimited) shape = readShape(bytes);
    else if (number === 5) parts.float32.push(bytes);
    else if (number === 8) parts.float64.push(bytes);
  }
  const dtype: ElementType & keyof typeof parts = parts.float64.length > 0 ? 'float64' : 'float32';
  const content = parts[dtype].length === 1 ? parts[dtype][0] : Buffer.concat(parts[dtype]);
  shape ??= older.some((n) => n > 0) ? older : [content.byteLength / (dtype === 'float64' ? 8 : 4)];
  const count = elementCount(shape);
  spend(budget, emptyCost + count);
  const data = toFloat32({ bytes: content, type: dtype }, count);
  return { array: { shape, data }, dtype };
}

function spend(budget: { left: number }, values: number): void {
  budget.left -= values;
  if (budget.left < 0) throw new Malformed('its layers show more values than the file could hold');
}

function readShape(message: Uint8Array): number[] {
  const shape: number[] = [];
  for (const { number, wire, bytes, value } of fieldsOf(message)) {
    if (number !== 1) continue;
    if (wire === WireType.Varint) shape.push(value);
    const packed = new ByteReader(bytes);
    while (packed.left > 0) shape.push(varint(packed));
  }
  return shape;
}

function varint(reader: ByteReader): number {
  let value = 0;
  for (let factor = 1; factor < 2 ** 50; factor *= 128) {
    const byte = reader.u8();
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
  throw new Malformed('a shape is too large');
}

type Named = [name: string, array: NamedArray, dtype: string];

function tensorsOf(layers: readonly CaffeLayer[]): Named[] {
  const tensors: Named[] = [];
  /** The layer that wrote a blob last: Scale works in place on what BatchNorm made. */
  const writer = new Map<string, CaffeLayer>();
  const scaled = new Set<CaffeLayer>();
  for (const layer of layers) {
    const before = writer.get(layer.bottoms[0] ?? '');
    const { name, type, blobs } = layer;
    if (type === 'BatchNorm' && blobs.length >= 2) append(tensors, statistics(layer));
    else if (type === 'Scale' && before?.type === 'BatchNorm' && before.blobs.length > 0) {
      scaled.add(before);
      const channels = before.blobs[0].array.data.length;
      append(tensors, affine(before.name, layer, channels));
    } else if (type === 'Scale' && blobs.length > 0) append(tensors, affine(name, layer, blobs[0].array.data.length));
    else {
      for (const [i, { array, dtype }] of blobs.entries()) {
        if (i === 0) tensors.push([`${name}.weight`, withoutOnes(array, type), dtype]);
        else tensors.push([i === 1 ? `${name}.bias` : `${name}.blob${i}`, flat(array), dtype]);
      }
    }
    for (const top of layer.tops) writer.set(top, layer);
  }
  for (const layer of layers) {
    if (layer.type !== 'BatchNorm' || scaled.has(layer) || layer.blobs.length < 2) continue;
    const { length } = layer.blobs[0].array.data;
    tensors.push(
      [`${layer.name}.weight`, filled(length, 1), 'float32'],
      [`${layer.name}.bias`, filled(length, 0), 'float32'],
    );
  }
  return tensors;
}

/** Mean and variance are sums over the factor in the third blob; a factor of 0 means that none were collected. */
function statistics({ name, blobs }: CaffeLayer): Named[] {
  const [mean, variance, factor] = blobs;
  const total = factor?.array.data[0] ?? 1;
  const scale = total === 0 ? 0 : 1 / total;
  const scaledBy = ({ array, dtype }: CaffeLayer['blobs'][number]): NamedArray => {
    if (!Number.isFinite(scale))
      throw new Malformed(`${shown(name)} has the moving-average factor ${total} (${dtype})`);
    return { shape: [array.data.length], data: array.data.map((v) => v * scale) };
  };
  return [
    [`${name}.running_mean`, scaledBy(mean), mean.dtype],
    [`${name}.running_var`, scaledBy(variance), variance.dtype],
  ];
}

function affine(name: string, { blobs: [gamma, beta] }: CaffeLayer, channels: number): Named[] {
  return [
    [`${name}.weight`, gamma === undefined ? filled(channels, 1) : flat(gamma.array), gamma?.dtype ?? 'float32'],
    [`${name}.bias`, beta === undefined ? filled(channels, 0) : flat(beta.array), beta?.dtype ?? 'float32'],
  ];
}

const innerProductTypes = new Set(['InnerProduct', '14']);

/** The older form stored the matrix of an inner product as [1, 1, out, in]. */
function withoutOnes({ shape, data }: NamedArray, type: string): NamedArray {
  return innerProductTypes.has(type) && shape.length === 4 ? { shape: shape.slice(2), data } : { shape, data };
}

function flat({ data }: NamedArray): NamedArray {
  return { shape: [data.length], data };
}

function filled(length: number, value: number): NamedArray {
  return { shape: [length], data: new Float32Array(length).fill(value) };
}
