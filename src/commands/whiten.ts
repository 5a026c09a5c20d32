/** @file `rmac whiten`: learns a whitening (PCA of region descriptors, or Lw of pairs) and stores it in the model as shift + FC. */
import { type Command, Option } from 'commander';
import type { WhitenStageOptions, WhitenStageResult } from '../stages/whiten.js';
import { loadStage } from '../stages/load-stage.js';
import {
  addCommonOptions,
  type CommonOptions,
  fraction,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';
import { addModelOptions } from './model-options.js';

export function register(program: Command): void {
  const command = program
    .command('whiten')
    .requiredOption('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--manifest <file>', '.jsonl manifest of the images to learn from')
    .requiredOption('--out <file>', 'where to write the model with whitening (.safetensors)')
    .option('--dimension <n>', "length of the descriptor (default: the map's channels)", positiveInteger);
  addModelOptions(command)
    .option(
      '--strength <t>',
      'of the whitening by PCA, 0 to 1: below 1 directions of little variance weigh less (default: 1)',
      fraction,
    )
    .option(
      '--power <a>',
      "raise the values of region vectors to it before, 0.1 to 1: at 0.5 single strong features weigh less (default: the model's, else 1)",
      fraction,
    )
    .option('--pairs <file>', 'learn Lw from pairs: JSON lines {"a","b"} of ids, or "labels" for all of a landmark')
    .addOption(
      new Option(
        '--eigen <code>',
        'decomposition by our own code or by an installed OpenBLAS (needs the package koffi)',
      )
        .choices(['own', 'openblas'])
        .default('own'),
    )
    .option('--max-images <n>', 'learn from this many images, drawn at random', positiveInteger)
    .option('--seed <n>', 'seed of that draw', nonNegativeInteger, 0)
    .option('--overwrite', 'replace an existing file');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Learned on the l2-normalised region vectors (R-MAC: about 20 per image) before whitening; whitening that the model has
is replaced. Use images that are not those you evaluate on. --size becomes the size stored in the new model.
Where a whitening costs, as on scenes or noisy photographs, --strength 0.5 may gain (Mukundan et al. 2019).
--power 0.5 (Jégou and Chum 2012) gained on landmarks and scenes with an attenuated whitening.
--pairs learns Lw (Radenovic et al.) instead, for models with one vector per image (gem, mac, spoc); graph.jsonl of rmac clean
is such a file (pairs that are not "kept" are passed over).

Examples:
  rmac whiten --model model.safetensors --manifest train.jsonl --dimension 512 --size 512 --out whitened.safetensors
  rmac whiten --model gem.safetensors --manifest clean.jsonl --pairs graph.jsonl --out whitened.safetensors`,
    )
    .action(run);
}

async function run(options: WhitenStageOptions & CommonOptions): Promise<void> {
  const { whitenModel } = await loadStage.whiten();
  const result = await whitenModel(options, terminalContext);
  printResult(result, textOf(result), options);
}

function textOf(result: WhitenStageResult): string {
  const { out, dimension, images } = result;
  if ('pairs' in result) return `${out}: Lw to ${dimension} dimensions from ${result.pairs} pairs of ${images} images`;
  const percent = (100 * result.explainedVariance).toFixed(1);
  const learned = `whitening to ${dimension} dimensions from ${result.regions} regions of ${images} images`;
  return `${out}: ${learned}, ${percent} % of the variance`;
}
