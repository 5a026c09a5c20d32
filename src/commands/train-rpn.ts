/** @file `rmac train rpn`: trains a region proposal network on the frozen trunk of a descriptor model. */
import type { Command } from 'commander';
import type { BoxedRecord } from '../train/proposals/boxed-images.js';
import type { RpnConfig } from '../train/proposals/rpn-config.js';
import type { RpnStart } from '../train/proposals/rpn-run.js';
import type { RunFolder } from '../run/run-folder.js';
import { formatSeconds, printResult, say } from './console.js';
import { openEngine } from '../stages/open-model.js';
import {
  addTrainOptions,
  initialWeights,
  runNotes,
  type RunSignals,
  runSignals,
  settingsOf,
  startFiles,
  type TrainOptions,
  writeBeginning,
} from './train-options.js';
import { type ReportWords, type RunSummary, summaryText, TrainReport } from './train-report.js';
import { type TrainerOutcome, trainSeeds } from './train-seeds.js';

const words: ReportWords<'recall'> = {
  criterion: 'recall',
  name: 'average recall',
  update: ({ objectness, boxes, positives }) =>
    `log ${(objectness as number).toFixed(3)}  boxes ${(boxes as number).toFixed(3)}  positives ${(positives as number).toFixed(0)}`,
  measure: ({ recall50, recall70, valUnreadable }) =>
    `, at 0.5 ${(recall50 as number).toFixed(4)}, at 0.7 ${(recall70 as number).toFixed(4)}` +
    (valUnreadable === 0 ? '' : `, ${valUnreadable as number} unusable`),
};

export function registerRpn(group: Command): void {
  const command = group
    .command('rpn')
    .description('Train a region proposal network on the frozen trunk (Gordo et al.), from the boxes of a manifest.');
  addTrainOptions(command, {
    contents:
      'model.safetensors, best.safetensors (the descriptor model with proposals), checkpoints/, config.yaml, log.jsonl, events.out.tfevents.*',
    val: 'manifest (.jsonl) with boxes for recall; its mean over overlaps of 0.5 to 0.95 picks best.safetensors',
    seeds: 'new weights, order, mirroring and anchors',
  })
    .addHelpText(
      'after',
      `
Records need a "box" (rmac clean writes them); those without are left out and counted. Trunk, pooling and whitening stay as
they are: train the descriptor first. Settings: steps, imagesPerStep, imageSize, anchorShares, anchorRatios, border,
channels, learningRate and others, explained in config.yaml of any run. Ctrl-C
stops with a checkpoint; --resume continues exactly.

Examples:
  rmac train rpn --manifest cleaned/clean.jsonl --run runs/rpn --init runs/first/best.safetensors --config small-rpn --dry-run
  rmac train rpn --manifest cleaned/clean.jsonl --run runs/rpn --init runs/first/best.safetensors --config small-rpn
  rmac evaluate --protocol labels --manifest val.jsonl --model runs/rpn/model.safetensors --regions rpn:64`,
    )
    .action((options: TrainOptions) => trainSeeds(options, { words, run, settings }));
}

interface Work {
  records: BoxedRecord[];
  withoutBox: number;
  validation: BoxedRecord[] | undefined;
  config: RpnConfig;
}

async function settings(options: TrainOptions, folder?: RunFolder): Promise<RpnConfig> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { changeableOnResume, rpnConfigSchema } = await import('../train/proposals/rpn-config.js');
  const rules = { schema: rpnConfigSchema, changeable: changeableOnResume };
  return settingsOf(options, folder ?? new RunFolder(options.run), rules);
}

async function run(options: TrainOptions, signals?: RunSignals): Promise<TrainerOutcome> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { readManifest } = await import('../data/manifest.js');
  const { boxedRecords } = await import('../train/proposals/boxed-images.js');
  const { assertOverlaps } = await import('../train/proposals/rpn-config.js');
  const folder = new RunFolder(options.run);
  if (options.resume !== true && options.dryRun !== true) folder.assertNew();
  const config = await settings(options, folder);
  assertOverlaps(config);
  const all = await readManifest(options.manifest);
  const records = boxedRecords(all, options.manifest);
  const withoutBox = all.length - records.length;
  if (withoutBox > 0) say(`${options.manifest}: ${withoutBox} of ${all.length} records have no box and are left out.`);
  const validation = options.val === undefined ? undefined : boxedRecords(await readManifest(options.val), options.val);
  const work = { records, withoutBox, validation, config };
  if (options.dryRun !== true) return train(options, { folder, work }, signals);
  await estimate(options, work);
  return undefined;
}

async function train(
  options: TrainOptions,
  { folder, work }: { folder: RunFolder; work: Work },
  signals = runSignals(options),
): Promise<TrainerOutcome> {
  const { BoxedImages } = await import('../train/proposals/boxed-images.js');
  const { measureRpn } = await import('../train/proposals/measure-rpn.js');
  const { runRpn } = await import('../train/proposals/rpn-run.js');
  const { records, withoutBox, validation, config } = work;
  const startedAt = performance.now();
  const { signal, timeout, either } = signals;
  await openEngine(options);
  const { model, head, random, resume } = await openStart(options, folder, config);
  const report = new TrainReport(words, config.steps, startedAt, resume?.state);
  const { stride } = model;
  // One budget: the photographs of --val are read again at every measurement.
  const images = new BoxedImages(model, { imageSize: config.imageSize, cacheBytes: config.cacheMegabytes * 1e6 });
  let summary: RunSummary<'recall'>;
  try {
    const log = runRpn(folder, {
      model,
      head,
      images,
      records,
      config,
      random,
      resume,
      signal,
      timeout,
      ...(await runNotes(options)),
      ...(validation && {
        measure: () =>
          measureRpn(head, images, validation, {
            stride,
            proposals: config.proposals,
            signal: either,
            onProgress: (done, total) => report.working('measure', done, total),
          }),
      }),
    });
    for await (const record of log) report.add(record);
    summary = report.summary();
  } finally {
    report.close();
    model.dispose();
    head.dispose();
  }
  const { first: firstRecall, whitened: _, last: recall, ...rest } = summary;
  const result = { run: folder.path, model: folder.model, ...rest, firstRecall, recall, withoutBox };
  return { result, text: summaryText(summary, words, folder) };
}

/** Trunk and head, and the state to continue from. */
async function openStart(options: TrainOptions, folder: RunFolder, config: RpnConfig): Promise<RpnStart> {
  const { newRpn, openRpnCheckpoint } = await import('../train/proposals/rpn-run.js');
  const begun = options.resume === true ? await openRpnCheckpoint(folder) : undefined;
  if (begun !== undefined) {
    say(`Continuing ${folder.path} after update ${begun.resume?.state.step} of ${config.steps}.`);
    return begun;
  }
  const files = await startFiles(options, folder);
  const { init: file } = files;
  const start = await newRpn(file, config);
  await writeBeginning(folder, config, files);
  if (start.origin === 'continued') say(`${file}: training goes on from the proposals it has.`);
  if (start.origin === 'replaced') say(`${file}: its proposals have other anchors or channels and are replaced.`);
  return start;
}

async function estimate(options: TrainOptions, { records, withoutBox, config }: Work): Promise<void> {
  const { BoxedImages } = await import('../train/proposals/boxed-images.js');
  const { newRpn } = await import('../train/proposals/rpn-run.js');
  const { rpnDryRun } = await import('../train/proposals/rpn-dry-run.js');
  await openEngine(options);
  const { model, head } = await newRpn(initialWeights(options), config);
  try {
    const images = new BoxedImages(model, { imageSize: config.imageSize, cacheBytes: config.cacheMegabytes * 1e6 });
    const result = await rpnDryRun({ model, head, images }, records, { config, withoutBox });
    const text = [
      `images            ${result.images} with a box, ${result.withoutBox} without`,
      `trained weights   ${result.trainedParameters.toLocaleString('en')}`,
      `maps              ${(result.cacheBytes / 1e9).toFixed(2)} GB if all are kept (cacheMegabytes: ${config.cacheMegabytes})`,
      `positives         ${result.positives.toFixed(0)} of ${config.anchorsPerImage} anchors`,
      `per image         load ${result.loadMs.toFixed(0)} ms (once where its map is kept), train ${result.trainMs.toFixed(0)} ms`,
      `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates, measurements aside`,
    ].join('\n');
    printResult({ ...result, config }, text, options);
  } finally {
    model.dispose();
    head.dispose();
  }
}
