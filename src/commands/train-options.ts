/** @file What the trainers' commands share: their options, the settings of a run with the rules of `--resume`, and its signals. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { z } from 'zod';
import { InputError, UsageError } from '../errors.js';
import type { RunNotes } from '../train/record-run.js';
import type { RunFolder } from '../run/run-folder.js';
import { packageTrunk, readStart, type StartFiles, writeStart } from '../run/run-start.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  nonNegativeInteger,
  positiveInteger,
  say,
} from './console.js';

export interface TrainOptions extends CommonOptions {
  manifest: string;
  run: string;
  config?: string;
  set: string[];
  init?: string;
  val?: string;
  resume?: boolean;
  dryRun?: boolean;
  maxHours?: number;
  seed?: number;
  seeds?: number;
}

/** Adds the trainers' options. `contents`: what the run folder will hold; `val`: what `--val` takes; `seeds`: what `--seed` seeds. */
export function addTrainOptions(
  command: Command,
  { contents, val, seeds }: { contents: string; val: string; seeds: string },
): Command {
  command
    .requiredOption('--manifest <file>', '.jsonl manifest of the training images')
    .requiredOption('--run <dir>', `run folder: ${contents}`)
    .option('--config <recipe>', 'a recipe by name (recipes/NAME.yaml) or path')
    .option('--set <key=value>', 'one setting, over the recipe; repeatable', collect, [])
    .option('--init <file>', 'model to start from (.safetensors; default: the small trunk of this package)')
    .option('--val <file>', val)
    .option('--resume', 'continue the run from its last checkpoint; begins it if there is none')
    .option('--dry-run', 'say what the run would do and cost, measured on a few images; write nothing')
    .option('--max-hours <h>', 'stop after this time, with a checkpoint', hours)
    .option('--seed <n>', `seed of ${seeds} (the setting "seed")`, nonNegativeInteger)
    .option(
      '--seeds <n>',
      'n runs with seeds from that one on, in RUN/seed-N each; mean and deviation',
      positiveInteger,
    );
  return addCommonOptions(command);
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** commander parser: hours, above 0. */
function hours(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < Infinity)) {
    throw new UsageError(`--max-hours: expected a number above 0, got "${text}".`);
  }
  return value;
}

/**
 * The settings of the run: defaults, recipe, --set and --seed, over those it was started with when it is resumed. Once there is a
 * checkpoint, what is computed cannot change.
 */
export async function settingsOf<S extends z.ZodObject>(
  options: TrainOptions,
  folder: RunFolder,
  { schema, changeable }: { schema: S; changeable: readonly (keyof z.output<S>)[] },
): Promise<z.output<S>> {
  const { resolveConfig } = await import('../config.js');
  const set = options.seed === undefined ? options.set : [...options.set, `seed=${options.seed}`];
  const before = options.resume === true && options.dryRun !== true ? await folder.readConfig() : undefined;
  const config = await resolveConfig(schema, { recipe: options.config, set, base: before });
  if (before === undefined || (await folder.latestCheckpoint()) === undefined) return config;
  const begun = await resolveConfig(schema, { base: before });
  const keys = Object.keys(config) as (keyof z.output<S> & string)[];
  const changed = keys.find(
    (key) => !changeable.includes(key) && JSON.stringify(config[key]) !== JSON.stringify(begun[key]),
  );
  if (changed !== undefined) {
    throw new UsageError(
      `${changed} was ${JSON.stringify(begun[changed])} when ${options.run} began and cannot change with --resume; start a new run ` +
        `from its model instead (--init ${join(options.run, 'model.safetensors')}). What can change: ${changeable.join(', ')}.`,
    );
  }
  return config;
}

/** The model file that a new run starts from. */
export function initialWeights({ init }: TrainOptions): string {
  if (init !== undefined) return init;
  if (existsSync(packageTrunk)) return packageTrunk;
  throw new InputError(`${packageTrunk} is missing; name the model to start from with --init FILE.`);
}

/** The files that a run without a checkpoint starts from: those of the command line; where it had begun already, else those of before. */
export async function startFiles(
  options: TrainOptions & { classifier?: string },
  folder: RunFolder,
): Promise<StartFiles> {
  const given = { init: options.init, classifier: options.classifier };
  if (options.resume === true && existsSync(folder.config)) return readStart(folder, given);
  if (options.init === undefined) say('No --init: training starts from the small trunk of this package.');
  return { ...given, init: initialWeights(options) };
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

/** Runs `work` as the only process that writes into the run folder. */
export async function onlyWriter<T>(run: string, work: () => Promise<T>): Promise<T> {
  const { withFolderLock } = await import('../data/folder-lock.js');
  return withFolderLock(run, work, { within: ['checkpoints'] });
}

export interface RunSignals {
  /** Ctrl-C. */
  signal: AbortSignal;
  /** `--max-hours` are over. */
  timeout: AbortSignal | undefined;
  either: AbortSignal;
}

/** What ends a run early. The time of `--max-hours` starts now. */
export function runSignals({ maxHours }: TrainOptions): RunSignals {
  const signal = interruptSignal();
  // A timer beyond 2^31 ms would fire at once.
  const timeout =
    maxHours === undefined ? undefined : AbortSignal.timeout(Math.min(2 ** 31 - 1, Math.round(maxHours * 3.6e6)));
  return { signal, timeout, either: timeout === undefined ? signal : AbortSignal.any([signal, timeout]) };
}

/** What every trainer tells `recordRun` of the command. */
export async function runNotes({ manifest, device, run }: TrainOptions): Promise<RunNotes> {
  if (device !== 'tensorflow') return { manifest };
  const { loadTensorflow } = await import('../backend/tensorflow.js');
  const { tensorflowScalars } = await import('../run/scalar-log.js');
  return { manifest, scalars: tensorflowScalars(await loadTensorflow(), run) };
}
