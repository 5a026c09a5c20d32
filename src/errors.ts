/**
 * @file The two errors a person can cause. Both carry one line that names the file or flag, what was expected and the
 * way out; `cli.ts` prints the line and exits 1 or 2. What the operating system refuses becomes such a line, too
 * (`systemErrorLine`). Anything else that is thrown is a defect of the program.
 */

/** Input that cannot be used: a broken file, a missing image, weights that do not fit. Exit code 1. */
export class InputError extends Error {
  override name = 'InputError';
}

/**
 * A query that cannot be answered because of what it is. What is told of it is of the query alone, so that a stranger who asked may
 * be told; other input errors name files of this machine.
 */
export class QueryError extends InputError {
  override name = 'QueryError';
}

/** A command called wrongly: an unknown flag, a value out of range, flags that exclude each other. Exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What `make` returns. An `InputError` that it throws is named after the file that is at fault. */
export function namingFile<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}

/** What the codes of the operating system mean to a person, and the way out. */
const systemReasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; choose a place that you may use, or change its permissions',
  EPERM: 'not permitted; choose a place that you may use, or change its permissions',
  EROFS: 'the file system is read-only; choose another place',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of this path is a file where a folder is needed; choose another path',
  EISDIR: 'this is a folder where a file is needed',
  EEXIST: 'this exists already; choose another name',
  ENAMETOOLONG: 'a name of this path is too long; choose a shorter one',
  ELOOP: 'its symbolic links lead to each other; choose another path',
  ENOSPC: 'the disk is full; make room and run the same command again',
  EDQUOT: 'the quota of the disk is used up; make room and run the same command again',
  EFBIG: 'the file would be larger than the system allows',
  EMFILE: 'too many files are open; allow more (ulimit -n 1024) and run the same command again',
  ENFILE: 'too many files are open on this machine; run the same command again later',
  ENOMEM: 'not enough memory',
  EIO: 'the disk reports an error',
  EBUSY: 'it is in use; run the same command again later',
  ENOTEMPTY: 'the folder is not empty',
  EXDEV: 'it lies on another disk',
};

/** The line for what the operating system refused: the path, what was tried and the way out. Undefined for other errors. */
export function systemErrorLine(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  if (code === 'ERR_FS_FILE_TOO_LARGE') return `A file is too large to be read: ${error.message}.`;
  if (syscall === undefined || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const where = [path, dest].filter((each) => each !== undefined).join(' -> ');
  const reason = systemReasons[code] ?? error.message.replace(/^[A-Z0-9]+: /, '');
  return `${where === '' ? 'The system' : where}: ${reason} (${code} at ${syscall}).`;
}
