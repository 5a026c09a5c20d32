/**
 * @file Downloads a published data set into a folder: each file whole, checked, unpacked beside and then moved into place.
 * `download.json` in the folder says what is done, so the same command continues after any end, and holds every file to
 * the sha256 that it had first.
 */
import { existsSync } from 'node:fs';
import { copyFile, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readText } from './read-file.js';
import { InputError, messageOf } from '../errors.js';
import { downloadFile } from './download.js';
import { extractArchive } from './extract-archive.js';
import { makeFolder, removeLeftover, writeFileAtomic } from './files.js';
import { isFolderLock, withFolderLock } from './folder-lock.js';
import { oneAtATime } from './one-at-a-time.js';
import type { PublishedData, PublishedFile } from './published-data.js';
import { sha256OfFile } from './sha256.js';
import { runAhead } from './run-ahead.js';

export interface DownloadDataOptions {
  /** A folder that has the files, or the address of a mirror's folder. */
  from?: string;
  /** Files at once. Default 3. */
  parallel?: number;
  /** Another folder's download.json, whose sha256 these files must have. */
  checksums?: string;
  /** Keep archives that were unpacked. */
  keepArchives?: boolean;
  signal?: AbortSignal;
  /** Bytes so far over all files, and what servers say there is. */
  onBytes?: (done: number, total: number) => void;
  onUnpacked?: (name: string, files: number) => void;
}

const doneSchema = z.object({
  url: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  files: z.number(),
  done: z.boolean(),
});
const stateSchema = z.object({ name: z.string(), files: z.record(z.string(), doneSchema) });
export type FileState = z.output<typeof doneSchema>;

export interface DownloadedData {
  files: (FileState & {
    name: string /** Against the sha256 of an earlier download; nobody publishes one. */;
    verified: boolean;
  })[];
}

/** @throws InputError naming the file or address and the way out. What is complete stays for the next run. */
export async function downloadData(
  data: PublishedData,
  out: string,
  options: DownloadDataOptions = {},
): Promise<DownloadedData> {
  if (data.manual !== undefined && options.from === undefined) {
    const addresses = data.files.map(({ url }) => url).join(' ');
    throw new InputError(`${data.name}: ${addresses}: ${data.manual}, then --from the folder they are in.`);
  }
  return withFolderLock(out, () => downloadFiles(data, out, options));
}

async function downloadFiles(data: PublishedData, out: string, options: DownloadDataOptions): Promise<DownloadedData> {
  const { parallel = 3, from, signal } = options;
  const state = await openState(data, out);
  const known = options.checksums === undefined ? {} : (await readState(options.checksums)).files;
  const totals = new Map<string, { done: number; total: number }>();
  const onBytes = (name: string) => (done: number, total: number | undefined) => {
    totals.set(name, { done, total: total ?? done });
    const sums = [...totals.values()];
    options.onBytes?.(
      sums.reduce((sum, each) => sum + each.done, 0),
      sums.reduce((sum, each) => sum + each.total, 0),
    );
  };
  const results: DownloadedData['files'] = [];
  const errors: Error[] = [];
  const inTurn = oneAtATime(); // two archives may fill one folder, and the state is one file
  const fetchOne = async (file: PublishedFile) => {
    const earlier: FileState | undefined = state.files[file.name];
    if (earlier?.done) return { ...earlier, name: file.name, verified: true };
    signal?.throwIfAborted();
    const expected = known[file.name]?.sha256 ?? earlier?.sha256;
    const fetched = await obtain(file, out, { from, signal, expected, onBytes: onBytes(file.name) });
    const { url, bytes, sha256 } = fetched;
    const entry = await inTurn(async (): Promise<FileState> => {
      const files = await putInPlace(file, fetched, out, options);
      // recorded only now: what does not unpack must not become what later downloads are held to
      state.files[file.name] = { url, bytes, sha256, files, done: true };
      await saveState(out, state);
      return state.files[file.name];
    });
    return { ...entry, name: file.name, verified: expected !== undefined };
  };
  for await (const outcome of runAhead(data.files, fetchOne, parallel)) {
    if ('value' in outcome) results.push(outcome.value);
    else errors.push(outcome.error);
  }
  if (signal?.aborted) throw new InputError(`Stopped; ${out} keeps what came, and the same command continues.`);
  if (errors.length > 0) {
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more files failed)` : '';
    throw errors[0] instanceof InputError ? new InputError(`${errors[0].message}${more}`) : errors[0];
  }
  await rmdir(join(out, '.archives')).catch(() => undefined); // unless archives are kept there
  return { files: results };
}

interface State {
  name: string;
  files: Record<string, FileState>;
}

/** @throws InputError if the folder holds something else. */
async function openState({ name }: PublishedData, out: string): Promise<State> {
  const file = join(out, 'download.json');
  if (!existsSync(file)) {
    const others = existsSync(out)
      ? (await readdir(out)).filter((each) => each !== '.archives' && !isFolderLock(each))
      : [];
    if (others.length > 0) {
      throw new InputError(`${out} has other files (${others[0]}) and no download.json; give a new or empty folder.`);
    }
    await makeFolder(out);
    const state = { name, files: {} };
    await saveState(out, state); // a run that ends before its first file left this folder, too
    return state;
  }
  const state = await readState(file);
  if (state.name !== name) throw new InputError(`${out} holds ${state.name}; give another folder for ${name}.`);
  return state;
}

async function readState(file: string): Promise<State> {
  try {
    return stateSchema.parse(JSON.parse(await readText(file)));
  } catch (error) {
    throw new InputError(`${file} is not what this command writes (${messageOf(error).split('\n')[0]}); remove it.`);
  }
}

/** Files come side by side; what is written does not depend on which came first. */
async function saveState(out: string, { name, files }: State): Promise<void> {
  const byName = Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify({ name, files: byName }, null, 1)}\n`;
  await writeFileAtomic(join(out, 'download.json'), text, { overwrite: true });
}

interface Obtained {
  path: string;
  url: string;
  bytes: number;
  sha256: string;
  /** Not ours to remove. */
  borrowed: boolean;
}

/** The file on this disk, with the sha256 that it had before, if it was here before. */
async function obtain(
  file: PublishedFile,
  out: string,
  {
    from,
    expected,
    signal,
    onBytes,
  }: Pick<DownloadDataOptions, 'from' | 'signal'> & {
    expected: string | undefined;
    onBytes: (done: number, total: number | undefined) => void;
  },
): Promise<Obtained> {
  const isAddress = from !== undefined && /^https?:/.test(from);
  if (from !== undefined && !isAddress) {
    const path = join(from, file.name);
    if (!existsSync(path)) throw new InputError(`${from} has no ${file.name}; it should hold the published files.`);
    const sha256 = await sha256OfFile(path);
    const bytes = (await stat(path)).size;
    onBytes(bytes, bytes);
    if (expected !== undefined && sha256 !== expected) throw differs(path, sha256, expected);
    return { path, url: file.url, bytes, sha256, borrowed: true };
  }
  const url = from === undefined ? file.url : `${from.replace(/\/$/, '')}/${file.name}`;
  const path = join(out, '.archives', file.name);
  if (existsSync(path)) {
    const sha256 = await sha256OfFile(path);
    if (expected === undefined || sha256 === expected)
      return { path, url, bytes: (await stat(path)).size, sha256, borrowed: false };
    await rm(path, { force: true });
  }
  const checksum = expected === undefined ? undefined : { algorithm: 'sha256' as const, digits: expected };
  const { bytes, sha256 } = await downloadFile(url, path, {
    checksum,
    signal,
    onProgress: onBytes,
    hint: 'Files that lie elsewhere are taken with --from FOLDER or --from URL.',
  });
  return { path, url, bytes, sha256, borrowed: false };
}

/** Unpacks or copies a file to where it belongs; gives the number of files. */
async function putInPlace(
  { name, into, unpack }: PublishedFile,
  { path, borrowed }: Obtained,
  out: string,
  { signal, keepArchives = false, onUnpacked }: DownloadDataOptions,
): Promise<number> {
  const target = join(out, into);
  await makeFolder(target);
  if (!unpack) {
    const beside = join(target, `.${name}.copy`);
    if (borrowed) {
      await copyFile(path, beside);
      await rename(beside, join(target, name));
    } else await rename(path, join(target, name));
    return 1;
  }
  const beside = join(out, `.unpacking-${basename(name)}`);
  await rm(beside, { recursive: true, force: true });
  try {
    const { files } = await extractArchive(path, beside, { signal, onFile: (count) => onUnpacked?.(name, count) });
    await moveInto(beside, target);
    if (!borrowed && !keepArchives) await rm(path, { force: true });
    return files;
  } catch (error) {
    if (!borrowed && signal?.aborted !== true) await removeLeftover(path); // the next run fetches it again
    throw error;
  } finally {
    await removeLeftover(beside);
  }
}

/** Moves the contents of a folder into another one on the same disk; folders that both have are joined. */
async function moveInto(from: string, to: string): Promise<void> {
  await makeFolder(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && existsSync(target)) await moveInto(source, target);
    else await rename(source, target);
  }
}

function differs(path: string, sha256: string, expected: string): InputError {
  return new InputError(
    `${path}: the sha256 is ${sha256}, ${expected} when it first came (download.json); it is damaged or another version.`,
  );
}
