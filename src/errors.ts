/**
 * @file The two errors a person can cause. Both carry one line that names the file or flag, what was expected and the
 * way out; `cli.ts` prints the line and exits 1 or 2. Anything else that is thrown is a defect of the program.
 */

/** Input that cannot be used: a broken file, a missing image, weights that do not fit. Exit code 1. */
export class InputError extends Error {
  override name = 'InputError';
}

/** A command called wrongly: an unknown flag, a value out of range, flags that exclude each other. Exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
