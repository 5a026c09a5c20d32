/** @file More images to search in that are right for no query: Oxford's 100,000, or any other folder. */
import { readdir } from 'node:fs/promises';
import { InputError, messageOf } from '../../errors.js';
import { listImages } from '../../data/image-list.js';
import type { DescriptorSet } from '../descriptor-folder.js';
import type { DescriptorTable } from '../ranking.js';
import type { Setting } from './benchmark.js';

/** Ids of distractors start with this, so that none is taken for an image of the benchmark. */
const prefix = 'distractor:';

/** Whether a folder holds descriptors (of `rmac extract`) rather than images. */
export async function holdsDescriptors(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).some((name) => /^descriptors(\.\d+-of-\d+)?\.npy$/.test(name));
  } catch (error) {
    throw new InputError(`Cannot read --distractors ${folder}: ${messageOf(error)}`);
  }
}

/** The images of a folder, to be described with the rest. */
export async function distractorImages(folder: string): Promise<{ id: string; image: string }[]> {
  return (await listImages(folder)).map(({ id, path }) => ({ id: prefix + id, image: path }));
}

/** Every setting with the distractors at the end of its database. */
export function withDistractors(
  settings: readonly Setting[],
  distractors: readonly { id: string; image: string }[],
): Setting[] {
  return settings.map(({ name, groundTruth }) => ({
    name,
    groundTruth: { ...groundTruth, database: [...groundTruth.database, ...distractors] },
  }));
}

/** Descriptors of distractors under ids of their own, and the entries of the database that they are. */
export function distractorDescriptors({ ids, dimension, data }: DescriptorSet): {
  table: DescriptorTable;
  entries: { id: string; image: string }[];
} {
  const named = ids.map((id) => prefix + id);
  return { table: { ids: named, dimension, data }, entries: named.map((id) => ({ id, image: id })) };
}

/** Two tables of one dimension below each other. @throws InputError naming both. */
export function joinTables(
  first: DescriptorTable,
  second: DescriptorTable,
  names: { first: string; second: string },
): DescriptorTable {
  if (first.dimension !== second.dimension) {
    throw new InputError(
      `${names.second} has descriptors of ${second.dimension} values, ${names.first} of ${first.dimension}; ` +
        'extract both with the same model and options.',
    );
  }
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { ids: [...first.ids, ...second.ids], dimension: first.dimension, data };
}
