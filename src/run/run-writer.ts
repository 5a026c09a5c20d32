/** @file What a run leaves in its folder while it goes on: configuration, log, checkpoints, last and best model, TensorBoard's events. */
import { join, relative, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { writeFileSet } from '../data/files.js';
import { encodeModelFile, type StorableModel } from '../data/model-file.js';
import type { NamedArrays } from '../models/safetensors.js';
import { versions } from '../versions.js';
import { writeCheckpoint } from './checkpoint.js';
import { RunObserver, type TaggedPicture } from './observe-run.js';
import type { RunFolder } from './run-folder.js';
import { readRunLog } from './run-log.js';
import type { AddedWhitening, RunRecord } from './run-records.js';
import type { ScalarLog } from './scalar-log.js';

/** What is said about a run that changes nothing in it. */
export interface RunNotes {
  /** Manifest of the training images: the log names it relative to the run folder. */
  manifest?: string;
  /** TensorBoard's scalars go here instead of the run's own event file. */
  scalars?: ScalarLog | undefined;
  /** What was put into the model before the first update. */
  whitening?: AddedWhitening | undefined;
}

/** What a run trains, as its files hold it. */
export interface TrainedParts {
  /** As it is now. */
  model: StorableModel;
  /** What else is saved with the model: beside it in the run folder, and in the checkpoints. */
  files?(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The weights that the run changes, by name: what TensorBoard shows of the model's. */
  variables: ReadonlyMap<string, unknown>;
}

export interface RunWriterOptions extends RunNotes {
  config: Readonly<Record<string, unknown>> & { keepCheckpoints: number; seed: number };
  /** Says what the settings mean. */
  schema: z.ZodObject;
  /** The update of the checkpoint that the run continues from. */
  resumedAfter: number | undefined;
}

export class RunWriter {
  private constructor(
    private readonly folder: RunFolder,
    private readonly contents: TrainedParts,
    private readonly config: RunWriterOptions['config'],
    private readonly observer: RunObserver,
  ) {}

  /** Makes the folder ready: what a run that was killed left behind the checkpoint is dropped. Close it in the end. */
  static async open(
    folder: RunFolder,
    contents: TrainedParts,
    { config, schema, resumedAfter, manifest, scalars, whitening }: RunWriterOptions,
  ): Promise<RunWriter> {
    await folder.truncateLog(resumedAfter ?? -1);
    await folder.writeConfig(config, schema);
    await logStart(folder, { step: resumedAfter ?? 0, seed: config.seed, manifest });
    if (resumedAfter === undefined && whitening) folder.append({ event: 'whitening', step: 0, ...whitening });
    // A run that was killed between its checkpoint and these files would otherwise keep the ones before.
    if (resumedAfter !== undefined) await publish(folder, await filesNow(contents));
    return new RunWriter(folder, contents, config, new RunObserver(folder.path, { resumedAfter, scalars }));
  }

  log(record: RunRecord, pictures?: readonly TaggedPicture[]): void {
    this.folder.append(record);
    this.observer.record(record, pictures);
  }

  /** Stores a complete state. */
  async save(state: { step: number }, momentum: () => Promise<NamedArrays>): Promise<void> {
    const { folder, contents, config } = this;
    const files = (await contents.files?.()) ?? new Map<string, Uint8Array>();
    const { meta } = contents.model;
    const weights = await contents.model.toArrays();
    const whole = { meta, weights, momentum: await momentum(), state, config, files };
    const model = await writeCheckpoint(folder.checkpoints, whole, { keep: config.keepCheckpoints });
    await publish(folder, { model, files });
    this.observer.weights(weights, contents.variables, state.step);
  }

  /** Keeps the model as it is now as the best one. */
  async best(): Promise<void> {
    await publish(this.folder, await filesNow(this.contents), true);
  }

  /** The model as it is becomes the run's. */
  async averaged(): Promise<void> {
    await publish(this.folder, await filesNow(this.contents));
  }

  close(): void {
    this.observer.close();
  }
}

interface PublishedFiles {
  model: Uint8Array;
  files: ReadonlyMap<string, Uint8Array>;
}

async function filesNow(contents: TrainedParts): Promise<PublishedFiles> {
  const { model } = contents;
  return { model: encodeModelFile(model.meta, await model.toArrays()), files: (await contents.files?.()) ?? new Map() };
}

/** Writes the files of the last or the best model into the run folder. */
function publish(folder: RunFolder, { model, files }: PublishedFiles, best = false): Promise<void> {
  const beside = [...files].map(([name, bytes]): [string, Uint8Array] => [
    join(folder.path, best ? `best-${name}` : name),
    bytes,
  ]);
  return writeFileSet([[best ? folder.best : folder.model, model], ...beside], { overwrite: true });
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
