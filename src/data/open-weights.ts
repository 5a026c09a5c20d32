/** @file A weight file of any format from disk: one file, or a model.json with its shards beside it. */
import { realpath, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { isJson, readWeights } from '../models/weights/read-weights.js';
import { decodeTfjs, parseTfjsManifest } from '../models/weights/tfjs.js';
import type { WeightFile } from '../models/weights/weight-file.js';
import { readBytes } from './model-file.js';

const maxShardBytes = 2 ** 32;

/** Reads weights from `file`. Throws `InputError` on a file that is missing or malformed. */
export async function openWeights(file: string): Promise<WeightFile> {
  const bytes = await readBytes(file);
  if (!isJson(bytes)) return readWeights(bytes, file);
  const groups = parseTfjsManifest(bytes, file);
  const shards: Uint8Array[][] = [];
  let left = maxShardBytes;
  for (const { paths } of groups) {
    const group: Uint8Array[] = [];
    for (const path of paths) {
      const shard = await insideFolder(dirname(file), path, file);
      left -= (await stat(shard)).size;
      if (left < 0) throw new InputError(`${file}: its shards have more than ${maxShardBytes} bytes.`);
      group.push(await readBytes(shard));
    }
    shards.push(group);
  }
  return decodeTfjs(groups, shards, file);
}

/** The real path of a shard; a link that leads out of the folder is refused. */
async function insideFolder(folder: string, path: string, source: string): Promise<string> {
  let real: string;
  try {
    real = await realpath(join(folder, path));
  } catch (error) {
    throw new InputError(`${source}: its shard ${path} cannot be read: ${messageOf(error)}`);
  }
  if (relative(await realpath(folder), real).startsWith('..')) {
    throw new InputError(`${source}: its shard ${path} leads out of the folder.`);
  }
  return real;
}
