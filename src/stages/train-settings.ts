/** @file What the training stages share: their options, the settings of a run with the rules of resuming, and what a run starts from. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { resolveConfig } from '../config.js';
import { withFolderLock } from '../data/folder-lock.js';
import type { ImagePathOptions } from '../data/image-path.js';
import { InputError, UsageError } from '../errors.js';
import type { RunFolder } from '../run/run-folder.js';
import { packageTrunk, readStart, type StartFiles, writeStart } from '../run/run-start.js';
import type { ProcessGroup } from '../train/process-group.js';
import type { StageView } from './context.js';
import type { EngineChoice } from './open-model.js';

export interface TrainOptions extends EngineChoice, ImagePathOptions {
  /** Manifest (.jsonl) of the training images. */
  manifest: string;
  /** The run folder. */
  run: string;
  /** A recipe by name (recipes/NAME.yaml) or path. */
  config?: string | undefined;
  /** Settings over the recipe, `key=value`. */
  set?: readonly string[];
  /** The model file to start from. Default: the small trunk of this package. */
  init?: string | undefined;
  /** What is measured while training; the best model is chosen by it. */
  val?: string | undefined;
  /** Continue the run from its last checkpoint; begin it if there is none; nothing where it is finished, unless `steps` are more. */
  resume?: boolean;
  /** Stop after this time, with a checkpoint. */
  maxHours?: number | undefined;
  /** The setting `seed`. */
  seed?: number | undefined;
  /** That many runs with seeds from that one on, in `run`/seed-N each. */
  seeds?: number | undefined;
}

/** Which settings a trainer has, and which of them may change when a run is resumed. */
export interface SettingsRules<S extends z.ZodObject> {
  schema: S;
  changeable: readonly (keyof z.output<S>)[];
}

/**
 * The settings of the run: defaults, recipe, `set` and `seed`, over those it was started with when it is resumed. Once there is a
 * checkpoint, what is computed cannot change.
 */
export async function settingsOf<S extends z.ZodObject>(
  { config: recipe, set = [], seed, resume, run }: TrainOptions,
  folder: RunFolder,
  { schema, changeable }: SettingsRules<S>,
): Promise<z.output<S>> {
  const changes = seed === undefined ? set : [...set, `seed=${seed}`];
  const before = resume === true ? await folder.readConfig() : undefined;
  const config = await resolveConfig(schema, { recipe, set: changes, base: before });
  if (before === undefined || (await folder.latestCheckpoint()) === undefined) return config;
  const begun = await resolveConfig(schema, { base: before });
  const keys = Object.keys(config) as (keyof z.output<S> & string)[];
  const changed = keys.find(
    (key) => !changeable.includes(key) && JSON.stringify(config[key]) !== JSON.stringify(begun[key]),
  );
  if (changed !== undefined) {
    throw new UsageError(
      `${changed} was ${JSON.stringify(begun[changed])} when ${run} began and cannot change with --resume; start a new run ` +
        `from its model instead (--init ${join(run, 'model.safetensors')}). What can change: ${changeable.join(', ')}.`,
    );
  }
  return config;
}

/** The model file that a new run starts from. */
export function initFile({ init }: Pick<TrainOptions, 'init'>): string {
  if (init !== undefined) return init;
  if (existsSync(packageTrunk)) return packageTrunk;
  throw new InputError(`${packageTrunk} is missing; name the model to start from with --init FILE.`);
}

/** The files that a run without a checkpoint starts from: those that are named; where it had begun already, else those of before. */
export async function startFiles(
  options: TrainOptions & { classifier?: string | undefined },
  folder: RunFolder,
  view: StageView,
): Promise<StartFiles> {
  const given = { init: options.init, classifier: options.classifier };
  if (options.resume === true && existsSync(folder.config)) return readStart(folder, given);
  if (options.init === undefined) view.note('No --init: training starts from the small trunk of this package.');
  return { ...given, init: initFile(options) };
}

/** Writes what the run needs to begin again if it is killed before its first checkpoint. */
export async function writeBeginning(
  folder: RunFolder,
  config: Readonly<Record<string, unknown>>,
  files: StartFiles,
): Promise<void> {
  await writeStart(folder, files);
  await folder.writeConfig(config);
}

/** Runs `work` as the only process that writes into the run folder: the first rank is. */
export function onlyWriter<T>(run: string, work: () => Promise<T>, group: ProcessGroup): Promise<T> {
  if (!group.leads) return work();
  return withFolderLock(run, work, { within: ['checkpoints'] });
}
