/**
 * @file The folder of an index.
 *   collection.json        its head: model, settings, threshold, and the names of all other files that count
 *   model-<sha256>.safetensors   a copy of the model file, so that the folder is whole
 *   vectors-<n>.f16        [N, D] float16, little-endian, of the photographs of
 *   records-<n>.jsonl      a line each (collection-record.ts), in the same order
 * Where vectors and records are in a database, only the first two are here.
 * All but the head are written once and never changed. A writer adds files, then replaces the head in one step, then removes what it no
 * longer names; so a reader sees the collection as it was or as it is, whenever a writer is killed.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../data/files.js';
import { pathInside } from '../data/image-path.js';
import { readText, whyUnreadable } from '../data/read-file.js';
import { parseJson } from '../data/whole-lines.js';
import { InputError } from '../errors.js';
import { poolingKinds } from '../models/meta.js';

const format = 'rmac collection, version 1';
const count = z.int().min(0);
const fileName = z.string().regex(/^[\w-]+\.?\w*$/);

const segmentSchema = z.object({
  vectors: fileName,
  records: fileName,
  rows: count,
  /** Rows that are no longer there. */
  removed: z.array(count),
  /** Of the file of records. */
  sha256: z.string(),
});

const headSchema = z.object({
  format: z.literal(format),
  name: z.string(),
  model: z.object({ file: fileName, sha256: z.string(), dimension: count.min(1) }),
  /** How photographs are shown to the model. */
  describing: z.object({
    pooling: z.enum(poolingKinds).optional(),
    size: z.union([z.literal('none'), count.min(1)]).optional(),
    snap: count.min(1).optional(),
  }),
  /** Columns that photographs have, in order. */
  columns: z.array(z.string()),
  segments: z.array(segmentSchema),
  /** Of the next segment; counts the changes where there are none. */
  next: count,
  /**
   * Where vectors and records are when they are in a database (stores/store-address.ts), the state there that counts where it keeps several,
   * and whether the first change has not ended.
   */
  store: z.object({ address: z.string(), version: z.number().optional(), begun: z.boolean().optional() }).optional(),
  /** Under which nothing is said to be in the collection, how that was learned, and of which segments; a fixed one stays when those change. */
  threshold: z
    .object({
      similarity: z.number().optional(),
      /** Nearest photographs of the object whose mean similarity is compared with it (evidence.ts); 1 unless said. */
      photographs: count.min(1).optional(),
      /** The probability that is compared in its place (presence.ts). */
      presence: z
        .object({
          threshold: z.number(),
          intercept: z.number(),
          weights: z.object({ nearest: z.number(), several: z.number(), lead: z.number(), among: z.number() }),
          usual: z.object({ lead: z.number(), among: z.number() }),
        })
        .optional(),
      how: z.string(),
      state: z.string(),
      fixed: z.boolean().optional(),
    })
    .optional(),
});

export type IndexHead = Omit<z.output<typeof headSchema>, 'format'>;
/** What is said of a threshold that was learned. */
export type LearnedThreshold = Omit<NonNullable<IndexHead['threshold']>, 'state'>;
export type Segment = z.output<typeof segmentSchema>;

/** What of a head changes whenever its photographs do. */
export function stateOf({
  segments,
  model,
  store,
  next,
}: Pick<IndexHead, 'segments' | 'model' | 'store' | 'next'>): string {
  return [
    model.sha256,
    ...(store === undefined ? [] : [store.address, next]),
    ...segments.map(({ vectors, sha256, removed }) => `${vectors} ${sha256} ${removed.length}`),
  ].join();
}

export const headFile = (folder: string) => join(folder, 'collection.json');

/** Whether there is an index in the folder, readable or not. */
export function hasIndex(folder: string): boolean {
  return existsSync(headFile(folder));
}

/** @throws InputError where there is no index, or one that cannot be read. */
export async function readHead(folder: string): Promise<IndexHead> {
  const file = headFile(folder);
  const text = await readText(file).catch((error: unknown) => {
    const way = !existsSync(folder)
      ? 'there is no such folder'
      : existsSync(file)
        ? undefined
        : 'the folder holds no index, or its building has not ended';
    throw new InputError(
      `Cannot read the index ${folder}: ${way ?? whyUnreadable(file, error)}; make it by rmac index build.`,
    );
  });
  const parsed = headSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new InputError(`${file} is no index of this version of rmac; build it again.`);
  return parsed.data;
}

/** Replaces the head, and removes the files that it does not name. */
export async function writeHead(folder: string, head: IndexHead): Promise<void> {
  const text = `${JSON.stringify(headSchema.parse({ format, ...head }), null, 1)}\n`; // in the order of the schema
  await writeFileAtomic(headFile(folder), text, { overwrite: true });
  await removeUnnamed(folder, head);
}

/** What killed writers left, and earlier states that nothing names. */
export async function removeUnnamed(folder: string, { model, segments }: Pick<IndexHead, 'model' | 'segments'>) {
  const named = new Set([model.file, ...segments.flatMap(({ vectors, records }) => [vectors, records])]);
  for (const name of await readdir(folder)) {
    if (!/^(model-\w+\.safetensors|vectors-\d+\.f16|records-\d+\.jsonl)$/.test(name) || named.has(name)) continue;
    // Where the system keeps files that somebody reads, a later writer removes it.
    await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** Relative to the folder that the index is in where the photograph is below it, so that both can move; else absolute. */
export function storedPath(folder: string, path: string): string {
  return pathInside(dirname(resolve(folder)), path) ?? resolve(path);
}

/** The absolute path of a stored one. */
export function photographPath(folder: string, stored: string): string {
  return isAbsolute(stored) ? stored : join(dirname(resolve(folder)), stored);
}
