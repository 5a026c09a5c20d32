/** @file `rmac train triplet`: fine-tunes a descriptor model by the triplet ranking loss, in a run folder that can be resumed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { ImageRecord } from '../data/manifest.js';
import { InputError, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { NamedArrays } from '../models/safetensors.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { DryRun } from '../train/dry-run.js';
import type { TripletState } from '../train/fit-triplets.js';
import type { RunFolder } from '../train/run-folder.js';
import type { TripletConfig } from '../train/triplet-config.js';
import {
  addCommonOptions,
  type CommonOptions,
  formatSeconds,
  interruptSignal,
  nonNegativeInteger,
  printResult,
  type Progress,
  say,
  startProgress,
} from './console.js';
import { openEngine } from './open-model.js';
import { type RunSummary, summaryText, TrainReport } from './train-report.js';

export interface TrainTripletOptions extends CommonOptions {
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
}

/** The trunk that ships with the package: where training starts without `--init`. */
export const startingWeights: string = fileURLToPath(
  new URL('../../checkpoints/rmac-small.safetensors', import.meta.url),
);

export function registerTriplet(group: Command): void {
  const command = group
    .command('triplet')
    .description('Fine-tune by the triplet ranking loss (Gordo et al.) with hard triplets mined from random pools.')
    .requiredOption('--manifest <file>', '.jsonl manifest of the training images')
    .requiredOption(
      '--run <dir>',
      'run folder: model.safetensors, best.safetensors, checkpoints/, config.yaml, log.jsonl',
    )
    .option('--config <recipe>', 'a recipe by name (recipes/NAME.yaml) or path')
    .option('--set <key=value>', 'one setting, over the recipe; repeatable', collect, [])
    .option('--init <file>', 'model to start from (.safetensors; default: the small trunk of this package)')
    .option(
      '--val <file>',
      'ground truth (.json) or labelled manifest (.jsonl) for the mAP that picks best.safetensors',
    )
    .option('--resume', 'continue the run from its last checkpoint; begins it if there is none')
    .option('--dry-run', 'say what the run would do and cost, measured on a few images; write nothing')
    .option('--max-hours <h>', 'stop after this time, with a checkpoint', hours)
    .option('--seed <n>', 'seed of pools, samples and augmentation (the setting "seed")', nonNegativeInteger);
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Settings: steps, tripletsPerStep, imageSize, poolSize, remineEvery, sampling, margin, learningRate, momentum,
weightDecay, freeze, whitenDimension and others, with their defaults in config.yaml of any run and in
src/train/triplet-config.ts. Ctrl-C stops with a checkpoint; --resume continues exactly.

Examples:
  rmac train triplet --manifest train.jsonl --run runs/first --init densenet121.safetensors --config small-triplet --dry-run
  rmac train triplet --manifest train.jsonl --run runs/first --init densenet121.safetensors --config small-triplet \\
    --val val.json --set steps=128
  rmac train triplet --manifest train.jsonl --run runs/first --val val.json --resume`,
    )
    .action(run);
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

async function run(options: TrainTripletOptions): Promise<void> {
  const { RunFolder } = await import('../train/run-folder.js');
  const { readManifest } = await import('../data/manifest.js');
  const { assertTriplets } = await import('../train/fit-triplets.js');
  const { readValidation } = await import('../train/measure.js');
  const folder = new RunFolder(options.run);
  if (options.resume !== true && options.dryRun !== true) folder.assertNew();
  const config = await configOf(options, folder);
  const records = await readManifest(options.manifest);
  assertTriplets(records);
  const { summarizeSet } = await import('../train/dry-run.js');
  const { landmarksWithOnePhoto } = summarizeSet(records);
  if (landmarksWithOnePhoto > 0) {
    say(
      `${landmarksWithOnePhoto} of the landmarks have one photograph: they are never queries or positives, only negatives.`,
    );
  }
  const validation = options.val === undefined ? undefined : await readValidation(options.val);
  if (options.dryRun === true) await estimate(options, { records, validation, config });
  else await train(options, { folder, records, validation, config });
}

/** The settings of the run: those it was started with when it is resumed, else defaults, recipe, --set and --seed. */
async function configOf(options: TrainTripletOptions, folder: RunFolder): Promise<TripletConfig> {
  const { resolveConfig } = await import('../config.js');
  const { changeableOnResume, tripletConfigSchema } = await import('../train/triplet-config.js');
  const set = options.seed === undefined ? options.set : [...options.set, `seed=${options.seed}`];
  const before = options.resume === true && options.dryRun !== true ? await folder.readConfig() : undefined;
  const config = await resolveConfig(tripletConfigSchema, { recipe: options.config, set, base: before });
  if (before === undefined) return config;
  const begun = await resolveConfig(tripletConfigSchema, { base: before });
  const keys = Object.keys(config) as (keyof TripletConfig)[];
  const changed = keys.find(
    (key) => !changeableOnResume.includes(key) && JSON.stringify(config[key]) !== JSON.stringify(begun[key]),
  );
  if (changed !== undefined) {
    throw new UsageError(
      `${changed} was ${JSON.stringify(begun[changed])} when ${options.run} began and cannot change with --resume; start a new run ` +
        `from its model instead (--init ${join(options.run, 'model.safetensors')}). What can change: ${changeableOnResume.join(', ')}.`,
    );
  }
  return config;
}

/** Blocks are many small graphs for every image shape; what they may take together stays bounded by the engine. */
function graphsOf({ recomputeActivations }: TripletConfig): number | undefined {
  return recomputeActivations ? 1024 : undefined;
}

interface Work {
  records: ImageRecord[];
  validation: GroundTruth | undefined;
  config: TripletConfig;
}

function initialWeights({ init }: TrainTripletOptions): string {
  if (init !== undefined) return init;
  if (existsSync(startingWeights)) return startingWeights;
  throw new InputError(`${startingWeights} is missing; name the model to start from with --init FILE.`);
}

async function train(
  options: TrainTripletOptions,
  { folder, records, validation, config }: Work & { folder: RunFolder },
) {
  const { measureMap } = await import('../train/measure.js');
  const { runTriplets } = await import('../train/triplet-run.js');
  const startedAt = performance.now();
  const signal = interruptSignal();
  // A timer beyond 2^31 ms would fire at once.
  const timeout =
    options.maxHours === undefined
      ? undefined
      : AbortSignal.timeout(Math.min(2 ** 31 - 1, Math.round(options.maxHours * 3.6e6)));
  const either = timeout === undefined ? signal : AbortSignal.any([signal, timeout]);

  await openEngine(options, graphsOf(config));
  const { logScalars, tensorflowScalars } = await import('../train/scalar-log.js');
  const { loadTensorflow } = await import('../backend/tensorflow.js');
  const scalars = options.device === 'tensorflow' ? tensorflowScalars(await loadTensorflow(), folder.path) : undefined;
  const { model, resume } = await openStart(options, { folder, records, config, signal: either });
  const report = new TrainReport(config.steps, startedAt, resume?.state);
  const measure = async (groundTruth: GroundTruth) => {
    const map = await measureMap(model, groundTruth, { imageSize: config.imageSize, signal: either });
    return map === undefined ? undefined : { map };
  };
  let summary: RunSummary;
  try {
    const log = runTriplets(folder, {
      model,
      records,
      config,
      resume,
      signal,
      timeout,
      onMining: report.mining,
      measure: validation === undefined ? undefined : () => measure(validation),
    });
    for await (const record of log) {
      report.add(record);
      if (scalars !== undefined) logScalars(scalars, record);
    }
    summary = report.summary();
  } finally {
    scalars?.flush();
    report.close();
    model.dispose();
  }
  printResult({ run: folder.path, model: folder.model, ...summary }, summaryText(summary, folder), options);
}

/** The model to train, and the state to continue from. */
async function openStart(
  options: TrainTripletOptions,
  {
    folder,
    records,
    config,
    signal,
  }: { folder: RunFolder; records: readonly ImageRecord[]; config: TripletConfig; signal: AbortSignal },
): Promise<{ model: DescriptorModel; resume?: { state: TripletState; momentum: NamedArrays } }> {
  const { loadForTraining, whitened } = await import('../train/starting-model.js');
  const { openCheckpoint } = await import('../train/triplet-run.js');
  const begun = options.resume === true ? await openCheckpoint(folder, config) : undefined;
  if (begun !== undefined) {
    say(`Continuing ${folder.path} after update ${begun.resume.state.step} of ${config.steps}.`);
    return begun;
  }
  const model = await loadForTraining(initialWeights(options), config);
  if (config.whitenDimension === 0) return { model };
  if (model.meta.whitening !== undefined) {
    say(
      `The model keeps its whitening of ${model.meta.whitening.dimension} dimensions; whitenDimension is for models without one.`,
    );
    return { model };
  }
  let progress: Progress | undefined;
  try {
    return {
      model: await whitened(model, records, {
        config,
        signal,
        onProgress: (done, total) => (progress ??= startProgress('learn whitening', total)).update(done),
      }),
    };
  } finally {
    progress?.stop();
  }
}

async function estimate(options: TrainTripletOptions, { records, validation, config }: Work): Promise<void> {
  const { dryRun } = await import('../train/dry-run.js');
  const { loadForTraining } = await import('../train/starting-model.js');
  const { imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  await openEngine(options, graphsOf(config));
  const model = await loadForTraining(initialWeights(options), config);
  try {
    const validationImages = validation === undefined ? 0 : imagesToDescribe(validation);
    const result = await dryRun(model, records, { config, validationImages });
    printResult({ ...result, config }, dryRunText(result, config), options);
  } finally {
    model.dispose();
  }
}

function dryRunText(result: DryRun, config: TripletConfig): string {
  const single = result.landmarksWithOnePhoto;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  return [
    `images            ${result.images} of ${result.landmarks} landmarks` +
      (single === 0 ? '' : ` (${single} with one photograph: negatives only)`),
    `triplets          ${result.possibleTriplets.toLocaleString('en')} possible`,
    `trained weights   ${result.trainedParameters.toLocaleString('en')} (freeze: ${config.freeze})`,
    `memory            about ${gigabytes(result.memoryBytes)}, ${gigabytes(result.cacheBytes)} of it cached images`,
    `per image         load ${result.loadMs.toFixed(0)} ms, describe ${result.describeMs.toFixed(0)} ms, replay ${result.replayMs.toFixed(0)} ms`,
    `per update        ${formatSeconds(result.msPerUpdate / 1000)} at most (${config.tripletsPerStep} triplets)`,
    `per mining        ${formatSeconds(result.msPerMining / 1000)} every ${config.remineEvery} updates`,
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates`,
  ].join('\n');
}
