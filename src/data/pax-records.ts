/**
 * @file Stricter reading of the extended headers (pax) of a tar than tar-stream's own, which takes a length of -9 for a way
 * back and reads it again for ever, and a size of "abc" for one that no file reaches.
 * Format: "LENGTH KEY=VALUE\n" one behind the other, LENGTH in decimal digits over all of it (POSIX, pax).
 */
import { createRequire } from 'node:module';

type PaxRecords = Record<string, string>;

/** Replaces tar-stream's reader; what it throws ends the unpacking. */
export function refuseOddPaxRecords(): void {
  const headers = createRequire(import.meta.url)('tar-stream/headers') as { decodePax(buffer: Uint8Array): PaxRecords };
  headers.decodePax = readPaxRecords;
}

/** The records of one extended header. @throws Error saying what is odd. */
export function readPaxRecords(buffer: Uint8Array): PaxRecords {
  const bytes = Buffer.from(buffer);
  const records: PaxRecords = {};
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = bytes.toString('latin1', at, Math.max(at, Math.min(space, at + 16)));
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    const text = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = text.indexOf('=');
    if (at + length <= space + 1 || at + length > bytes.length || equals < 1 || bytes[at + length - 1] !== 0x0a) {
      throw new Error('an extended header is broken');
    }
    const [key, value] = [text.slice(0, equals), text.slice(equals + 1)];
    if (key === 'size' && !/^\d{0,15}$/.test(value)) throw new Error(`an entry has the size ${JSON.stringify(value)}`);
    if (key !== '__proto__') records[key] = value;
    at += length;
  }
  return records;
}
