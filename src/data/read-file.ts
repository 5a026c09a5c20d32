/**
 * @file Files that people give the program to read: bounded, of what has an end, and in words why they cannot be read. A device
 * may bring bytes for ever, a pipe that nobody writes to none.
 */
import { createReadStream, existsSync, type Stats } from 'node:fs';
import { readFile as readWhole, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, messageOf } from '../errors.js';

/** Longest text, bytes: half of what a string of Node takes. */
const longestText = 2 ** 28;
/** Longest file, bytes: what Node reads into one buffer. */
const longestFile = 2 ** 31 - 1;

/** The bytes of a file. @throws InputError for other things than files and for too many bytes, else what the system says. */
export async function readFile(file: string): Promise<Buffer<ArrayBuffer>> {
  assertFile(file, await stat(file), longestFile);
  return readWhole(file);
}

/**
 * The UTF-8 text of a file, or of a pipe (`<(find ...)` of a shell). Editors and shells of Windows begin one with a byte order
 * mark, which is no part of it. @throws as `readFile`.
 */
export async function readText(file: string): Promise<string> {
  const found = await stat(file);
  if (!found.isFIFO()) assertFile(file, found, longestText);
  return new TextDecoder().decode(found.isFIFO() ? await readPipe(file) : await readWhole(file)); // drops the mark
}

function assertFile(file: string, found: Stats, longest: number): void {
  if (!found.isFile()) {
    throw new InputError(`${file} is a ${found.isDirectory() ? 'folder' : 'device or a pipe'}, a file is expected.`);
  }
  if (found.size > longest) throw tooLong(file, longest);
}

async function readPipe(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestText) throw tooLong(file, longestText);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLong(file: string, longest: number): InputError {
  return new InputError(`${file} has more than ${longest} bytes, which is not what is expected here.`);
}

/** Why `file` could not be read, with the way out where there is a known one. `error`: what was thrown. */
export function whyUnreadable(file: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return 'it is a folder, a file is expected';
  const beside = join(dirname(file), 'model.safetensors');
  if (code === 'ENOENT' && basename(file) === 'best.safetensors' && existsSync(beside)) {
    return `there is none, since only training with --val writes one; the model as it was at the end is ${beside}`;
  }
  return messageOf(error).replace(`${file} is a`, 'it is a').replace(/\.$/, '');
}
