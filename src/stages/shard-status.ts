/**
 * @file How far the shards of a job are: each writes one line into a file of its own, `status.i-of-n.json`, which all machines that share
 * the folder can read.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../data/files.js';
import { isBeingWritten } from '../data/folder-lock.js';
import { readText } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import { type StageContext, silentView } from './context.js';

/** Least time between two writings, ms. */
const periodMs = 5000;

/** After so long without one a shard on another machine is doubtful, ms. */
const silenceMs = 600_000;

const statusSchema = z.object({
  state: z.enum(['running', 'done', 'failed']),
  /** The piece of work in hand, its finished items, of how many. */
  work: z.string(),
  done: z.int().min(0),
  total: z.int().min(0),
  host: z.string(),
  startedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  /** Why it failed. */
  error: z.string().optional(),
});
type Status = z.output<typeof statusSchema>;

/**
 * A shard as `shardStatus` found it. `stopped`: it says that it runs, and its process is gone; `silent`: it says that it runs on another
 * machine, of which nobody can tell from here, and has said nothing more for ten minutes.
 */
export interface ShardProgress extends Omit<Partial<Status>, 'state'> {
  shard: string;
  state: Status['state'] | 'stopped' | 'silent' | 'not begun';
}

function statusFile(folder: string, { index, count }: Shard): string {
  return join(folder, `status.${index}-of-${count}.json`);
}

/** Runs `work` with a view that writes the shard's progress, too. Without a shard just runs it. */
export async function reportingShard<T>(
  folder: string,
  shard: Shard | undefined,
  context: StageContext,
  work: (context: StageContext) => Promise<T>,
): Promise<T> {
  if (shard === undefined) return work(context);
  const file = statusFile(folder, shard);
  const { view = silentView } = context;
  const now = () => new Date().toISOString();
  const status: Status = {
    state: 'running',
    work: 'begin',
    done: 0,
    total: 0,
    host: hostname(),
    startedAt: now(),
    updatedAt: now(),
  };
  let begun = false;
  let writtenAt = 0;
  let written: Promise<unknown> = Promise.resolve();
  const write = (changes: Partial<Status>) => {
    Object.assign(status, changes, { updatedAt: now() });
    writtenAt = performance.now();
    const line = `${JSON.stringify(status)}\n`;
    // What cannot be written here must not end the work itself.
    written = written.then(() => writeFileAtomic(file, line, { overwrite: true })).catch(() => undefined);
  };
  const reporting: StageContext = {
    ...(context.signal && { signal: context.signal }),
    view: {
      note: (line) => view.note(line),
      progress(label, total) {
        const shown = view.progress(label, total);
        begun = true;
        write({ work: label, done: 0, total });
        return {
          update(done) {
            shown.update(done);
            status.done = done;
            if (performance.now() - writtenAt > periodMs) write({});
          },
          stop: () => shown.stop(),
        };
      },
    },
  };
  try {
    const result = await work(reporting);
    write({ state: 'done' });
    return result;
  } catch (error) {
    if (begun) write({ state: 'failed', error: messageOf(error) });
    throw error;
  } finally {
    await written;
  }
}

/** How far every shard of the job in `folder` is. @throws InputError where no shard has begun. */
export async function shardStatus(folder: string): Promise<ShardProgress[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const shards = names.flatMap((name) => {
    const match = /^status\.(\d+)-of-(\d+)\.json$/.exec(name);
    return match === null ? [] : [{ index: Number(match[1]), count: Number(match[2]) }];
  });
  if (shards.length === 0) throw new InputError(`${folder} has no status of a shard; begin one with --shard i/n.`);
  const found: ShardProgress[] = [];
  for (const count of new Set(shards.map((shard) => shard.count).toSorted((a, b) => a - b))) {
    const begun = new Set(shards.filter((shard) => shard.count === count).map(({ index }) => index));
    for (let index = 1; index <= count; index++) {
      const shard = `${index}/${count}`;
      if (begun.has(index)) found.push({ shard, ...(await progressOf(folder, { index, count })) });
      else found.push({ shard, state: 'not begun' });
    }
  }
  return found;
}

async function progressOf(folder: string, shard: Shard): Promise<Omit<ShardProgress, 'shard'>> {
  const file = statusFile(folder, shard);
  let status: Status;
  try {
    status = statusSchema.parse(JSON.parse(await readText(file)));
  } catch {
    throw new InputError(`${file} is not what a shard writes; remove it.`);
  }
  if (status.state !== 'running') return status;
  if (!(await isBeingWritten(folder, shard))) return { ...status, state: 'stopped' };
  const silent = status.host !== hostname() && Date.now() - Date.parse(status.updatedAt) > silenceMs;
  return silent ? { ...status, state: 'silent' } : status;
}
