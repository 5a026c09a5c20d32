/** @file `rmac train triplet`: fine-tunes a descriptor model by a ranking loss, in a run folder that can be resumed. */
import type { Command } from 'commander';
import { estimateTriplet, type TripletEstimate, trainTriplet } from '../stages/train-triplet.js';
import type { RankingDryRun } from '../train/ranking/ranking-dry-run.js';
import type { TripletConfig } from '../train/ranking/triplet-config.js';
import { formatSeconds } from './console.js';
import { classifyEstimateText, finishLine } from './train-classify.js';
import { addTrainOptions, runTrainer, type TrainCommandOptions } from './train-options.js';

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
weightDecay, freeze, whitenDimension and others, explained in config.yaml of any run. At the end, averageDecay (the average of the
weights over the run), averageWithStart (auto, or the share of the start's weights; auto holds back a share of the landmarks, holdBack,
and chooses on them) and finalWhitenDimension make the model. classify.steps and other settings of train classify under "classify" train a
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
    .action((options: TrainCommandOptions) =>
      runTrainer(options, { train: trainTriplet, estimate: estimateTriplet, estimateText }),
    );
}

/** A dry run in words. */
function estimateText({ classify, ranking, etaSeconds, config, ...alone }: TripletEstimate): string {
  const text = rankingText(ranking ?? { ...alone, etaSeconds }, config);
  if (classify === undefined) return text;
  return `Classification\n${classifyEstimateText(classify)}\n\nRanking\n${text}\n\nboth              ${formatSeconds(etaSeconds)}`;
}

function rankingText(result: RankingDryRun, config: TripletConfig): string {
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
    ...finishLine(result),
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates`,
  ].join('\n');
}

/** What an update is made of, in words. */
function unit({ loss, listSize, tripletsPerStep }: TripletConfig): string {
  if (loss === 'average-precision') return `a list of ${listSize} images`;
  return `${tripletsPerStep} ${loss === 'contrastive' ? 'tuples' : 'triplets'}`;
}
