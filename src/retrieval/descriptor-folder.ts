/**
 * @file The folder that `extract` writes and `evaluate` reads:
 *   descriptors.npy  [N, D] float32, unit rows        ids.txt  N lines, one id each, in the order of the rows
 *   meta.json        the model, the options, the images that failed, and the sha256 of the other two, so that files of two
 *                    extractions are never read as one
 * Shard i of n has `.i-of-n` before each extension. A folder with all n shards and no whole set reads as their
 * concatenation, which is in the order of an unsharded run because shards are contiguous parts of the list.
 * Descriptors made elsewhere may be an .npy file alone, whose rows are in an order that the reader knows.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { readFile, readText, whyUnreadable } from '../data/read-file.js';
import { sha256Of } from '../data/sha256.js';
import { InputError, messageOf } from '../errors.js';
import { firstFew } from './ground-truth.js';
import { parseNpy } from '../data/npy.js';
import type { DescriptorTable } from './ranking.js';

/** Part `index` (from 1) of `count`. */
export interface Shard {
  index: number;
  count: number;
}

export interface DescriptorFiles {
  descriptors: string;
  ids: string;
  meta: string;
  /** Finished rows of a run that has not ended: what they are, and their values (partial-descriptors.ts). */
  partial: string;
  partialRows: string;
}

/** What is known about an image that could not be described. */
export interface DescribeFailure {
  id: string;
  error: string;
}

/** Paths of a whole set or of one shard in `folder`. */
export function descriptorFiles(folder: string, shard?: Shard): DescriptorFiles {
  const part = shard === undefined ? '' : `.${shard.index}-of-${shard.count}`;
  return {
    descriptors: join(folder, `descriptors${part}.npy`),
    ids: join(folder, `ids${part}.txt`),
    meta: join(folder, `meta${part}.json`),
    partial: join(folder, `partial${part}.jsonl`),
    partialRows: join(folder, `partial${part}.f32`),
  };
}

/** The contiguous part of `items` that belongs to the shard; parts differ in length by at most one. */
export function shardOf<T>(items: readonly T[], { index, count }: Shard): T[] {
  const boundary = (part: number) => Math.floor((part * items.length) / count);
  return items.slice(boundary(index - 1), boundary(index));
}

const metaSchema = z.object({
  failures: z.array(z.object({ id: z.string(), error: z.string() })).default([]),
  fingerprint: z.string().optional(),
  sha256: z.object({ descriptors: z.string(), ids: z.string() }).optional(),
});

export interface DescriptorSet extends DescriptorTable {
  /** Images that `extract` could not read; empty where meta.json is absent. */
  failures: DescribeFailure[];
  /** True if some row's length is not 1 within 1e-3: the dot product is then not the cosine. */
  notUnit: boolean;
}

/** Whether descriptors are an .npy file without ids of its own: not the one of a folder that `extract` wrote. */
export function isRowsAlone(source: string): boolean {
  return source.endsWith('.npy') && !isOfFolder(source);
}

function isOfFolder(file: string): boolean {
  return basename(file) === 'descriptors.npy' && existsSync(descriptorFiles(dirname(file)).ids);
}

/**
 * Reads a folder's descriptors, whole or in shards, or an .npy file alone, whose rows are those of `order`.
 * @throws InputError naming the file and the way out.
 */
export async function readDescriptorFolder(source: string, order?: readonly string[]): Promise<DescriptorSet> {
  const set = isRowsAlone(source)
    ? await readRowsAlone(source, order)
    : await readWholeOrShards(isOfFolder(source) ? dirname(source) : source);
  if (set.ids.length === 0) {
    throw new InputError(`${source} holds no descriptors: its tables have 0 rows; extract the images again.`);
  }
  return set;
}

async function readRowsAlone(file: string, order: readonly string[] | undefined): Promise<DescriptorSet> {
  if (order === undefined)
    throw new InputError(`${file} has no ids; expected a folder with descriptors.npy and ids.txt.`);
  const table = await readTable(file);
  const { rows, dimension, data } = table;
  if (rows !== order.length) {
    throw new InputError(
      `${file}: ${rows} rows, the ground truth has ${order.length} images; rows without ids must be its images in its order.`,
    );
  }
  return { ids: [...order], dimension, data, notUnit: notUnit(table, order, file), failures: [] };
}

async function readWholeOrShards(folder: string): Promise<DescriptorSet> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new InputError(`Cannot read descriptors in ${folder}: ${messageOf(error)}`);
  }
  if (names.includes('descriptors.npy')) return readSet(descriptorFiles(folder));
  const sets: (DescriptorSet & { fingerprint?: string })[] = [];
  for (const shard of allShards(folder, names)) sets.push(await readSet(descriptorFiles(folder, shard)));
  return concatenate(folder, sets);
}

/** The shards of a folder with these files. @throws InputError where one is missing, or they are not of one set. */
export function allShards(folder: string, names: readonly string[]): Shard[] {
  const counts = new Set<number>();
  const present = new Set<string>();
  for (const name of names) {
    const match = /^descriptors\.(\d+)-of-(\d+)\.npy$/.exec(name);
    if (match === null) continue;
    counts.add(Number(match[2]));
    present.add(`${Number(match[1])}/${Number(match[2])}`);
  }
  if (counts.size === 0) {
    const begun = names.some((name) => /^partial\..*jsonl$/.test(name));
    if (begun) throw unfinished(folder);
    throw new InputError(`${folder} has no descriptors.npy; make it with rmac extract --out ${folder}.`);
  }
  if (counts.size > 1) {
    throw new InputError(`${folder} mixes shards of ${[...counts].join(' and ')} parts; keep one set in a folder.`);
  }
  const [count] = counts;
  const shards = Array.from({ length: count }, (_, i) => ({ index: i + 1, count }));
  const missing = shards.filter(({ index }) => !present.has(`${index}/${count}`));
  if (missing.length > 0) {
    const list = firstFew(missing.map(({ index }) => `${index}/${count}`));
    throw new InputError(`${folder} lacks shard ${list}; run rmac extract --shard for it.`);
  }
  return shards;
}

interface Table {
  rows: number;
  dimension: number;
  /** Rows [N, D]. */
  data: Float32Array;
}

function parseTable(bytes: Uint8Array, file: string): Table {
  const { data, shape } = parseNpy(bytes, file);
  if (shape.length !== 2) throw new InputError(`${file}: expected rows [N, D], got shape (${shape.join(', ')}).`);
  return { rows: shape[0], dimension: shape[1], data };
}

async function readTable(file: string): Promise<Table> {
  return parseTable(await read(file), file);
}

function unfinished(folder: string): InputError {
  return new InputError(`${folder} holds an unfinished extraction; run the same rmac extract again to finish it.`);
}

async function readSet(files: DescriptorFiles): Promise<DescriptorSet & { fingerprint?: string }> {
  const bytes = await read(files.descriptors);
  const table = parseTable(bytes, files.descriptors);
  const { rows, dimension, data } = table;
  if (existsSync(files.partial) && !existsSync(files.ids)) throw unfinished(dirname(files.ids));
  const idLines = await read(files.ids);
  const { sha256, ...meta } = await readMeta(files.meta);
  if (sha256 !== undefined && (sha256.descriptors !== sha256Of([bytes]) || sha256.ids !== sha256Of([idLines]))) {
    throw new InputError(
      `${files.descriptors} and ${basename(files.ids)} are not those that ${files.meta} was written with; ` +
        'extract again, or remove that file if you changed them yourself.',
    );
  }
  const ids = idsOf(idLines);
  if (ids.length !== rows) {
    throw new InputError(`${files.ids}: ${ids.length} ids for ${rows} rows of ${files.descriptors}; extract again.`);
  }
  assertDistinctIds(ids, files.ids);
  return { ids, dimension, data, notUnit: notUnit(table, ids, files.descriptors), ...meta };
}

/** The lines of ids.txt. */
export function idsOf(bytes: Uint8Array): string[] {
  const ids = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (ids.at(-1) === '') ids.pop();
  return ids;
}

/** Whether some row's length is not 1 within 1e-3. @throws InputError for NaN and infinite values. */
function notUnit({ dimension, data }: Table, ids: readonly string[], file: string): boolean {
  let found = false;
  for (let row = 0; row < ids.length; row++) {
    let squared = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) squared += data[i] * data[i];
    if (!Number.isFinite(squared)) {
      throw new InputError(`${file}: row ${row} ("${ids[row]}") has NaN or infinite values; extract again.`);
    }
    if (Math.abs(Math.sqrt(squared) - 1) > 1e-3) found = true;
  }
  return found;
}

/** meta.json is optional, so that descriptors made elsewhere can be evaluated. */
async function readMeta(file: string): Promise<z.output<typeof metaSchema>> {
  let text: string;
  try {
    text = await readText(file);
  } catch {
    return { failures: [] };
  }
  try {
    return metaSchema.parse(JSON.parse(text));
  } catch {
    throw new InputError(`${file} is not what rmac extract writes; remove it or extract again.`);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new InputError(`Cannot read ${file}: ${whyUnreadable(file, error)}`);
  }
}

function concatenate(folder: string, sets: readonly (DescriptorSet & { fingerprint?: string })[]): DescriptorSet {
  const filled = sets.filter((set) => set.ids.length > 0);
  const dimension = filled[0]?.dimension ?? 0;
  if (filled.some((set) => set.dimension !== dimension || set.fingerprint !== filled[0].fingerprint)) {
    throw new InputError(`${folder}: its shards were made by different models or options; extract them again.`);
  }
  const data = new Float32Array(filled.reduce((sum, set) => sum + set.data.length, 0));
  let offset = 0;
  for (const set of filled) {
    data.set(set.data, offset);
    offset += set.data.length;
  }
  const ids = filled.flatMap((set) => set.ids);
  assertDistinctIds(ids, folder);
  return {
    ids,
    dimension,
    data,
    notUnit: filled.some((set) => set.notUnit),
    failures: sets.flatMap((set) => set.failures),
  };
}

/** @throws InputError naming `where` and the first id that occurs twice. */
export function assertDistinctIds(ids: readonly string[], where: string): void {
  const seen = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) throw new InputError(`${where}: id "${id}" occurs twice; ids must be unique.`);
    seen.add(id);
  }
}
