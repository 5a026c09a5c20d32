/** @file `rmac train rpn`: trains a region proposal network on the frozen trunk of a descriptor model. */
import type { Command } from 'commander';
import { estimateRpn, type RpnEstimate, trainRpn } from '../stages/train-rpn.js';
import { formatSeconds } from './console.js';
import { addTrainOptions, runTrainer, type TrainCommandOptions } from './train-options.js';

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
    .action((options: TrainCommandOptions) =>
      runTrainer(options, { train: trainRpn, estimate: estimateRpn, estimateText }),
    );
}

/** A dry run in words. */
function estimateText(result: RpnEstimate): string {
  const { config } = result;
  return [
    `images            ${result.images} with a box, ${result.withoutBox} without`,
    `trained weights   ${result.trainedParameters.toLocaleString('en')}`,
    `maps              ${(result.cacheBytes / 1e9).toFixed(2)} GB if all are kept (cacheMegabytes: ${config.cacheMegabytes})`,
    `positives         ${result.positives.toFixed(0)} of ${config.anchorsPerImage} anchors`,
    `per image         load ${result.loadMs.toFixed(0)} ms (once where its map is kept), train ${result.trainMs.toFixed(0)} ms`,
    `whole run         ${formatSeconds(result.etaSeconds)} for ${config.steps} updates, measurements aside`,
  ].join('\n');
}
