/**
 * @file Matlab's `.mat`, version 5: variables as plain values. Arrays stay in Matlab's order (first axis fastest); compressed
 * variables are inflated up to ten times the file. Functions, objects and sparse matrices are left out.
 */
import { inflateSync } from 'node:zlib';
import type { NamedArray } from '../safetensors.js';
import { ByteReader, latin1, Malformed, mostInflated, shown } from './bytes.js';
import { columnMajorStrides, type ElementType, elementCount, gather, type RawElements } from './elements.js';

export type MatlabValue =
  | { kind: 'array'; shape: number[]; raw: RawElements }
  | { kind: 'text'; text: string }
  | { kind: 'cell'; items: MatlabValue[] }
  | { kind: 'struct'; elements: Map<string, MatlabValue>[] }
  | { kind: 'other' };

export type MatlabVariables = Map<string, MatlabValue>;

const maxDepth = 32;
/** Cells, structs and arrays of a file; a network of 1,000 layers has 20,000. */
const maxValues = 1_000_000;

/** Type numbers of the elements -> what they store. */
const storage: Readonly<Record<number, ElementType>> = {
  1: 'int8',
  2: 'uint8',
  3: 'int16',
  4: 'uint16',
  5: 'int32',
  6: 'uint32',
  7: 'float32',
  9: 'float64',
  12: 'int64',
  13: 'uint64',
  16: 'uint8',
  17: 'uint16',
  18: 'uint32',
};

const matrix = 14;
const compressed = 15;

export function isMatlab5(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, 10)) === 'MATLAB 5.0';
}

interface Context {
  littleEndian: boolean;
  /** Bytes that may still be inflated. */
  inflate: number;
  /** Values that may still be read. */
  values: number;
}

/** All variables of a version 5 file. */
export function readMatlab5(bytes: Uint8Array): MatlabVariables {
  const order = latin1(bytes.subarray(126, 128));
  if (order !== 'IM' && order !== 'MI') throw new Malformed('its header is broken (truncated?)');
  const context: Context = { littleEndian: order === 'IM', inflate: mostInflated(bytes.byteLength), values: maxValues };
  const reader = new ByteReader(bytes, context.littleEndian).seek(128);
  const variables: MatlabVariables = new Map();
  while (reader.left > 0) {
    const { name, value } = readVariable(reader, context, 0);
    if (variables.has(name)) throw new Malformed(`variable ${shown(name)} occurs twice`);
    variables.set(name, value);
  }
  return variables;
}

interface Element {
  type: number;
  reader: ByteReader;
}

/** The next element: its tag, its bytes, and the padding to 8 that follows all but compressed ones. */
function readElement(reader: ByteReader): Element {
  const first = reader.u32();
  const { littleEndian } = reader;
  const small = first >>> 16;
  if (small > 0) {
    const content = reader.take(4);
    if (small > 4) throw new Malformed(`an element of ${small} bytes claims to be small`);
    return { type: first & 0xffff, reader: new ByteReader(content.subarray(0, small), littleEndian) };
  }
  const length = reader.u32();
  const content = reader.take(length);
  if (first !== compressed) reader.skip(Math.min(reader.left, (8 - (length % 8)) % 8));
  return { type: first, reader: new ByteReader(content, littleEndian) };
}

function readVariable(reader: ByteReader, context: Context, depth: number): { name: string; value: MatlabValue } {
  const element = readElement(reader);
  if (element.type === compressed) {
    if (depth > 0) throw new Malformed('a compressed element lies inside another');
    return readVariable(new ByteReader(inflate(element.reader.bytes, context), context.littleEndian), context, 1);
  }
  if (element.type !== matrix) throw new Malformed(`a variable starts with an element of type ${element.type}`);
  return readMatrix(element.reader, context, depth);
}

function inflate(bytes: Uint8Array, context: Context): Uint8Array {
  let content: Uint8Array;
  try {
    content = inflateSync(bytes, { maxOutputLength: Math.max(1, Math.min(context.inflate, 2 ** 31)) });
  } catch {
    throw new Malformed('a variable does not inflate, or to more than ten times the file');
  }
  context.inflate -= content.byteLength;
  return content;
}

function readMatrix(reader: ByteReader, context: Context, depth: number): { name: string; value: MatlabValue } {
  if (--context.values < 0) throw new Malformed(`it holds more than ${maxValues} values`);
  if (depth > maxDepth) throw new Malformed('its cells lie in each other without end');
  if (reader.left === 0) return { name: '', value: { kind: 'cell', items: [] } };
  const flags = readElement(reader).reader.u32();
  const kind = flags & 0xff;
  if (kind === 17) return { name: '', value: { kind: 'other' } };
  const shape = integers(readElement(reader));
  const name = latin1(readElement(reader).reader.bytes);
  const count = elementCount(shape);
  const next = () => readVariable(reader, context, depth + 1).value;
  switch (kind) {
    case 1:
      return { name, value: { kind: 'cell', items: Array.from({ length: bounded(count, reader) }, next) } };
    case 2: {
      const [width] = integers(readElement(reader));
      const names = readElement(reader).reader;
      if (!(width > 0)) throw new Malformed('a struct has names of no length');
      const fields: string[] = [];
      while (names.left >= width) fields.push(names.text(width).replace(/\0.*$/s, ''));
      const elements = Array.from(
        { length: fields.length === 0 ? 0 : bounded(count, reader) },
        () => new Map(fields.map((field) => [field, next()])),
      );
      return { name, value: { kind: 'struct', elements } };
    }
    case 4:
      return { name, value: { kind: 'text', text: textOf(readElement(reader)) } };
    default: {
      if (kind < 6 || kind > 15) return { name, value: { kind: 'other' } };
      const { type, reader: content } = readElement(reader);
      if (!Object.hasOwn(storage, type)) throw new Malformed(`an array stores elements of type ${type}`);
      const raw = { bytes: content.bytes, type: storage[type], littleEndian: context.littleEndian };
      return { name, value: { kind: 'array', shape, raw } };
    }
  }
}

/** A number of cells or structs: each takes 8 bytes at least. */
function bounded(count: number, reader: ByteReader): number {
  if (count * 8 > reader.left) throw new Malformed(`${count} cells are claimed in ${reader.left} bytes`);
  return count;
}

function integers({ type, reader }: Element): number[] {
  if (type !== 5 && type !== 6) throw new Malformed('sizes are missing');
  const values: number[] = [];
  while (reader.left >= 4) values.push(reader.i32());
  return values;
}

function textOf({ type, reader }: Element): string {
  if (type === 16 || type === 1 || type === 2) return Buffer.from(reader.bytes).toString('utf8');
  let text = '';
  while (reader.left >= 2 && text.length < 10_000) text += String.fromCharCode(reader.u16());
  return text;
}

/** An array with its axes in this order, row-major. */
export function arrayOf(value: MatlabValue | undefined, axes?: readonly number[]): NamedArray {
  if (value?.kind !== 'array') throw new Malformed('an array is missing');
  const strides = columnMajorStrides(value.shape);
  const order = axes ?? value.shape.map((_, axis) => axis);
  return gather(value.raw, {
    shape: order.map((axis) => value.shape[axis] ?? 1), // Matlab drops axes of length 1 at the end
    strides: order.map((axis) => strides[axis] ?? 0),
  });
}
