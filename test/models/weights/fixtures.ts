import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import seedrandom from 'seedrandom';
import { expect } from 'vitest';
import { InputError } from '../../../src/errors.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';

const folder = new URL('../../golden/weights/', import.meta.url);

/** A file that the format's own program wrote (scripts/weight-fixtures.py). */
export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(name, folder));
}

type Values = Record<string, { shape: number[]; data: number[] }>;

/** The values that program reads from it. */
export function expectedOf(name: string): Values {
  return (JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, Values>)[name];
}

/** What keras3.weights.h5 holds (scripts/keras3-fixture.py). */
export function keras3Values(): Values {
  return JSON.parse(readFileSync(new URL('keras3.json', folder), 'utf8')) as Values;
}

/** Every value equal to the last bit, every shape, every name in order. */
export function expectTensors(tensors: NamedArrays, expected: Values): void {
  expect([...tensors.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
  for (const [name, { shape, data }] of tensors) {
    expect({ name, shape, data: [...data] }).toEqual({ name, ...expected[name] });
  }
}

/**
 * Damages `good` in `runs` seeded ways (bytes replaced, runs of bytes replaced by lengths, cut short, parts copied over
 * others): each gives a result or an `InputError` of one line, without a hang: within
 * five seconds of processor time, whatever else the machine does.
 */
export function fuzz(good: Uint8Array, read: (bytes: Uint8Array) => unknown, runs = 10_000): void {
  const random = seedrandom('fuzz');
  const below = (n: number) => Math.floor(random() * n);
  const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
  let survived = 0;
  for (let run = 0; run < runs; run++) {
    let bytes = Uint8Array.from(good);
    for (let edit = below(4); edit >= 0; edit--) {
      const at = below(bytes.length);
      const kind = below(8);
      if (kind === 0)
        new DataView(bytes.buffer).setUint32(Math.min(at, bytes.length - 4), lengths[below(lengths.length)], true);
      else if (kind === 1) bytes.copyWithin(at, below(bytes.length), below(bytes.length));
      else if (kind === 2) bytes[at] ^= 1 << below(8);
      else bytes[at] = below(256);
    }
    if (run % 10 === 0) bytes = bytes.slice(0, below(bytes.length));
    const started = process.cpuUsage();
    try {
      read(bytes);
      survived++;
    } catch (error) {
      if (!(error instanceof InputError)) throw new Error(`run ${run}: not an InputError`, { cause: error });
      if (/\n/.test(error.message)) throw new Error(`run ${run}: more than one line`, { cause: error });
    }
    const { user, system } = process.cpuUsage(started);
    if (user + system > 5e6) throw new Error(`run ${run} took more than five seconds`);
  }
  expect(survived).toBeLessThan(runs);
}

/** Every shorter file is refused with one line. */
export function expectEveryTruncationRefused(good: Uint8Array, read: (bytes: Uint8Array) => unknown, step = 1): void {
  for (let length = 0; length < good.length; length += step) {
    expect(() => read(good.slice(0, length)), `${length} bytes`).toThrow(InputError);
  }
}

/** A zip of stored or deflated members, as torch lays it out. */
export function zipOf(
  members: Record<string, Uint8Array>,
  { deflate = false, claim }: { deflate?: boolean; claim?: number } = {},
) {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(members)) {
    const data = deflate ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(deflate ? 8 : 0, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(claim ?? content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    parts.push(local, Buffer.from(name), Buffer.from(data));
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** Dicts of dicts whose leaves are the values of float32 tensors; a shape of its own in place of [n] where it is given. */
export interface TorchDict {
  [name: string]: TorchDict | number[] | { shape: number[]; data: Float32Array };
}

/** The zip that torch.save writes of such a dict: a pickle of protocol 2, a storage for each tensor. */
export function torchFile(root: TorchDict): Uint8Array {
  const storages: Record<string, Uint8Array> = {};
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return `J${bytes.toString('latin1')}`;
  };
  const text = (value: string) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value.length);
    return `X${bytes.toString('latin1')}${value}`;
  };
  const tuple = (values: readonly number[]) => `(${values.map(number).join('')}t`;
  const tensor = (shape: readonly number[], data: Float32Array): string => {
    const key = String(Object.keys(storages).length);
    storages[`archive/data/${key}`] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
    const storage = `(${text('storage')}ctorch\nFloatStorage\n${text(key)}${text('cpu')}${number(data.length)}tQ`;
    const state = `${storage}${number(0)}${tuple(shape)}${tuple(strides)}\x89ccollections\nOrderedDict\n)R`;
    return `ctorch._utils\n_rebuild_tensor_v2\n(${state}tR`;
  };
  const dict = (content: TorchDict): string =>
    `}${Object.entries(content)
      .map(([name, value]) => `${text(name)}${entry(value)}s`)
      .join('')}`;
  const entry = (value: TorchDict[string]): string => {
    if (Array.isArray(value)) return tensor([value.length], Float32Array.from(value));
    return value.data instanceof Float32Array ? tensor(value.shape as number[], value.data) : dict(value as TorchDict);
  };
  const pickle = Buffer.from(`\x80\x02${dict(root)}.`, 'latin1');
  return zipOf({ 'archive/data.pkl': pickle, ...storages, 'archive/version': Buffer.from('3\n') });
}
