/**
 * @file Writing outputs so that a reader never sees half a file, or files of two runs beside each other: write to a temporary name in
 * the same folder, rename into place, and refuse to replace what exists unless told to.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError, messageOf, systemErrorLine } from '../errors.js';

export type FileContent = string | Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>;

export interface WriteOptions {
  /** Replace an existing file. Default false: an existing file is an error. */
  overwrite?: boolean;
}

/** Throws `InputError` if `path` exists and `overwrite` is not set. Call it before long work, not only before writing. */
export function assertWritable(path: string, { overwrite = false }: WriteOptions = {}): void {
  if (!overwrite && existsSync(path)) {
    throw new InputError(`${path} exists; pass --overwrite to replace it, or choose another name.`);
  }
}

/** A new name in the folder of `path`, which `removeTemporaries` knows. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
}

/**
 * Removes what killed writers left in `folder` under such names, `of` one file or of all, `before` a time (ms since 1970), and all the way
 * down its folders `within`.
 */
export async function removeTemporaries(
  folder: string,
  { before, of, within = [] }: { before: number; of?: string; within?: readonly string[] | 'all' },
): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    const name = /^\.(.+)\.[0-9a-f]{8}\.tmp$/.exec(entry.name)?.[1];
    if (name !== undefined && (of === undefined || name === of)) {
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && found.mtimeMs < before) await rm(path, { recursive: true, force: true });
    } else if (entry.isDirectory() && (within === 'all' || within.includes(entry.name))) {
      await removeTemporaries(path, { before, within: 'all' });
    }
  }
}

/** Removes a folder, which at no moment is there in part. */
export async function removeTree(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const aside = temporaryBeside(folder);
  await rename(folder, aside);
  await rm(aside, { recursive: true, force: true });
}

/** Writes `content` to `path` whole or not at all, creating the folder. */
export async function writeFileAtomic(path: string, content: FileContent, options: WriteOptions = {}): Promise<void> {
  await writeFileSet([[path, content]], options);
}

/** `FileSet` of files that are all in memory; one without content is removed. */
export async function writeFileSet(
  files: Iterable<readonly [path: string, content: FileContent | undefined]>,
  options: WriteOptions = {},
): Promise<void> {
  const set = new FileSet(options);
  try {
    for (const [path, content] of files) {
      if (content === undefined) set.remove(path);
      else await set.add(path, content);
    }
    await set.commit();
  } finally {
    await set.discard();
  }
}

/**
 * Files that belong together, each of them whole, in place of those of an earlier run. Wherever the writer is killed, they
 * are all the old ones, all the new ones, or the later ones are missing: never one of either. The first is always there once it was.
 */
export class FileSet {
  readonly #files: { path: string; temporary: string | undefined }[] = [];

  constructor(private readonly options: WriteOptions = {}) {}

  /** Writes one under a temporary name, creating the folder. Name the one last that says that the others are there. */
  async add(path: string, content: FileContent): Promise<void> {
    assertWritable(path, this.options);
    const temporary = temporaryBeside(path);
    this.#files.push({ path, temporary });
    await writing(path, async () => {
      await makeFolder(dirname(path));
      await writeFile(temporary, content, { flush: true });
    });
  }

  /** One of an earlier run that this one does not have. */
  remove(path: string): void {
    this.#files.push({ path, temporary: undefined });
  }

  /** Exchanges them. */
  async commit(): Promise<void> {
    // Whoever reads meanwhile misses a file and says so.
    for (const { path } of this.#files.slice(1).toReversed()) await writing(path, () => rm(path, { force: true }));
    for (const { path, temporary } of this.#files) {
      await writing(path, () => (temporary === undefined ? rm(path, { force: true }) : rename(temporary, path)));
    }
    this.#files.length = 0;
  }

  /** Removes what was added and not committed; call it in any case. */
  async discard(): Promise<void> {
    // A clean-up that fails must not hide why it was needed.
    for (const { temporary } of this.#files)
      if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function writing(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new InputError(`Cannot write ${path}: ${systemErrorLine(error) ?? messageOf(error)}`);
  }
}

/**
 * Makes a folder and those above it; gives the first that had to be made. (Node's own `recursive` never ends where the system
 * denies that a parent exists: /proc.)
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(folder);
    if (code === 'ENOENT' && parent !== folder && !(await isFolder(parent))) {
      const first = await makeFolder(parent);
      await mkdir(folder).catch((failure: unknown) => allowFolder(folder, failure));
      return first ?? folder;
    }
    await allowFolder(folder, error);
    return undefined;
  }
}

/** Another process may have made it. */
async function allowFolder(folder: string, error: unknown): Promise<void> {
  if (!(await isFolder(folder))) throw error;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Removes what failed work left. Where that fails too, the first error is the one to tell. */
export async function removeLeftover(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}
