/**
 * @file Writing outputs so that a reader never sees half a file: write to a temporary name in the same folder, rename
 * into place, and refuse to replace what exists unless told to.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, messageOf, systemErrorLine } from '../errors.js';

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
  await makeFolder(dirname(path));
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await writeFile(temporary, content, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await removeLeftover(temporary);
    throw new InputError(`Cannot write ${path}: ${systemErrorLine(error) ?? messageOf(error)}`);
  }
}

/** Makes a folder and those above it. (Node's own `recursive` never ends where the system denies that a parent exists: /proc.) */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(folder);
    if (code === 'ENOENT' && parent !== folder && !(await isFolder(parent))) {
      await makeFolder(parent);
      await mkdir(folder).catch((failure: unknown) => allowFolder(folder, failure));
    } else await allowFolder(folder, error);
  }
}

/** Another process may have made it. */
async function allowFolder(folder: string, error: unknown): Promise<void> {
  if (!(await isFolder(folder))) throw error;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Removes what failed work left. Where that fails too, the first error is the one to tell. */
export async function removeLeftover(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}
