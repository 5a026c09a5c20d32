/** @file What a file holds, in 64 digits. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { InputError } from '../errors.js';
import { whyUnreadable } from './text-file.js';

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
