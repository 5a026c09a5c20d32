/** @file `rmac whiten`: learns a whitening (PCA of region descriptors, or Lw of pairs) and stores it in the model as shift + FC. */
import { type Command, Option } from 'commander';
import type { EigenSolver } from '../linear/open-blas.js';
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
  pairs?: string;
  eigen: 'own' | 'openblas';
  maxImages?: number;
  seed: number;
  overwrite?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('whiten')
    .requiredOption('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--manifest <file>', '.jsonl manifest of the images to learn from')
    .requiredOption('--out <file>', 'where to write the model with whitening (.safetensors)')
    .option('--dimension <n>', "length of the descriptor (default: the map's channels)", positiveInteger);
  addModelOptions(command)
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
--pairs learns Lw (Radenovic et al.) instead, for models with one vector per image (gem, mac, spoc); graph.jsonl of rmac clean
is such a file (pairs that are not "kept" are passed over).

Examples:
  rmac whiten --model model.safetensors --manifest train.jsonl --dimension 512 --size 512 --out whitened.safetensors
  rmac whiten --model gem.safetensors --manifest clean.jsonl --pairs graph.jsonl --out whitened.safetensors`,
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
  const { learnPairWhitening, learnWhitening, sampleOf } = await import('../retrieval/learn-whitening.js');

  assertWritable(out, { overwrite });
  const records = sampleOf(await readManifest(manifest), options.maxImages, seed);
  const { labelPairs, readPairs } = await import('../data/pairs.js');
  const pairs =
    options.pairs === undefined || options.pairs === 'labels'
      ? labelPairs(options.pairs === undefined ? [] : records)
      : await readPairs(options.pairs);
  const eigen = await solverFor(options.eigen);
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const describer = await describerFor(model, modelFile);
  const channels = model.meta.projection?.dimension ?? model.channels;
  const progress = startProgress('whiten', records.length);
  const settings = {
    channels,
    dimension: options.dimension ?? channels,
    sizing: sizingFor(model.meta, options),
    eigen,
    threads: options.threads,
    signal: interruptSignal(),
    onProgress: (done: number) => progress.update(done),
    onImagesDone: () => progress.stop(),
  };
  try {
    const learned =
      options.pairs === undefined
        ? await learnWhitening(describer, records, settings)
        : await learnPairWhitening(describer, records, pairs, settings);
    const { whitening, failures } = learned;
    for (const { id, error } of failures.slice(0, 10)) say(`skipped ${id}: ${error}`);

    const plain = withoutWhitening(model.meta, await model.toArrays());
    const { meta, weights } = withWhitening(plain.meta, plain.weights, whitening);
    const sized = typeof size === 'number' ? { ...meta, imageSize: size } : meta;
    await writeModelFile(out, { meta: sized, weights }, { overwrite });
    const images = records.length - failures.length;
    const { dimension, warnings } = whitening;
    for (const warning of warnings) say(warning);
    const common = { out, dimension, images, warnings };
    if ('pairs' in learned) {
      const { regularisation } = learned.whitening;
      if (regularisation > 0)
        say(`too few pairs for ${channels} dimensions: ${regularisation} was added to the diagonal.`);
      printResult(
        { ...common, pairs: learned.pairs, regularisation, failures },
        `${out}: Lw to ${dimension} dimensions from ${learned.pairs} pairs of ${images} images`,
        options,
      );
      return;
    }
    const { regions } = learned;
    const { explainedVariance } = learned.whitening;
    printResult(
      { ...common, regions, explainedVariance, failures },
      `${out}: whitening to ${dimension} dimensions from ${regions} regions of ${images} images, ` +
        `${(100 * explainedVariance).toFixed(1)} % of the variance`,
      options,
    );
  } finally {
    describer.dispose();
    model.dispose();
  }
}

async function solverFor(name: WhitenCommandOptions['eigen']): Promise<EigenSolver | undefined> {
  if (name === 'own') return undefined;
  const { openBlasEigen } = await import('../linear/open-blas.js');
  return openBlasEigen();
}
