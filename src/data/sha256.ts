/** @file What a file holds, in 64 digits. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { InputError } from '../errors.js';
import { whyUnreadable } from './read-file.js';

/** SHA-256 of what a file of these parts would hold, in hexadecimal. */
export function sha256Of(parts: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** SHA-256 of a file in hexadecimal. Throws `InputError` where it cannot be read. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  } catch (error) {
    throw new InputError(`Cannot read ${file}: ${whyUnreadable(file, error)}`);
  }
  return hash.digest('hex');
}
