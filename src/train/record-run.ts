/** @file A trainer's loop with everything that it leaves in a run folder: configuration, log, checkpoints, last and best model. */
import { join } from 'node:path';
import { writeFileAtomic } from '../data/files.js';
import { encodeModel, saveModel, type StorableModel } from '../data/model-file.js';
import { writeCheckpoint } from './checkpoint.js';
import type { LoopHooks } from './loop.js';
import type { RunFolder } from './run-folder.js';

export interface RecordedRun<State extends { step: number }, Criterion extends string, Log> {
  /** What the run's model files hold, as it is now. */
  model: StorableModel;
  config: Readonly<Record<string, unknown>> & { keepCheckpoints: number };
  /** The state of the checkpoint that the run continues from. */
  resumed: State | undefined;
  /** Figures of the model as it is (undefined when interrupted): the criterion and others, all of which go into the log. */
  measure: (() => Promise<(Record<Criterion, number> & Record<string, number>) | undefined>) | undefined;
  /** What else is saved with the model, as it is now: beside it in the run folder, and in the checkpoints. */
  files?: () => Promise<Map<string, Uint8Array>>;
  fit: (
    hooks: Required<Pick<LoopHooks<State, Criterion>, 'save' | 'onBest'>> &
      Pick<LoopHooks<State, Criterion>, 'measure'>,
  ) => AsyncGenerator<Log>;
}

/** Yields what it appends to the log; the caller disposes of the model. */
export async function* recordRun<
  State extends { step: number },
  Criterion extends string,
  Log extends { event: string },
>(
  folder: RunFolder,
  { model, config, resumed, measure, files = async () => new Map(), fit }: RecordedRun<State, Criterion, Log>,
): AsyncGenerator<Log> {
  await folder.truncateLog(resumed?.step ?? -1);
  await folder.writeConfig(config);
  const publish = async (bytes: Uint8Array, others: ReadonlyMap<string, Uint8Array>) => {
    await writeFileAtomic(folder.model, bytes, { overwrite: true });
    for (const [name, content] of others) await writeFileAtomic(join(folder.path, name), content, { overwrite: true });
  };
  // A run that was killed between its checkpoint and these files would otherwise keep the ones before.
  if (resumed !== undefined) await publish(encodeModel(model.meta, await model.toArrays()), await files());
  let figures: Record<string, number> = {};
  const log = fit({
    ...(measure !== undefined && {
      measure: async () => {
        const measured = await measure();
        figures = measured ?? {};
        return measured;
      },
    }),
    onBest: async () => {
      await saveModel(folder.best, model, { overwrite: true });
      for (const [name, bytes] of await files())
        await writeFileAtomic(join(folder.path, `best-${name}`), bytes, { overwrite: true });
    },
    save: async (state, momentum) => {
      const others = await files();
      const weights = await model.toArrays();
      const contents = { meta: model.meta, weights, momentum: await momentum(), state, config, files: others };
      const bytes = await writeCheckpoint(folder.checkpoints, contents, { keep: config.keepCheckpoints });
      await publish(bytes, others);
    },
  });
  for await (const record of log) {
    const whole = record.event === 'measure' ? { ...figures, ...record } : record;
    folder.append(whole);
    yield whole;
  }
}
