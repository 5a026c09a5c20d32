/** @file `rmac train triplet`: fine-tunes a descriptor model by the triplet ranking loss, in a run folder that can be resumed. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ImageRecord } from '../data/manifest.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { NamedArrays } from '../models/safetensors.js';
import type { Describer } from '../retrieval/describe.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { RpnHead } from '../rpn/head.js';
import type { DryRun } from '../train/dry-run.js';
import type { AddedWhitening } from '../train/record-run.js';
import type { MiningRecord, TripletState } from '../train/ranking/fit-triplets.js';
import type { RunFolder } from '../run/run-folder.js';
import type { TripletConfig } from '../train/ranking/triplet-config.js';
import { formatSeconds, printResult, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';
import { openEngine } from '../stages/open-model.js';
import {
  addTrainOptions,
  initialWeights,
  onlyWriter,
  runNotes,
  runSignals,
  type RunSignals,
  settingsOf,
  startFiles,
  type TrainOptions,
  writeBeginning,
} from './train-options.js';
import { type ReportWords, type RunSummary, summaryText, TrainReport } from './train-report.js';
import { type TrainerOutcome, trainSeeds } from './train-seeds.js';

const words: ReportWords<'map'> = {
  criterion: 'map',
  name: 'mAP',
  update: ({ active }) => `active ${Math.round(100 * (active as number))} %`,
};

export function registerTriplet(group: Command): void {
  const command = group
    .command('triplet')
    .description('Fine-tune by the triplet ranking loss (Gordo et al.) with hard triplets mined from random pools.');
  addTrainOptions(command, {
    contents: 'model.safetensors, best.safetensors, checkpoints/, config.yaml, log.jsonl, events.out.tfevents.*',
    val: 'ground truth (.json) or labelled manifest (.jsonl) for the mAP that picks best.safetensors',
    seeds: 'pools, samples and augmentation',
  })
    .addHelpText(
      'after',
      `
Settings: steps, tripletsPerStep, imageSize, poolSize, remineEvery, sampling, margin, learningRate, momentum,
weightDecay, freeze, whitenDimension and others, explained in config.yaml of any run; classify.steps and other settings of train classify under "classify" train a
classification first, in RUN/classify. Ctrl-C stops with a checkpoint; --resume continues exactly.

Examples:
  rmac train triplet --manifest train.jsonl --run runs/first --init densenet121.safetensors --config small-triplet --dry-run
  rmac train triplet --manifest train.jsonl --run runs/first --init densenet121.safetensors --config small-triplet \\
    --val val.json --set steps=128
  rmac train triplet --manifest train.jsonl --run runs/first --val val.json --resume
  rmac train triplet --manifest train.jsonl --run runs/three --val val.json --seeds 3
  rmac train triplet --manifest train.jsonl --run runs/both --init densenet121.safetensors --config small-classify-triplet \\
    --val val.json`,
    )
    .action((options: TrainOptions) => trainSeeds(options, { words, run, settings }));
}

async function settings(options: TrainOptions, folder?: RunFolder): Promise<TripletConfig> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { changeableOnResume, tripletConfigSchema } = await import('../train/ranking/triplet-config.js');
  const rules = { schema: tripletConfigSchema, changeable: changeableOnResume };
  return settingsOf(options, folder ?? new RunFolder(options.run), rules);
}

async function run(options: TrainOptions, signals?: RunSignals): Promise<TrainerOutcome> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { readManifest } = await import('../data/manifest.js');
  const { assertTriplets } = await import('../train/ranking/fit-triplets.js');
  const { readValidation } = await import('../train/ranking/measure.js');
  const folder = new RunFolder(options.run);
  if (options.resume !== true && options.dryRun !== true) folder.assertNew();
  const config = await settings(options, folder);
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
  const work = { folder, records, validation, config };
  if (options.dryRun === true) {
    await estimate(options, work);
    return undefined;
  }
  return config.classify === undefined ? train(options, work, signals) : trainStages(options, work, signals);
}

/** The options of the classification that a ranking begins with: a run in a folder of its own. It is not measured. */
function classifyOptions(options: TrainOptions, { classify, seed }: TripletConfig): TrainOptions {
  const set = Object.entries(classify ?? {}).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const place = { run: join(options.run, 'classify'), config: undefined, set, seed };
  return { ...options, ...place, seeds: undefined, val: undefined };
}

/** Classification, then ranking from its last model; whichever was interrupted is continued. */
async function trainStages(
  options: TrainOptions,
  work: Work & { folder: RunFolder },
  signals = runSignals(options),
): Promise<TrainerOutcome> {
  const { folder, config } = work;
  if ((await folder.latestCheckpoint()) !== undefined) return train(options, work, signals);
  const { prepareClassify, runClassify } = await import('./train-classify.js');
  const { RunFolder } = await import('../run/run-folder.js');
  const { loadForTraining } = await import('../train/starting-model.js');
  const files = await startFiles(options, folder);
  const first = { ...classifyOptions(options, config), init: files.init, resume: true };
  // What is wrong with the settings of either is said before the first begins.
  await prepareClassify(first);
  await openEngine(options, graphsOf(config));
  (await loadForTraining(files.init, config)).dispose();
  await writeBeginning(folder, config, files);
  say(`First the classification, in ${folder.classify}`);
  const outcome = await onlyWriter(first.run, () => runClassify(first, signals));
  if (outcome === undefined || !('stopped' in outcome.result) || outcome.result.stopped !== 'finished') return outcome;
  say(`Then the ranking, in ${folder.path}`);
  const ranked = await train(options, work, signals, new RunFolder(folder.classify).model);
  return ranked && { ...ranked, result: { ...ranked.result, classify: outcome.result } };
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

async function train(
  options: TrainOptions,
  { folder, records, validation, config }: Work & { folder: RunFolder },
  signals = runSignals(options),
  classified?: string,
): Promise<TrainerOutcome> {
  const { measureMap } = await import('../train/ranking/measure.js');
  const { headFor } = await import('../train/starting-model.js');
  const { runTriplets } = await import('../train/ranking/triplet-run.js');
  const startedAt = performance.now();
  const { signal, timeout, either } = signals;
  await openEngine(options, graphsOf(config));
  // as training sees images, so that no shape is added
  const sizingOf = (stride: number) => ({ longest: config.imageSize, multipleOf: stride });
  const measure = async (describer: Describer & { stride: number }) =>
    validation && (await measureMap(describer, validation, { sizing: sizingOf(describer.stride), signal: either }));
  const asGiven = async (given: DescriptorModel) => {
    const itsHead = headFor(given, config);
    try {
      return await measure(await describerNow(given, itsHead));
    } finally {
      itsHead?.dispose();
    }
  };
  const start = { folder, records, config, signal: either, classified, asGiven };
  const { model, resume, whitening } = await openStart(options, start);
  const head = headFor(model, config);
  const describer = await describerNow(model, head);
  const report = new TrainReport(words, config.steps, startedAt, resume?.state, whitening);
  const figures = async () => {
    const map = await measure(describer);
    return map === undefined ? undefined : { map };
  };
  if (validation !== undefined) {
    const { imageSize } = config;
    say(`mAP is that of rmac evaluate --size ${imageSize} --snap ${model.stride}: images as training sees them.`);
  }
  let summary: RunSummary<'map'>;
  try {
    const log = runTriplets(folder, {
      model,
      head,
      records,
      config,
      resume,
      signal,
      timeout,
      ...(await runNotes(options)),
      whitening,
      onMining: (done, total) => report.working('describe pool', done, total),
      measure: validation === undefined ? undefined : figures,
    });
    for await (const record of log) {
      if (record.event !== 'mine') report.add(record);
      else {
        report.close();
        say(miningText(record));
      }
    }
    summary = report.summary();
  } finally {
    report.close();
    head?.dispose();
    model.dispose();
  }
  const { first: firstMap, whitened: whitenedMap, last: map, ...rest } = summary;
  const result = { run: folder.path, model: folder.model, ...rest, firstMap, whitenedMap, map };
  return { result, text: summaryText(summary, words, folder) };
}

/** What `--val` is measured with: model and proposals as they are at the time. */
async function describerNow(
  model: DescriptorModel,
  head: RpnHead | undefined,
): Promise<Describer & { stride: number }> {
  const { stride, meta } = model;
  if (head === undefined || meta.regions === undefined) return model;
  const { ProposalDescriber } = await import('../rpn/proposal-describer.js');
  const describer = new ProposalDescriber(model, { ...meta.regions, head });
  return { stride, describe: (images) => describer.describe(images) };
}

function miningText(record: MiningRecord): string {
  const share = record.possible === 0 ? 0 : (100 * record.withLoss) / record.possible;
  return (
    `mined ${record.images} images: ${record.withLoss.toLocaleString('en')} triplets with a loss (${share.toPrecision(3)} %), ` +
    `hardest negative at similarity ${record.hardestSimilarity.toFixed(3)}` +
    (record.unreadable === 0 ? '' : `, ${record.unreadable} unreadable`) +
    (record.single === 0 ? '' : `, ${record.single} without a positive`)
  );
}

/** The model to train, and the state to continue from. `classified`: the model that a classification left for this run. */
async function openStart(
  options: TrainOptions,
  {
    folder,
    records,
    config,
    signal,
    classified,
    asGiven,
  }: {
    folder: RunFolder;
    records: readonly ImageRecord[];
    config: TripletConfig;
    signal: AbortSignal;
    classified: string | undefined;
    /** mAP of a model on --val, where there is one. */
    asGiven: (model: DescriptorModel) => Promise<number | undefined>;
  },
): Promise<{
  model: DescriptorModel;
  resume?: { state: TripletState; momentum: NamedArrays };
  whitening?: AddedWhitening;
}> {
  const { loadForTraining, whitened } = await import('../train/starting-model.js');
  const { openCheckpoint } = await import('../train/ranking/triplet-run.js');
  const begun = options.resume === true ? await openCheckpoint(folder, config) : undefined;
  if (begun !== undefined) {
    say(`Continuing ${folder.path} after update ${begun.resume.state.step} of ${config.steps}.`);
    return begun;
  }
  const files = classified === undefined ? await startFiles(options, folder) : { init: classified };
  const model = await loadForTraining(files.init, config);
  if (classified === undefined) await writeBeginning(folder, config, files);
  if (config.whitenDimension === 0) return { model };
  if (model.meta.whitening !== undefined) {
    say(
      `The model keeps its whitening of ${model.meta.whitening.dimension} dimensions; whitenDimension is for models without one.`,
    );
    return { model };
  }
  const mapAsGiven = await asGiven(model);
  if (mapAsGiven !== undefined) say(`as given: mAP ${mapAsGiven.toFixed(4)}`);
  let progress: StageProgress | undefined;
  try {
    const { model: learned, warnings } = await whitened(model, records, {
      config,
      signal,
      onProgress: (done, total) => (progress ??= startProgress('learn whitening', total)).update(done),
    });
    progress?.stop();
    const { dimension } = learned;
    say(`A whitening to ${dimension} values was learned on the training set and put into the model (whitenDimension).`);
    for (const warning of warnings) say(warning);
    return { model: learned, whitening: { dimension, warnings, ...(mapAsGiven !== undefined && { mapAsGiven }) } };
  } finally {
    progress?.stop();
  }
}

async function estimate(options: TrainOptions, { records, validation, config }: Work): Promise<void> {
  const { dryRun } = await import('../train/dry-run.js');
  const { headFor, loadForTraining } = await import('../train/starting-model.js');
  const { imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  const { estimateClassify } = await import('./train-classify.js');
  const first = config.classify && (await estimateClassify(classifyOptions(options, config)));
  await openEngine(options, graphsOf(config));
  const model = await loadForTraining(initialWeights(options), config);
  const head = headFor(model, config);
  try {
    const validationImages = validation === undefined ? 0 : imagesToDescribe(validation);
    const result = await dryRun(model, records, { config, validationImages, head });
    const text = dryRunText(result, config);
    if (first === undefined) printResult({ ...result, config }, text, options);
    else {
      const etaSeconds = first.etaSeconds + result.etaSeconds;
      const stages = `Classification\n${first.text}\n\nRanking\n${text}\n\nboth              ${formatSeconds(etaSeconds)}`;
      printResult({ ...result, etaSeconds, classify: first.result, ranking: result, config }, stages, options);
    }
  } finally {
    head?.dispose();
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
    `beside            change weights ${result.optimizeMs.toFixed(0)} ms, store a state ${result.saveMs.toFixed(0)} ms, ` +
      `compile for each of ${result.shapes} image shapes ${formatSeconds(result.compileMs / 1000)}`,
    `per update        ${formatSeconds(result.msPerUpdate / 1000)} at most (${unit(config)})`,
    ...(result.msPerMining === 0
      ? []
      : [`per mining        ${formatSeconds(result.msPerMining / 1000)} every ${config.remineEvery} updates`]),
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates`,
  ].join('\n');
}

/** What an update is made of, in words. */
function unit({ loss, listSize, tripletsPerStep }: TripletConfig): string {
  if (loss === 'average-precision') return `a list of ${listSize} images`;
  return `${tripletsPerStep} ${loss === 'contrastive' ? 'tuples' : 'triplets'}`;
}
