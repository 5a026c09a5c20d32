import { InputError, messageOf } from '../errors.js';

/** The one line for a person whose disk is full, or whose file cannot be written for another reason, in the middle of resumable work. */
export function writeFailure(file: string, error: unknown): InputError {
  const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
  const [reason, remedy] = full ? ['the disk is full', 'make room'] : [messageOf(error), 'mend that'];
  return new InputError(
    `Cannot write ${file}: ${reason}. What is finished is kept; ${remedy} and run the same command again.`,
  );
}

/** The same for `catch`. */
export function failing(file: string): (error: unknown) => never {
  return (error) => {
    throw writeFailure(file, error);
  };
}
