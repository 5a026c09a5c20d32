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

/** Runs the loop and keeps what it does in `folder`. Yields what it appends to the log; the caller disposes of the model. */
export async function* trainInFolder(
  folder: RunFolder,
  trainer: Trainer,
  { config, resume, signal, timeout, ...notes }: FolderOptions,
): AsyncGenerator<RunRecord> {
  const store = await RunWriter.open(folder, trainer, { ...notes, config, resumedAfter: resume?.state.step });
  try {
    for await (const record of runLoop(trainer, { config, resume, store, signal, timeout })) {
      store.log(record, await trainer.pictures?.(record));
      yield record;
    }
  } finally {
    store.close();
  }
}
