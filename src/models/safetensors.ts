/**
 * @file The safetensors container: an 8-byte little-endian header length, a JSON header, raw tensor bytes. Read as a
 * hostile format: every length, offset and shape is checked before a byte is touched, nothing is ever executed.
 * Written deterministically (sorted names, no time or path), so equal weights are equal bytes.
 */
import { InputError } from '../errors.js';

/** A row-major array of float32 with its shape; `[]` is a scalar. */
export interface NamedArray {
  shape: number[];
  data: Float32Array;
}

/** Weights by name. */
export type NamedArrays = Map<string, NamedArray>;

/** What the header says about one tensor, before its bytes are read. */
export interface TensorEntry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

/** Key of the header that is not a tensor. */
const metadataEntry = '__metadata__';

// The reference implementation reads 100 MB; a network of 100,000 tensors takes 10.
const maxHeaderBytes = 2 ** 24;
const maxTensors = 100_000;

const bytesPerElement: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  U8: 1,
};

/** Reads a safetensors file in memory. `source` names it in errors. Throws `InputError` on anything malformed. */
export function parseSafetensors(
  bytes: Uint8Array,
  source: string,
): { tensors: NamedArrays; metadata: Record<string, string> } {
  const { entries, metadata, dataStart } = parseSafetensorsHeader(bytes, source);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors: NamedArrays = new Map();
  for (const entry of entries) {
    tensors.set(entry.name, { shape: entry.shape, data: readElements(view, dataStart + entry.begin, entry) });
  }
  return { tensors, metadata };
}

/** The header alone, checked: entries in file order, metadata, and where the tensor bytes start. */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  source: string,
): { entries: TensorEntry[]; metadata: Record<string, string>; dataStart: number } {
  const fail = (what: string): never => {
    throw new InputError(`${source}: not a valid safetensors file: ${what}. Download or export it again.`);
  };
  if (bytes.byteLength < 8) fail(`${bytes.byteLength} bytes, at least 8 expected`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes) || 8n + length > BigInt(bytes.byteLength)) {
    fail(`the header claims ${length} bytes, the file has ${bytes.byteLength} (truncated, or another format)`);
  }
  const dataStart = 8 + Number(length);
  const header = parseHeaderJson(bytes.subarray(8, dataStart), fail);
  const dataLength = bytes.byteLength - dataStart;
  const entries: TensorEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of header) {
    if (name === metadataEntry) metadata = parseMetadata(value, fail);
    else entries.push(parseEntry(name, value, dataLength, fail));
  }
  checkLayout(entries, dataLength, fail);
  return { entries, metadata, dataStart };
}

type Fail = (what: string) => never;

function parseHeaderJson(bytes: Uint8Array, fail: Fail): [string, unknown][] {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    return fail('the header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    return fail('the header is not an object');
  const entries = Object.entries(header);
  // JSON.parse keeps the last of two equal keys: count the keys of the text to see a name that occurs twice.
  if (countTopLevelKeys(text) !== entries.length) return fail('a tensor name occurs twice');
  if (entries.length > maxTensors) return fail(`it has ${entries.length} tensors, at most ${maxTensors} are read`);
  return entries;
}

/** Number of keys of the outermost object of valid JSON, duplicates included. */
function countTopLevelKeys(json: string): number {
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') {
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
    } else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === ':' && depth === 1) keys++;
  }
  return keys;
}

function parseMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail('__metadata__ is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return fail(`__metadata__ "${key}" is not a string`);
  }
  return { ...(value as Record<string, string>) };
}

function parseEntry(name: string, value: unknown, dataLength: number, fail: Fail): TensorEntry {
  const shown = JSON.stringify(name.slice(0, 80));
  if (typeof value !== 'object' || value === null) return fail(`tensor ${shown} has no description`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const size = typeof dtype === 'string' && Object.hasOwn(bytesPerElement, dtype) ? bytesPerElement[dtype] : undefined;
  if (size === undefined) {
    return fail(
      `tensor ${shown} has type ${typeof dtype === 'string' ? JSON.stringify(dtype.slice(0, 80)) : typeof dtype}, one of ${Object.keys(bytesPerElement).join(', ')} expected`,
    );
  }
  if (!Array.isArray(shape) || shape.length > 16 || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    return fail(`tensor ${shown} has a bad shape`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    return fail(`tensor ${shown} has bad offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) return fail(`tensor ${shown} lies outside the file (truncated?)`);
  const elements = (shape as number[]).reduce((product, n) => product * n, 1);
  if (elements * size !== end - begin) {
    return fail(`tensor ${shown} of shape [${shape.join(', ')}] does not fill its ${end - begin} bytes`);
  }
  return { name, dtype: dtype as string, shape: shape as number[], begin, end };
}

/** Tensors must tile the data area: no overlap, no hole, nothing behind the last one. */
function checkLayout(entries: readonly TensorEntry[], dataLength: number, fail: Fail): void {
  const inOrder = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, begin, end } of inOrder) {
    if (begin !== position) fail(`tensor ${JSON.stringify(name.slice(0, 80))} overlaps another or leaves a hole`);
    position = end;
  }
  if (position !== dataLength) fail(`${dataLength - position} bytes belong to no tensor`);
}

function readElements(view: DataView, start: number, { dtype, begin, end }: TensorEntry): Float32Array {
  const size = bytesPerElement[dtype];
  const count = (end - begin) / size;
  const out = new Float32Array(count);
  if (dtype === 'F32') {
    new Uint8Array(out.buffer).set(new Uint8Array(view.buffer, view.byteOffset + start, end - begin)); // hosts of Node are little-endian
    return out;
  }
  const read: (at: number) => number = {
    F64: (at: number) => view.getFloat64(at, true),
    F16: (at: number) => halfToFloat(view.getUint16(at, true)),
    BF16: (at: number) => bfloatToFloat(view.getUint16(at, true)),
    I64: (at: number) => Number(view.getBigInt64(at, true)),
    I32: (at: number) => view.getInt32(at, true),
    U8: (at: number) => view.getUint8(at),
  }[dtype as 'F64'];
  for (let i = 0; i < count; i++) out[i] = read(start + i * size);
  return out;
}

/** IEEE 754 binary16 bits -> number. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

export function bfloatToFloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Writes float32 tensors: names in code-point order, header padded with spaces to 8 bytes. Same input, same bytes. */
export function encodeSafetensors(tensors: NamedArrays, metadata: Record<string, string>): Uint8Array {
  const names = [...tensors.keys()].toSorted();
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) {
    header[metadataEntry] = Object.fromEntries(
      Object.keys(metadata)
        .toSorted()
        .map((key) => [key, metadata[key]]),
    );
  }
  let offset = 0;
  for (const name of names) {
    const { shape, data } = tensors.get(name)!;
    const elements = shape.reduce((product, n) => product * n, 1);
    if (elements !== data.length)
      throw new Error(`encodeSafetensors: ${name} has ${data.length} values for shape [${shape.join(', ')}]`);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(json, 8);
  let position = 8 + headerLength;
  for (const name of names) {
    const { data } = tensors.get(name)!;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}
