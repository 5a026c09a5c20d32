/** @file Files that people give the program to read: their text without a byte order mark, and in words why they cannot be read. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../errors.js';

/**
 * The UTF-8 text of a file. Editors and shells of Windows begin one with a byte order mark, which is no part of it.
 * Throws what the system says.
 */
export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readFile(file)); // drops the mark
}

/** Why `file` could not be read, with the way out where there is a known one. `error`: what the system said. */
export function whyUnreadable(file: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return 'it is a folder, a file is expected';
  const beside = join(dirname(file), 'model.safetensors');
  if (code === 'ENOENT' && basename(file) === 'best.safetensors' && existsSync(beside)) {
    return `there is none, since only training with --val writes one; the model as it was at the end is ${beside}`;
  }
  return messageOf(error);
}
