/** @file What of a list of photographs is new to a collection, has changed in it, or is as it was. */
import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { runAhead } from '../data/run-ahead.js';
import { sha256OfFile } from '../data/sha256.js';
import { InputError } from '../errors.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import type { CollectedPhotograph, CollectionRecord } from './collection-record.js';
import { storedPath } from './index-folder.js';

export interface UpdatePlan {
  /** To be described. */
  describe: CollectionRecord[];
  /** The photograph is the same, what is known of it is not. */
  restate: CollectionRecord[];
  /** Photographs that are as they were. */
  unchanged: number;
  /** Files that cannot be read. */
  failures: DescribeFailure[];
}

/** Files that are looked at at once. */
const ahead = 8;

/** Compares size and time of each file, then its bytes, with what the collection in `folder` knows. */
export async function planUpdate(
  folder: string,
  photographs: readonly CollectedPhotograph[],
  known: (id: string) => CollectionRecord | undefined,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: (done: number) => void } = {},
): Promise<UpdatePlan> {
  const plan: UpdatePlan = { describe: [], restate: [], unchanged: 0, failures: [] };
  let done = 0;
  for await (const outcome of runAhead(photographs, (each) => recordOf(folder, each, known(each.id)), ahead)) {
    if (signal?.aborted) throw new InputError(`Interrupted after ${done} of ${photographs.length} photographs.`);
    const { id } = outcome.item;
    if ('error' in outcome) {
      const { code } = outcome.error as NodeJS.ErrnoException;
      if (!(outcome.error instanceof InputError) && code !== 'ENOENT') throw outcome.error;
      plan.failures.push({
        id,
        error: code === 'ENOENT' ? `${outcome.item.path}: no such file` : outcome.error.message,
      });
    } else {
      const record = outcome.value;
      const earlier = known(id);
      if (earlier?.sha256 !== record.sha256) plan.describe.push(record);
      else if (isDeepStrictEqual(earlier, record)) plan.unchanged++;
      else plan.restate.push(record);
    }
    onProgress?.(++done);
  }
  return plan;
}

async function recordOf(
  folder: string,
  photograph: CollectedPhotograph,
  earlier: CollectionRecord | undefined,
): Promise<CollectionRecord> {
  const { size: bytes, mtimeMs: modified } = await stat(photograph.path);
  const path = storedPath(folder, photograph.path);
  const same =
    earlier !== undefined && earlier.bytes === bytes && earlier.modified === modified && earlier.path === path;
  const sha256 = same ? earlier.sha256 : await sha256OfFile(photograph.path);
  return { ...photograph, path, bytes, modified, sha256 };
}
