/** @file A folder that a command writes as a whole: it appears when it is complete, in place of an earlier one. */
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { makeFolder, removeLeftover, removeTemporaries, temporaryBeside, type WriteOptions } from './files.js';
import { lockOutput } from './folder-lock.js';

/**
 * Makes the folder `out` of what `write` puts into a fresh one, in place of an earlier one; nothing is left where that fails.
 * @throws InputError where it cannot be written, or another process writes it; what `write` throws.
 */
export async function writeWholeFolder<T>(out: string, write: (fresh: string) => Promise<T>): Promise<T> {
  const target = resolve(out);
  const begun = Date.now();
  const release = await lockOutput(target); // beside it, for the folder itself is exchanged
  const fresh = temporaryBeside(target);
  try {
    await removeTemporaries(dirname(target), { before: begun, of: basename(target) });
    await makeFolder(fresh);
    const result = await write(fresh);
    await replaceFolder(target, fresh);
    return result;
  } catch (error) {
    // Errors of the file system have a code in letters (what was aborted has a number); anything else is not the person's doing.
    if (error instanceof Error && 'code' in error && typeof error.code === 'string')
      throw new InputError(`Cannot write ${out}: ${messageOf(error)}`);
    throw error;
  } finally {
    await removeLeftover(fresh);
    release();
  }
}

/** Puts the folder `fresh` in the place of `target`; what was there is removed last. */
export async function replaceFolder(target: string, fresh: string): Promise<void> {
  const old = temporaryBeside(target);
  if (existsSync(target)) await rename(target, old);
  await rename(fresh, target);
  await rm(old, { recursive: true, force: true });
}

/**
 * An existing folder may be replaced only if it is empty, or if asked to and it is of the same `kind`, which its file `mark` tells.
 * @throws InputError where it may not.
 */
export async function assertReplaceable(
  out: string,
  { overwrite = false, mark, kind }: WriteOptions & { mark: string; kind: string },
): Promise<void> {
  if (!existsSync(out)) return;
  const entries = await readdir(out).catch(() => undefined);
  if (entries === undefined) throw new InputError(`${out} is not a folder; choose another name for --out.`);
  if (entries.length === 0) return;
  if (!overwrite) throw new InputError(`${out} exists; pass --overwrite to replace it, or choose another name.`);
  if (!entries.includes(mark)) {
    throw new InputError(
      `${out} holds something else than ${kind} and is not replaced; choose another name for --out.`,
    );
  }
}
