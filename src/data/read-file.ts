/**
 * @file `readFile` for paths that a person or a file names: bounded, and of what has an end. A device may bring bytes for
 * ever, a pipe that nobody writes to none.
 */
import { createReadStream } from 'node:fs';
import { readFile as readWhole, stat } from 'node:fs/promises';
import { InputError } from '../errors.js';

/** Longest text, bytes: half of what a string of Node takes. */
const longestText = 2 ** 28;
/** Longest file, bytes: what Node reads into one buffer. */
const longestFile = 2 ** 31 - 1;

/**
 * The contents of a file; as text also of a pipe, `<(find ...)` of a shell. @throws InputError for other things than files
 * and for too many bytes, else what the system says.
 */
export async function readFile(file: string): Promise<Buffer<ArrayBuffer>>;
export async function readFile(file: string, encoding: 'utf8'): Promise<string>;
export async function readFile(file: string, encoding?: 'utf8'): Promise<Buffer<ArrayBuffer> | string> {
  const found = await stat(file);
  const longest = encoding === undefined ? longestFile : longestText;
  if (encoding !== undefined && found.isFIFO()) return readPipe(file);
  if (!found.isFile()) {
    throw new InputError(`${file} is a ${found.isDirectory() ? 'folder' : 'device or a pipe'}, a file is expected.`);
  }
  if (found.size > longest) throw tooLong(file, longest);
  return readWhole(file, encoding);
}

async function readPipe(file: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestText) throw tooLong(file, longestText);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLong(file: string, longest: number): InputError {
  return new InputError(`${file} has more than ${longest} bytes, which is not what is expected here.`);
}
