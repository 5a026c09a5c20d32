/** @file A trainer's loop with everything that it leaves in a run folder: configuration, log, checkpoints, last and best model. */
import { join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { writeFileSet } from '../data/files.js';
import { encodeModel, type StorableModel } from '../data/model-file.js';
import { versions } from '../versions.js';
import { writeCheckpoint } from '../run/checkpoint.js';
import type { LoopHooks } from './loop.js';
import { RunObserver, type TaggedPicture } from '../run/observe-run.js';
import type { RunFolder } from '../run/run-folder.js';
import { readRunLog } from '../run/run-log.js';
import type { ScalarLog } from '../run/scalar-log.js';

/** What `recordRun` is told about a run that changes nothing in it. */
export interface RunNotes {
  /** Manifest of the training images: the log names it relative to the run folder. */
  manifest?: string;
  /** TensorBoard's scalars go here instead of the run's own event file. */
  scalars?: ScalarLog;
  /** What was put into the model before the first update. */
  whitening?: AddedWhitening | undefined;
}

/** A whitening that a run learned at its start. */
export interface AddedWhitening {
  dimension: number;
  /** What is doubtful about it. */
  warnings: readonly string[];
  /** mAP on --val of the model as it was given, where there is one: the first measurement is of the whitened model. */
  mapAsGiven?: number;
}

export interface RecordedRun<State extends { step: number }, Criterion extends string, Log> extends RunNotes {
  /** What the run's model files hold, as it is now. */
  model: StorableModel;
  /** Names of its weights that the run changes: what TensorBoard shows. */
  trained: Iterable<string>;
  /** Says what the settings mean. */
  schema: z.ZodObject;
  config: Readonly<Record<string, unknown>> & { keepCheckpoints: number; seed: number };
  /** The state of the checkpoint that the run continues from. */
  resumed: State | undefined;
  /** Figures of the model as it is (undefined when interrupted): the criterion and others, all of which go into the log. */
  measure: (() => Promise<(Record<Criterion, number> & Record<string, number>) | undefined>) | undefined;
  /** What else is saved with the model, as it is now: beside it in the run folder, and in the checkpoints. */
  files?: () => Promise<Map<string, Uint8Array>>;
  /** What TensorBoard shows with a log record. */
  pictures?: (record: Log) => Promise<TaggedPicture[]>;
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
  {
    model,
    trained,
    schema,
    config,
    resumed,
    measure,
    files = async () => new Map(),
    pictures,
    fit,
    ...notes
  }: RecordedRun<State, Criterion, Log>,
): AsyncGenerator<Log> {
  await folder.truncateLog(resumed?.step ?? -1);
  await folder.writeConfig(config, schema);
  await logStart(folder, { step: resumed?.step ?? 0, seed: config.seed, manifest: notes.manifest });
  if (resumed === undefined && notes.whitening) folder.append({ event: 'whitening', step: 0, ...notes.whitening });
  const publish = (bytes: Uint8Array, others: ReadonlyMap<string, Uint8Array>, best = false) => {
    const beside = [...others].map(
      ([name, content]) => [join(folder.path, best ? `best-${name}` : name), content] as const,
    );
    return writeFileSet([[best ? folder.best : folder.model, bytes], ...beside], { overwrite: true });
  };
  // A run that was killed between its checkpoint and these files would otherwise keep the ones before.
  if (resumed !== undefined) await publish(encodeModel(model.meta, await model.toArrays()), await files());
  const trainedNames = new Set(trained);
  const observer = new RunObserver(folder.path, { resumedAfter: resumed?.step, scalars: notes.scalars });
  let figures: Record<string, number> = {};
  const log = fit({
    ...(measure !== undefined && {
      measure: async () => {
        const measured = await measure();
        figures = measured ?? {};
        return measured;
      },
    }),
    onBest: async () => publish(encodeModel(model.meta, await model.toArrays()), await files(), true),
    save: async (state, momentum) => {
      const others = await files();
      const weights = await model.toArrays();
      const contents = { meta: model.meta, weights, momentum: await momentum(), state, config, files: others };
      const bytes = await writeCheckpoint(folder.checkpoints, contents, { keep: config.keepCheckpoints });
      await publish(bytes, others);
      observer.weights(weights, trainedNames, state.step);
    },
  });
  try {
    for await (const record of log) {
      const whole = record.event === 'measure' ? { ...figures, ...record } : record;
      folder.append(whole);
      observer.record(whole, await pictures?.(record));
      yield whole;
    }
  } finally {
    observer.close();
  }
}

/** Logs what the run is computed with, unless the log says so already. */
async function logStart(
  folder: RunFolder,
  { step, seed, manifest }: { step: number; seed: number; manifest: string | undefined },
): Promise<void> {
  const path = manifest && relative(folder.path, manifest).replaceAll(sep, '/');
  const start = { event: 'start', seed, ...(path && { manifest: path }), versions: versions() };
  const before = (await readRunLog(folder.log)).records.findLast(({ event }) => event === 'start');
  if (isDeepStrictEqual({ ...before, step: 0 }, { ...start, step: 0 })) return;
  folder.append({ ...start, step });
}
