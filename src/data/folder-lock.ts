/**
 * @file One writer to a folder: `.rmac.lock` in it says which process writes, and is removed at the end, however the process ends short of
 * a kill. A lock whose process is gone counts for nothing. Shards write side by side, each under a lock of its own
 * (`.rmac.1-of-4.lock`), and exclude a writer of the whole.
 */
import { readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { InputError, messageOf, systemErrorLine } from '../errors.js';
import { makeFolder, removeTemporaries, temporaryBeside } from './files.js';
import { parseJson } from './whole-lines.js';

/** Part `index` (from 1) of `count`. */
interface Part {
  index: number;
  count: number;
}

export interface FolderLockOptions {
  shard?: Part | undefined;
  /** Folders in it whose temporary files of a killed writer are removed, too. */
  within?: readonly string[];
}

/** `start`: when the process began, by the system's own count, so that another process of the same number is not taken for it. */
const ownerSchema = z.object({ pid: z.int(), host: z.string(), start: z.string().optional(), since: z.string() });
type Owner = z.output<typeof ownerSchema>;

const lockName = /^\.rmac(\.\d+-of-\d+)?\.lock$/;

/** A process writes its lock in one go; one that stays empty so long was killed in between, ms. */
const longestWrite = 500;

/** Others may take and release the lock meanwhile. */
const mostAttempts = 20;

/** Locks of this process, to remove when it exits in the middle. */
const held = new Set<string>();
let watchesExit = false;

/** Whether an entry of a folder is a lock, which no other file's absence or presence depends on. */
export function isFolderLock(name: string): boolean {
  return lockName.test(name);
}

/**
 * Runs `work` as the only writer of `folder`, which is created; what a killed writer left half is removed first.
 * @throws InputError where another process writes into it.
 */
export async function withFolderLock<T>(
  folder: string,
  work: () => Promise<T>,
  options: FolderLockOptions = {},
): Promise<T> {
  const release = await lockFolder(folder, options);
  try {
    return await work();
  } finally {
    release();
  }
}

/** The same as a function to call at the end. */
export async function lockFolder(folder: string, { shard, within = [] }: FolderLockOptions = {}): Promise<() => void> {
  const since = Date.now();
  const own = lockFile(folder, shard);
  const release = await acquire(own, folder);
  try {
    let alone = true;
    for (const name of readdirSync(folder)) {
      const other = join(folder, name);
      if (!isFolderLock(name) || other === own) continue;
      const owner = await livingOwner(other);
      if (owner === undefined) removeStale(other);
      else if (shard === undefined || other === lockFile(folder)) throw inUse(folder, other, owner);
      else alone = false;
    }
    // Shards may write theirs at this moment.
    if (alone) await removeTemporaries(folder, { before: since, within });
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** Whether another process is writing this shard, or the whole. */
export async function isBeingWritten(folder: string, shard?: Part): Promise<boolean> {
  const file = lockFile(folder, shard);
  return !held.has(resolve(file)) && (await livingOwner(file)) !== undefined;
}

/** `lockFolder` for one file in a folder that many write into. */
export function lockOutput(file: string): Promise<() => void> {
  return acquire(join(dirname(file), `.${basename(file)}.lock`), file);
}

function lockFile(folder: string, shard?: Part): string {
  return join(folder, shard === undefined ? '.rmac.lock' : `.rmac.${shard.index}-of-${shard.count}.lock`);
}

/** Takes the lock `file` of `what`, and gives what releases it. */
async function acquire(file: string, what: string): Promise<() => void> {
  const path = resolve(file);
  const start = startOf(process.pid);
  const since = new Date().toISOString();
  const text = JSON.stringify({ pid: process.pid, host: hostname(), ...(start && { start }), since } satisfies Owner);
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const created = await makeFolderOf(path);
    try {
      writeFileSync(path, text, { flag: 'wx' });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') continue; // whoever had made the folder has just removed it
      if (code !== 'EEXIST') {
        if (code === 'ENOSPC' || code === 'EDQUOT') rmSync(path, { force: true });
        throw new InputError(`Cannot write into ${dirname(file)}: ${messageOf(error)}`);
      }
      const owner = await livingOwner(path);
      if (owner !== undefined) throw inUse(what, file, owner);
      removeStale(path);
      continue;
    }
    held.add(path);
    if (!watchesExit) process.on('exit', releaseAll);
    watchesExit = true;
    return () => {
      if (!held.delete(path)) return;
      rmSync(path, { force: true });
      if (created !== undefined) removeEmpty(dirname(path), created);
    };
  }
  throw new InputError(`Cannot write ${file}: it comes and goes; try again.`);
}

async function makeFolderOf(file: string): Promise<string | undefined> {
  const folder = dirname(file);
  try {
    return await makeFolder(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new InputError(`${folder} is not a folder; choose another name.`);
    throw new InputError(`Cannot write into ${folder}: ${systemErrorLine(error) ?? messageOf(error)}`);
  }
}

function releaseAll(): void {
  for (const path of held) rmSync(path, { force: true });
}

/** A folder that was made for work that left nothing, and those above it up to `first`. */
function removeEmpty(folder: string, first: string): void {
  try {
    for (let path = folder; ; path = dirname(path)) {
      rmdirSync(path);
      if (path === resolve(first)) return;
    }
  } catch {
    // it holds something
  }
}

/** Who holds the lock; undefined where it is not there, or nobody's any more. */
async function livingOwner(file: string): Promise<Owner | undefined> {
  for (let waited = 0; ; waited += 50) {
    const text = contentOf(file);
    if (text === undefined) return undefined;
    const parsed = ownerSchema.safeParse(parseJson(text));
    if (parsed.success) return isLiving(parsed.data, resolve(file)) ? parsed.data : undefined;
    if (waited >= longestWrite) return undefined;
    await sleep(50);
  }
}

function isLiving({ pid, host, start }: Owner, path: string): boolean {
  if (host !== hostname()) return true; // nobody can tell from here
  if (start !== undefined) return startOf(pid) === start;
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process began, in ticks since the machine did (proc(5), field 22); undefined where the system does not say, or it is gone. */
function startOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return fields[0] === 'Z' ? undefined : fields[19]; // Z: ended, and nobody has asked how
}

/** Takes a stale lock out of the way. If it has been replaced in the meantime, the living one comes back. */
function removeStale(file: string): void {
  const aside = temporaryBeside(file);
  try {
    renameSync(file, aside);
  } catch {
    return; // somebody else did
  }
  const parsed = ownerSchema.safeParse(parseJson(contentOf(aside) ?? ''));
  if (parsed.success && isLiving(parsed.data, resolve(file))) renameSync(aside, file);
  else rmSync(aside, { force: true });
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function inUse(what: string, file: string, { pid, host, since }: Owner): InputError {
  const here = host === hostname();
  const way = here
    ? 'wait until it ends, or choose another one'
    : `wait until it ends, choose another one, or remove ${file} if that process does not run any more`;
  const who = here ? `process ${pid}` : `process ${pid} on ${host}`;
  return new InputError(`${what} is being written by another rmac (${who}, since ${since}); ${way}.`);
}
