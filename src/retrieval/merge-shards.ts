/** @file The shards of an extraction made one whole set, block by block: tables may be larger than memory. */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { z } from 'zod';
import { assertWritable, FileSet } from '../data/files.js';
import { withFolderLock } from '../data/folder-lock.js';
import { npyHeader } from '../data/npy.js';
import { npyRows } from '../data/npy-rows.js';
import { readFile, readText, whyUnreadable } from '../data/read-file.js';
import { sha256Of } from '../data/sha256.js';
import { InputError } from '../errors.js';
import { allShards, assertDistinctIds, type DescriptorFiles, descriptorFiles, idsOf } from './descriptor-folder.js';
import { hashed } from './extract.js';

/** What extract writes into meta.json; the rest is about the model. */
const metaSchema = z.looseObject({
  images: z.int().min(0),
  dimension: z.int().min(1),
  fingerprint: z.string(),
  sha256: z.object({ descriptors: z.string(), ids: z.string() }),
  failures: z.array(z.object({ id: z.string(), error: z.string() })),
});

interface Part {
  files: DescriptorFiles;
  meta: z.output<typeof metaSchema>;
  ids: string[];
}

export interface Merged {
  shards: number;
  images: number;
  dimension: number;
  failures: number;
}

/**
 * Writes the set that one extraction of all images would have written, and then removes the shards.
 * @throws InputError where one is missing, damaged or of other options, or still being written.
 */
export function mergeShards(folder: string, { overwrite = false }: { overwrite?: boolean } = {}): Promise<Merged> {
  return withFolderLock(folder, () => mergeLocked(folder, overwrite));
}

async function mergeLocked(folder: string, overwrite: boolean): Promise<Merged> {
  const whole = descriptorFiles(folder);
  assertWritable(whole.descriptors, { overwrite });
  const parts: Part[] = [];
  for (const shard of allShards(folder, await readdir(folder)))
    parts.push(await readPart(descriptorFiles(folder, shard)));
  const [{ meta: first }] = parts;
  const { dimension } = first;
  if (parts.some(({ meta }) => meta.fingerprint !== first.fingerprint || meta.dimension !== dimension)) {
    throw new InputError(`${folder}: its shards were made by different models or options; extract them again.`);
  }
  const ids = parts.flatMap((part) => part.ids);
  assertDistinctIds(ids, folder);
  const failures = parts.flatMap(({ meta }) => meta.failures);
  const lines = ids.map((id) => `${id}\n`).join('');
  const set = new FileSet({ overwrite: true });
  try {
    const hash = createHash('sha256');
    await set.add(whole.descriptors, hashed(hash, npyHeader([ids.length, dimension]), rowsOf(parts)));
    const sha256 = { descriptors: hash.digest('hex'), ids: sha256Of([Buffer.from(lines)]) };
    const meta = { ...first, shard: undefined, images: ids.length, sha256, failures };
    await set.add(whole.meta, `${JSON.stringify(meta, null, 2)}\n`);
    await set.add(whole.ids, lines);
    await set.commit();
  } finally {
    await set.discard();
  }
  for (const { files } of parts) for (const file of Object.values(files)) await rm(file, { force: true });
  return { shards: parts.length, images: ids.length, dimension, failures: failures.length };
}

async function readPart(files: DescriptorFiles): Promise<Part> {
  const idLines = await readFile(files.ids).catch((error: unknown) => {
    throw new InputError(`Cannot read ${files.ids}: ${whyUnreadable(files.ids, error)}`);
  });
  let meta: Part['meta'];
  try {
    const stored: unknown = JSON.parse(await readText(files.meta));
    metaSchema.parse(stored);
    meta = stored as Part['meta']; // in the order it was written in
  } catch {
    throw new InputError(`${files.meta} is missing or not what rmac extract writes; run that shard again.`);
  }
  const ids = idsOf(idLines);
  if (meta.sha256.ids !== sha256Of([idLines]) || meta.images !== ids.length) throw damaged(files.ids);
  return { files, meta, ids };
}

/** The rows of all parts, each checked before the next begins. */
async function* rowsOf(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const { files, meta } of parts) {
    const { images, dimension, sha256 } = meta;
    const hash = createHash('sha256').update(npyHeader([images, dimension]));
    for await (const { data } of npyRows(files.descriptors)) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      hash.update(bytes);
      yield bytes;
    }
    if (hash.digest('hex') !== sha256.descriptors) throw damaged(files.descriptors);
  }
}

function damaged(file: string): InputError {
  return new InputError(`${file} is not what its shard had written; run that shard again with --overwrite.`);
}
