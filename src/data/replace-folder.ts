/** @file A folder that a command writes as a whole: it appears when it is complete, in place of an earlier one. */
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { InputError } from '../errors.js';
import { temporaryBeside, type WriteOptions } from './files.js';

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
