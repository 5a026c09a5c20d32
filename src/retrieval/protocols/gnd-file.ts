/**
 * @file The ground truth files of the revisited benchmarks and of their kin, gnd_*.pkl, .mat and .json: a list of database
 * names, a list of query names, and for each query a box and lists of database numbers. Pickles are read by a machine that
 * knows plain values and NumPy arrays and runs nothing; numbers count from 1 in Matlab files and from 0 elsewhere, boxes
 * count from 0 in all.
 */
import { readBytes } from '../../data/model-file.js';
import { InputError } from '../../errors.js';
import { ByteReader, Malformed, parsing } from '../../models/weights/bytes.js';
import {
  arrayOf,
  isMatlab5,
  type MatlabValue,
  type MatlabVariables,
  readMatlab5,
} from '../../models/weights/matlab.js';
import { isMatlab73, readMatlab73 } from '../../models/weights/matlab73.js';
import { type PickleValue, readPickle, PickleTuple } from '../../models/weights/pickle.js';
import { isJson } from '../../models/weights/read-weights.js';
import { readNumpy } from '../../models/weights/torch.js';
import { NumpyArray, torchRules } from '../../models/weights/torch-names.js';

/** The lists of a query that files may have: easy, hard and junk; ok and junk in files of the original benchmarks. */
export const gndLists = ['ok', 'easy', 'hard', 'junk'] as const;
export type GndList = (typeof gndLists)[number];

export interface GndRecord extends Partial<Record<GndList, number[]>> {
  /** Left, top, right, bottom, px from 0. */
  bbx?: number[];
}

export interface GndFile {
  /** Names of the database; the numbers of the lists count through them, from 0. */
  images: string[];
  /** Names of the query images. */
  queries: string[];
  records: GndRecord[];
}

/** @throws InputError naming the file: malformed, lists that do not fit each other, numbers outside the database. */
export async function readGndFile(file: string): Promise<GndFile> {
  const bytes = await readBytes(file);
  const gnd = parsing(file, 'a ground truth (gnd_*.pkl, .mat or .json)', () => {
    if (isMatlab5(bytes)) return fromMatlab(readMatlab5(bytes));
    if (isMatlab73(bytes)) return fromMatlab(readMatlab73(bytes));
    return fromPlain(isJson(bytes) ? fromJson(bytes) : readPickle(new ByteReader(bytes), plainValues));
  });
  const { images, queries, records } = gnd;
  if (queries.length !== records.length || queries.length === 0 || images.length === 0) {
    throw new InputError(
      `${file}: ${images.length} images, ${queries.length} queries and ${records.length} records; expected a record for each query.`,
    );
  }
  for (const [names, what] of [
    [images, 'database'],
    [queries, 'query'],
  ] as const) {
    const seen = new Set<string>();
    const twice = names.find((name) => seen.has(name) || !seen.add(name));
    if (twice !== undefined) throw new InputError(`${file}: the ${what} name "${twice}" occurs twice.`);
  }
  records.forEach((record, query) => checkRecord(record, `${file}: query "${queries[query]}"`, images.length));
  return gnd;
}

function checkRecord(record: GndRecord, where: string, size: number): void {
  const listOf = new Map<number, GndList>();
  for (const name of gndLists) {
    for (const index of record[name] ?? []) {
      if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
        throw new InputError(`${where}: its ${name} list names image ${index}, the database has ${size}.`);
      }
      const earlier = listOf.get(index);
      if (earlier !== undefined && earlier !== name) {
        throw new InputError(`${where}: image ${index} is both ${earlier} and ${name}; it can be one.`);
      }
      listOf.set(index, name);
    }
  }
  const { bbx } = record;
  if (bbx === undefined) return;
  const [left, top, right, bottom] = bbx;
  if (bbx.length !== 4 || !(right > left && bottom > top && Number.isFinite(left + top + right + bottom))) {
    throw new InputError(
      `${where}: the box [${bbx.slice(0, 8).join(', ')}] is none; left, top, right, bottom expected.`,
    );
  }
}

/** Tensors have no place here; everything else that torchRules allows is plain data. */
const plainValues = torchRules(() => {
  throw new Malformed('it holds a tensor');
});

function fromJson(bytes: Uint8Array): PickleValue {
  try {
    return toMaps(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    throw new Malformed('it is not JSON');
  }
}

/** JSON objects as a pickle has them. */
function toMaps(value: unknown): PickleValue {
  if (Array.isArray(value)) return value.map(toMaps);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, toMaps(item)]));
}

function fromPlain(root: PickleValue): GndFile {
  if (!(root instanceof Map)) throw new Malformed('it is no dict with gnd, imlist and qimlist');
  const images = namesOf(root.get('imlist'), 'imlist');
  const queryNumbers = root.get('qidx');
  const queries =
    root.has('qimlist') || queryNumbers === undefined
      ? namesOf(root.get('qimlist'), 'qimlist')
      : numbersOf(queryNumbers, 'qidx').map((index) => images[index] ?? `image ${index}`);
  const records = itemsOf(root.get('gnd'), 'gnd').map((record) => {
    if (!(record instanceof Map)) throw new Malformed('a record of gnd is no dict');
    return recordOf((name) => {
      const value: PickleValue = record.get(name);
      return value === undefined ? undefined : numbersOf(value, name);
    });
  });
  return { images, queries, records };
}

function recordOf(read: (name: GndList | 'bbx') => number[] | undefined): GndRecord {
  const record: GndRecord = {};
  for (const name of [...gndLists, 'bbx'] as const) {
    const values = read(name);
    if (values !== undefined) record[name] = values;
  }
  return record;
}

function itemsOf(value: PickleValue, name: string): readonly PickleValue[] {
  if (Array.isArray(value)) return value as PickleValue[];
  if (value instanceof PickleTuple) return value.items;
  throw new Malformed(`${name} is no list`);
}

function namesOf(value: PickleValue, name: string): string[] {
  return itemsOf(value, name).map((item) => {
    if (typeof item !== 'string' || item === '') throw new Malformed(`${name} holds what is no name`);
    return item;
  });
}

/** Numbers of a list, a tuple or a NumPy array of any shape; a list may hold NumPy numbers. */
function numbersOf(value: PickleValue, name: string): number[] {
  if (value instanceof NumpyArray) return [...readNumpy(value).data];
  return itemsOf(value, name).map((item) => {
    const number: PickleValue = item instanceof NumpyArray && item.shape.length === 0 ? readNumpy(item).data[0] : item;
    if (typeof number !== 'number') throw new Malformed(`${name} holds what is no number`);
    return number;
  });
}

function fromMatlab(variables: MatlabVariables): GndFile {
  const gnd = variables.get('gnd');
  if (gnd?.kind !== 'struct') throw new Malformed('it has no struct gnd');
  const images = cellNames(variables.get('imlist'), 'imlist');
  const numbers = variables.get('qidx');
  const queries =
    variables.has('qimlist') || numbers === undefined
      ? cellNames(variables.get('qimlist'), 'qimlist')
      : [...arrayOf(numbers).data].map((index) => images[index - 1] ?? `image ${index}`);
  const records = gnd.elements.map((record) =>
    recordOf((name) => {
      const value = record.get(name);
      if (value === undefined) return undefined;
      if (value.kind === 'cell' && value.items.length === 0) return [];
      const { data } = arrayOf(value);
      return name === 'bbx' ? [...data] : [...data].map((index) => index - 1);
    }),
  );
  return { images, queries, records };
}

function cellNames(value: MatlabValue | undefined, name: string): string[] {
  if (value?.kind !== 'cell') throw new Malformed(`it has no cell array ${name}`);
  return value.items.map((item) => {
    if (item.kind !== 'text' || item.text === '') throw new Malformed(`${name} holds what is no name`);
    return item.text;
  });
}
