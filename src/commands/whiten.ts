/** @file `rmac whiten`: learns a PCA-whitening from region descriptors and stores it in the model as shift + FC. */
import { type Command } from 'commander';

import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { addModelOptions, type ModelOptions, openEngine, openModel } from './open-model.js';
import { describerFor } from './regions-option.js';

interface WhitenCommandOptions extends CommonOptions, ModelOptions {
  model: string;
  manifest: string;
  out: string;
  dimension?: number;
  maxImages?: number;
  seed: number;
  overwrite?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('whiten')
    .description('Learn a PCA-whitening on a data set and store it in the model.')
    .requiredOption('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--manifest <file>', '.jsonl manifest of the images to learn from')
    .requiredOption('--out <file>', 'where to write the model with whitening (.safetensors)')
    .option('--dimension <n>', "length of the descriptor (default: the map's channels)", positiveInteger);
  addModelOptions(command)
    .option('--max-images <n>', 'learn from this many images, drawn at random', positiveInteger)
    .option('--seed <n>', 'seed of that draw', nonNegativeInteger, 0)
    .option('--overwrite', 'replace an existing file');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Learned on the l2-normalised region vectors (R-MAC: about 20 per image) before whitening; whitening that the model has
is replaced. Use images that are not those you evaluate on. --size becomes the size stored in the new model.

Example:
  rmac whiten --model model.safetensors --manifest train.jsonl --dimension 512 --size 512 --out whitened.safetensors`,
    )
    .action(run);
}

async function run(options: WhitenCommandOptions): Promise<void> {
  const { model: modelFile, manifest, out, seed, size, overwrite } = options;
  const { assertWritable } = await import('../data/files.js');
  const { readManifest } = await import('../data/manifest.js');
  const { writeModelFile } = await import('../data/model-file.js');
  const { withoutWhitening, withWhitening } = await import('../models/whitening.js');
  const { sizingFor } = await import('../retrieval/describe.js');
  const { learnWhitening, sampleOf } = await import('../retrieval/learn-whitening.js');

  assertWritable(out, { overwrite });
  const records = sampleOf(await readManifest(manifest), options.maxImages, seed);
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const describer = await describerFor(model, modelFile);
  const dimension = options.dimension ?? model.channels;
  const progress = startProgress('whiten', records.length);
  const signal = interruptSignal();
  try {
    const { whitening, regions, failures } = await learnWhitening(describer, records, {
      channels: model.channels,
      dimension,
      sizing: sizingFor(model.meta, options),
      signal,
      onProgress: (done) => progress.update(done),
      onImagesDone: () => progress.stop(),
    });
    for (const { id, error } of failures.slice(0, 10)) say(`skipped ${id}: ${error}`);

    const plain = withoutWhitening(model.meta, await model.toArrays());
    const { meta, weights } = withWhitening(plain.meta, plain.weights, whitening);
    const sized = typeof size === 'number' ? { ...meta, imageSize: size } : meta;
    await writeModelFile(out, { meta: sized, weights }, { overwrite });
    const images = records.length - failures.length;
    const { explainedVariance } = whitening;
    printResult(
      { out, dimension, images, regions, explainedVariance, failures },
      `${out}: whitening to ${dimension} dimensions from ${regions} regions of ${images} images, ` +
        `${(100 * explainedVariance).toFixed(1)} % of the variance`,
      options,
    );
  } finally {
    describer.dispose();
    model.dispose();
  }
}
