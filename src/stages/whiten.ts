/** @file Learns a whitening on a data set and stores it in the model: PCA of region descriptors, or Lw of pairs. */
import { assertWritable } from '../data/files.js';
import { readManifest } from '../data/manifest.js';
import { writeModelFile } from '../data/model-file.js';
import { UsageError } from '../errors.js';
import { labelPairs, readPairs } from '../data/pairs.js';
import { openBlasEigen } from '../linear/open-blas.js';
import { leastPower } from '../models/meta.js';
import type { RegionSource } from '../models/region-source.js';
import { withoutWhitening, withWhitening } from '../models/whitening.js';
import { sizingFor } from '../retrieval/describe.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import { learnPairWhitening, learnWhitening, sampleOf } from '../retrieval/learn-whitening.js';
import { type StageContext, silentView } from './context.js';
import { noteFailures } from './failures.js';
import { type EngineChoice, type ModelChoice, openDescriber, openEngine } from './open-model.js';

export interface WhitenStageOptions extends EngineChoice, ModelChoice {
  /** Model file. Whitening that it has is replaced. */
  model: string;
  /** Manifest of the images to learn from. */
  manifest: string;
  /** Model file to write; `size` becomes the size stored in it. */
  out: string;
  /** Regions to learn from. Default: the model's own. */
  regions?: RegionSource;
  /** D, length of the descriptor. Default: the map's channels. */
  dimension?: number;
  /** t of the PCA: 1 (the default) whitens, 0 only centres and rotates, between is an attenuated whitening. */
  strength?: number;
  /** Learn Lw from pairs of ids: a file of JSON lines {"a","b"}, or `labels` for all of a landmark. Default: PCA. */
  pairs?: string;
  /** Decomposition by our own code (the default) or by an installed OpenBLAS. */
  eigen?: 'own' | 'openblas';
  /** Learn from so many images, drawn at random. Default: all. */
  maxImages?: number;
  /** Of that draw. Default 0. */
  seed?: number;
  /** Replace an existing file. */
  overwrite?: boolean;
}

interface Whitened {
  out: string;
  dimension: number;
  /** Images learned from. */
  images: number;
  /** What is doubtful about what was learned, one line each. */
  warnings: string[];
  failures: DescribeFailure[];
}

/** With `pairs`: how many of them, and what was added to the diagonal. Else: region vectors, and the share of their variance that is kept. */
export type WhitenStageResult =
  | (Whitened & { pairs: number; regularisation: number })
  | (Whitened & { regions: number; explainedVariance: number });

/** Learns on the l2-normalised region vectors before whitening. @throws InputError where too few images or pairs remain. */
export async function whitenModel(options: WhitenStageOptions, context: StageContext = {}): Promise<WhitenStageResult> {
  const { out, size, overwrite, seed = 0 } = options;
  const { view = silentView } = context;
  const { strength, power, pairs: pairing } = options;
  if (strength !== undefined && !(strength >= 0 && strength <= 1)) {
    throw new UsageError(`--strength ${strength}: a number from 0 to 1 expected.`);
  }
  if (strength !== undefined && pairing !== undefined)
    throw new UsageError('--strength is of a PCA; leave out --pairs.');
  if (power !== undefined && !(power >= leastPower && power <= 1)) {
    throw new UsageError(`--power ${power}: a number from ${leastPower} to 1 expected.`);
  }
  assertWritable(out, { overwrite });
  const records = sampleOf(await readManifest(options.manifest), options.maxImages, seed);
  const pairs =
    options.pairs === undefined || options.pairs === 'labels'
      ? labelPairs(options.pairs === undefined ? [] : records)
      : await readPairs(options.pairs);
  const eigen = options.eigen === 'openblas' ? await openBlasEigen() : undefined;
  await openEngine(options);
  const { model, describer, dispose } = await openDescriber(options.model, options, view);
  try {
    const channels = model.meta.projection?.dimension ?? model.channels;
    const progress = view.progress('whiten', records.length);
    const settings = {
      channels,
      dimension: options.dimension ?? channels,
      sizing: sizingFor(model.meta, options),
      eigen,
      threads: options.threads,
      signal: context.signal,
      onProgress: (done: number) => progress.update(done),
      onImagesDone: () => progress.stop(),
    };
    const learned =
      options.pairs === undefined
        ? await learnWhitening(describer, records, { ...settings, strength })
        : await learnPairWhitening(describer, records, pairs, settings);
    const { whitening, failures } = learned;
    noteFailures(view, failures);

    const plain = withoutWhitening(model.meta, await model.toArrays());
    const { meta, weights } = withWhitening(plain.meta, plain.weights, whitening);
    const sized = typeof size === 'number' ? { ...meta, imageSize: size } : meta;
    await writeModelFile(out, { meta: sized, weights }, { overwrite });
    const { dimension, warnings } = whitening;
    for (const warning of warnings) view.note(warning);
    const common = { out, dimension, images: records.length - failures.length, warnings };
    if ('pairs' in learned) {
      const { regularisation } = learned.whitening;
      if (regularisation > 0)
        view.note(`too few pairs for ${channels} dimensions: ${regularisation} was added to the diagonal.`);
      return { ...common, pairs: learned.pairs, regularisation, failures };
    }
    const { explainedVariance } = learned.whitening;
    return { ...common, regions: learned.regions, explainedVariance, failures };
  } finally {
    dispose();
  }
}
