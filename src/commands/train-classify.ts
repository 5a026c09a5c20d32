/** @file `rmac train classify`: trains the trunk of a descriptor model by classification of landmarks, in a run folder that can be resumed. */
import type { Command } from 'commander';
import { type ClassifyEstimate, estimateClassify, trainClassify } from '../stages/train-classify.js';
import { formatSeconds } from './console.js';
import { addTrainOptions, runTrainer, type TrainCommandOptions } from './train-options.js';

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
labelSmoothing, learningRate, warmup, freeze and others, explained in config.yaml of any run. At the end, averageDecay (the average of
the weights over the run), averageWithStart (auto, or the share of the start's weights; auto holds back a share of the landmarks,
holdBack, and chooses on them) and finalWhitenDimension make the model. Ctrl-C stops with a checkpoint; --resume continues exactly. The models of the run folder
are descriptor models: rmac train triplet --init, extract, evaluate and whiten take them.

Examples:
  rmac train classify --manifest train.jsonl --run runs/classes --init densenet121.safetensors --config small-classify --dry-run
  rmac train classify --manifest train.jsonl --run runs/classes --init densenet121.safetensors --config small-classify \\
    --val val.jsonl
  rmac train classify --manifest train.jsonl --run runs/classes --val val.jsonl --resume
  rmac train triplet --manifest train.jsonl --run runs/triplets --init runs/classes/best.safetensors`,
    )
    .action((options: TrainCommandOptions) =>
      runTrainer(options, {
        train: trainClassify,
        estimate: (asked) => estimateClassify(asked),
        estimateText: classifyEstimateText,
      }),
    );
}

/** What the end of a run costs, where there is one. */
export function finishLine({ finishMs }: { finishMs: number }): string[] {
  return finishMs === 0
    ? []
    : [`at the end        ${formatSeconds(finishMs / 1000)} for averaging with the start and whitening`];
}

/** A dry run in words. */
export function classifyEstimateText(result: ClassifyEstimate): string {
  const { config } = result;
  const number = (value: number) => value.toLocaleString('en');
  return [
    `images            ${result.images} of ${result.classes} classes (${result.smallestClass} to ${result.largestClass} each)`,
    `trained weights   ${number(result.trainedParameters)}, ${number(result.headParameters)} of them in the head (freeze: ${config.freeze})`,
    `memory            about ${(result.memoryBytes / 1e9).toFixed(2)} GB`,
    `per image         load ${result.loadMs.toFixed(0)} ms, score ${result.scoreMs.toFixed(0)} ms, train ${result.trainMs.toFixed(0)} ms`,
    `beside            change weights ${result.optimizeMs.toFixed(0)} ms, store a state ${result.saveMs.toFixed(0)} ms`,
    `per update        ${formatSeconds(result.msPerUpdate / 1000)} at most (${config.batchSize} images)`,
    ...finishLine(result),
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates (${result.epochs.toFixed(1)} epochs)`,
  ].join('\n');
}
