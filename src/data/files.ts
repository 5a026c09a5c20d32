/**
 * @file Writing outputs so that a reader never sees half a file: write to a temporary name in the same folder, rename
 * into place, and refuse to replace what exists unless told to.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, messageOf } from '../errors.js';

export interface WriteOptions {
  /** Replace an existing file. Default false: an existing file is an error. */
  overwrite?: boolean;
}

/** Throws `InputError` if `path` exists and `overwrite` is not set. Call it before long work, not only before writing. */
export function assertWritable(path: string, { overwrite = false }: WriteOptions = {}): void {
  if (!overwrite && existsSync(path)) {
    throw new InputError(`${path} exists; pass --overwrite to replace it, or choose another name.`);
  }
}

/** Writes `content` to `path` whole or not at all, creating the folder. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  options: WriteOptions = {},
): Promise<void> {
  assertWritable(path, options);
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, content, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new InputError(`Cannot write ${path}: ${messageOf(error)}`);
  }
}
