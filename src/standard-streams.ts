/**
 * @file What a full disk, a closed terminal or a reader that left mean for the two standard streams: a lost result is an
 * error, a lost remark is none.
 */
import { fstatSync, writeFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import { InputError, messageOf } from './errors.js';

/** `onLost` is told what became of the result where it cannot be thrown to who wrote it. */
export function guardStreams(onLost: (error: Error) => void): void {
  // Remarks and progress: without a reader the work goes on.
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`| head`) is no failure.
    if (error.code !== 'EPIPE') onLost(lost(error));
  });
  // Node writes to a file once and takes the part that fitted on a full disk for all of it; writeFileSync goes on to the end.
  if (isatty(1) || !isFile(1)) return;
  process.stdout.write = (chunk: string | Uint8Array) => {
    try {
      writeFileSync(1, chunk);
    } catch (error) {
      throw lost(error);
    }
    return true;
  };
}

function isFile(descriptor: number): boolean {
  const found = fstatSync(descriptor);
  return found.isFile() || found.isCharacterDevice();
}

function lost(error: unknown): InputError {
  return new InputError(`The result cannot be written to standard output, and is lost: ${messageOf(error)}.`);
}
