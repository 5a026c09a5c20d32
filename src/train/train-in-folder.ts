/** @file A trainer's loop in a run folder. */
import type { z } from 'zod';
import type { RunFolder } from '../run/run-folder.js';
import type { RunRecord } from '../run/run-records.js';
import { type RunNotes, RunWriter } from '../run/run-writer.js';
import { type LoopOptions, runLoop } from './loop.js';
import type { Trainer } from './trainer.js';

/** Settings of a run in a folder. */
export interface FolderOptions extends Omit<LoopOptions, 'store'>, RunNotes {
  /** Says what the settings mean. */
  schema: z.ZodObject;
}

/**
 * Runs the loop and keeps what it does in `folder`: of the ranks of a group, the first one does. Yields what it appends to the log; the
 * caller disposes of the model.
 */
export async function* trainInFolder(
  folder: RunFolder,
  trainer: Trainer,
  { config, resume, signal, timeout, group, ...notes }: FolderOptions,
): AsyncGenerator<RunRecord> {
  const loop = { config, resume, signal, timeout, group };
  if (group?.leads === false) {
    yield* runLoop(trainer, loop);
    return;
  }
  const store = await RunWriter.open(folder, trainer, { ...notes, config, resumedAfter: resume?.state.step });
  try {
    for await (const record of runLoop(trainer, { ...loop, store })) {
      store.log(record, await trainer.pictures?.(record));
      yield record;
    }
  } finally {
    store.close();
  }
}
