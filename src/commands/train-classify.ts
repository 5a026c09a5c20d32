/** @file `rmac train classify`: trains the trunk of a descriptor model by classification of landmarks, in a run folder that can be resumed. */
import type { Command } from 'commander';
import type { ImageRecord } from '../data/manifest.js';
import type { ClassifyConfig } from '../train/classify/classify-config.js';
import type { ClassifyDryRun } from '../train/classify/classify-dry-run.js';
import type { ClassifierStart } from '../train/classify/classify-run.js';
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

interface ClassifyOptions extends TrainOptions {
  classifier?: string;
}

const words: ReportWords<'top1'> = {
  criterion: 'top1',
  name: 'top-1',
  update: ({ top1, epoch }) => `right ${Math.round(100 * (top1 as number))} %  epoch ${(epoch as number).toFixed(1)}`,
  measure: ({ top5, valLoss, valUnreadable }) =>
    `, top-5 ${(top5 as number).toFixed(4)}, loss ${(valLoss as number).toFixed(4)}` +
    (valUnreadable === 0 ? '' : `, ${valUnreadable as number} unreadable`),
};

export function registerClassify(group: Command): void {
  const command = group
    .command('classify')
    .description('Fine-tune by classification of the landmarks (Gordo et al.), on crops of random scale and place.');
  addTrainOptions(command, {
    contents:
      'model.safetensors, best.safetensors (descriptor models), classifier.safetensors, best-classifier.safetensors, checkpoints/, config.yaml, log.jsonl, events.out.tfevents.*',
    val: 'labelled manifest (.jsonl) for top-1 and top-5; top-1 picks best.safetensors',
    seeds: 'head, order, crops and dropout',
  })
    .option(
      '--classifier <file>',
      'classifier.safetensors of an earlier run of the same classes, or fc6 and fc7 of weights import --with-classifier (default: a new head)',
    )
    .addHelpText(
      'after',
      `
Settings: steps, batchSize, imagesPerPass, cropSize, shortestSideMin, shortestSideMax, sampling, head, dropout,
labelSmoothing, learningRate, warmup, freeze and others, explained in config.yaml of any run. Ctrl-C stops with a checkpoint; --resume continues exactly. The models of the run folder
are descriptor models: rmac train triplet --init, extract, evaluate and whiten take them.

Examples:
  rmac train classify --manifest train.jsonl --run runs/classes --init densenet121.safetensors --config small-classify --dry-run
  rmac train classify --manifest train.jsonl --run runs/classes --init densenet121.safetensors --config small-classify \\
    --val val.jsonl
  rmac train classify --manifest train.jsonl --run runs/classes --val val.jsonl --resume
  rmac train triplet --manifest train.jsonl --run runs/triplets --init runs/classes/best.safetensors`,
    )
    .action((options: ClassifyOptions) => trainSeeds(options, { words, run: runClassify, settings }));
}

interface Work {
  records: ImageRecord[];
  classes: string[];
  validation: { records: ImageRecord[]; labels: Int32Array } | undefined;
  config: ClassifyConfig;
}

async function settings(options: ClassifyOptions, folder?: RunFolder): Promise<ClassifyConfig> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { changeableOnResume, classifyConfigSchema } = await import('../train/classify/classify-config.js');
  const rules = { schema: classifyConfigSchema, changeable: changeableOnResume };
  return settingsOf(options, folder ?? new RunFolder(options.run), rules);
}

/** `rmac train classify` with these options. */
export async function runClassify(options: ClassifyOptions, signals?: RunSignals): Promise<TrainerOutcome> {
  const { folder, work } = await prepareClassify(options);
  if (options.dryRun !== true) return train(options, { folder, work }, signals);
  const { result, text } = await estimate(options, work);
  printResult(result, text, options);
  return undefined;
}

/** What `--dry-run` with these options says. */
export async function estimateClassify(
  options: ClassifyOptions,
): Promise<{ result: object; text: string; etaSeconds: number }> {
  return estimate(options, (await prepareClassify(options)).work);
}

/** What is to be done; throws where settings and data do not fit. */
export async function prepareClassify(options: ClassifyOptions): Promise<{ folder: RunFolder; work: Work }> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { readManifest } = await import('../data/manifest.js');
  const { classesOf, labelsOf } = await import('../train/classes.js');
  const { assertSides } = await import('../train/classify/classify-config.js');
  const folder = new RunFolder(options.run);
  if (options.resume !== true && options.dryRun !== true) folder.assertNew();
  const config = await settings(options, folder);
  assertSides(config);
  const records = await readManifest(options.manifest);
  const classes = classesOf(records);
  let validation: Work['validation'];
  if (options.val !== undefined) {
    const measured = await readManifest(options.val);
    validation = { records: measured, labels: labelsOf(measured, classes, options.val) };
  }
  return { folder, work: { records, classes, validation, config } };
}

async function train(
  options: ClassifyOptions,
  { folder, work }: { folder: RunFolder; work: Work },
  signals = runSignals(options),
): Promise<TrainerOutcome> {
  const { measureClasses } = await import('../train/classify/measure-classes.js');
  const { runClassifier } = await import('../train/classify/classify-run.js');
  const { records, validation, config } = work;
  const startedAt = performance.now();
  const { signal, timeout, either } = signals;
  await openEngine(options);
  const { model, head, random, resume } = await openStart(options, folder, work);
  const report = new TrainReport(words, config.steps, startedAt, resume?.state);
  let top5: number | undefined;
  let summary: RunSummary<'top1'>;
  try {
    const log = runClassifier(folder, {
      model,
      head,
      records,
      config,
      random,
      resume,
      signal,
      timeout,
      ...(await runNotes(options)),
      ...(validation && {
        measure: async () => {
          const measured = await measureClasses({ model, head }, validation, {
            config,
            signal: either,
            onProgress: (done, total) => report.working('measure', done, total),
          });
          top5 = measured?.top5;
          return measured;
        },
      }),
    });
    for await (const record of log) report.add(record);
    summary = report.summary();
  } finally {
    report.close();
    model.dispose();
    head.dispose();
  }
  const { first: firstTop1, whitened: _, last: top1, ...rest } = summary;
  const { classes } = head.layout;
  const result = { run: folder.path, model: folder.model, classes: classes.length, ...rest, firstTop1, top1, top5 };
  return { result, text: summaryText(summary, words, folder) };
}

/** Trunk and head to train, and the state to continue from. */
async function openStart(options: ClassifyOptions, folder: RunFolder, work: Work): Promise<ClassifierStart> {
  const { newClassifier, openClassifierCheckpoint } = await import('../train/classify/classify-run.js');
  const begun = options.resume === true ? await openClassifierCheckpoint(folder, work) : undefined;
  if (begun !== undefined) {
    say(`Continuing ${folder.path} after update ${begun.resume?.state.step} of ${work.config.steps}.`);
    return begun;
  }
  const files = await startFiles(options, folder);
  const start = await newClassifier(files.init, { ...work, classifier: files.classifier });
  await writeBeginning(folder, work.config, files);
  if (start.hadWhitening) {
    say(`${files.init}: its whitening was learned on the features before training and is left out; see rmac whiten.`);
  }
  return start;
}

async function estimate(options: ClassifyOptions, { records, classes, validation, config }: Work) {
  const { newClassifier } = await import('../train/classify/classify-run.js');
  const { classifyDryRun } = await import('../train/classify/classify-dry-run.js');
  await openEngine(options);
  const start = await newClassifier(initialWeights(options), { classes, config, classifier: options.classifier });
  try {
    const validationImages = validation?.records.length ?? 0;
    const result = await classifyDryRun(start, records, { config, validationImages });
    const { etaSeconds } = result;
    return {
      result: { ...result, head: start.head.layout.kind, config },
      text: dryRunText(result, config),
      etaSeconds,
    };
  } finally {
    start.model.dispose();
    start.head.dispose();
  }
}

function dryRunText(result: ClassifyDryRun, config: ClassifyConfig): string {
  const number = (value: number) => value.toLocaleString('en');
  return [
    `images            ${result.images} of ${result.classes} classes (${result.smallestClass} to ${result.largestClass} each)`,
    `trained weights   ${number(result.trainedParameters)}, ${number(result.headParameters)} of them in the head (freeze: ${config.freeze})`,
    `memory            about ${(result.memoryBytes / 1e9).toFixed(2)} GB`,
    `per image         load ${result.loadMs.toFixed(0)} ms, score ${result.scoreMs.toFixed(0)} ms, train ${result.trainMs.toFixed(0)} ms`,
    `beside            change weights ${result.optimizeMs.toFixed(0)} ms, store a state ${result.saveMs.toFixed(0)} ms`,
    `per update        ${formatSeconds(result.msPerUpdate / 1000)} at most (${config.batchSize} images)`,
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates (${result.epochs.toFixed(1)} epochs)`,
  ].join('\n');
}
