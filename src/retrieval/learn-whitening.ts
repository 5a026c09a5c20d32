/** @file Whitening of a model's descriptors over a list of images: PCA of the regions, one image in memory at a time, or Lw of pairs. */
import seedrandom from 'seedrandom';
import { GramProducts } from '../backend/index.js';
import type { ImageSizing } from '../data/images.js';
import { InputError } from '../errors.js';
import { type Described, describeRegions, type RegionDescriber } from './describe.js';
import type { DescribeFailure } from './descriptor-folder.js';
import { learnLw, type LwWhitening } from '../linear/lw.js';
import { CovarianceAccumulator, learnPcaWhitening, type PcaOptions, type LearnedWhitening } from '../linear/pca.js';

export interface LearnWhiteningOptions {
  /** C, length of a region vector. */
  channels: number;
  /** D, length of the whitened descriptor. */
  dimension: number;
  /** t of an attenuated PCA whitening, 0 to 1. Default 1. */
  strength?: number | undefined;
  sizing: ImageSizing;
  /** Computes the eigenpairs. Default: symmetricEigen. */
  eigen?: PcaOptions['eigen'];
  /** Threads of the sums over wide rows. Default: all. */
  threads?: number | undefined;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
  /** Called when all images are read and the decomposition begins. */
  onImagesDone?: () => void;
}

/** Rows of this length on are summed by the engine: 2048 values take it a tenth of this thread's time. */
const engineFromChannels = 512;

/** An image by its id and file. */
type ImageFile = { id: string; path: string };

/**
 * Learns the whitening; images that cannot be read are listed. `described`: the region vectors of `images`, in their order, where they are
 * computed elsewhere. @throws InputError if too few regions remain.
 */
export async function learnWhitening(
  model: RegionDescriber,
  images: readonly ImageFile[],
  options: LearnWhiteningOptions & { described?: AsyncIterable<Described<ImageFile>> },
): Promise<{ whitening: LearnedWhitening; regions: number; failures: DescribeFailure[] }> {
  const { channels, dimension, strength, sizing, eigen, threads, signal, onProgress, onImagesDone } = options;
  const { described = describeRegions(model, images, (image) => image, { sizing, signal }) } = options;
  const products = channels < engineFromChannels ? undefined : new GramProducts(channels, { threads });
  try {
    const rows = new CovarianceAccumulator(channels, products);
    const failures: DescribeFailure[] = [];
    let done = 0;
    for await (const result of described) {
      if ('error' in result) failures.push({ id: result.item.id, error: result.error.message });
      else rows.add(result.descriptor);
      onProgress?.(++done);
    }
    onImagesDone?.();
    assertDescribed(images, failures, signal);
    return { whitening: learnPcaWhitening(rows, { dimension, strength, eigen }), regions: rows.count, failures };
  } finally {
    products?.dispose();
  }
}

/**
 * Learns Lw from pairs of ids; pairs of which an image could not be described or is not among `images` are left out. For models
 * that give one vector per image. @throws InputError if there are several, or no pair remains.
 */
export async function learnPairWhitening(
  model: RegionDescriber,
  images: readonly ImageFile[],
  pairs: readonly (readonly [string, string])[],
  { channels, dimension, sizing, eigen, threads, signal, onProgress, onImagesDone }: LearnWhiteningOptions,
): Promise<{ whitening: LwWhitening; pairs: number; failures: DescribeFailure[] }> {
  const failures: DescribeFailure[] = [];
  const rowOf = new Map<string, number>();
  const data = new Float32Array(images.length * channels); // [N, C], as many rows as could be described
  for await (const result of describeRegions(model, images, (image) => image, { sizing, signal, onProgress })) {
    if ('error' in result) {
      failures.push({ id: result.item.id, error: result.error.message });
      continue;
    }
    if (result.descriptor.length !== channels) {
      throw new InputError('Lw is learned on one vector per image; use --pooling gem, mac or spoc, or PCA for R-MAC.');
    }
    data.set(result.descriptor, rowOf.size * channels);
    rowOf.set(result.item.id, rowOf.size);
  }
  onImagesDone?.();
  assertDescribed(images, failures, signal);
  const known = pairs.filter(([a, b]) => rowOf.has(a) && rowOf.has(b));
  const side = (of: 0 | 1) => Int32Array.from(known, (pair) => rowOf.get(pair[of]) ?? 0);
  const products = channels < engineFromChannels ? undefined : () => new GramProducts(channels, { threads });
  const descriptors = { dimension: channels, data: data.subarray(0, rowOf.size * channels) };
  return {
    whitening: learnLw(descriptors, side(0), side(1), { dimension, eigen, products }),
    pairs: known.length,
    failures,
  };
}

function assertDescribed(images: readonly unknown[], failures: readonly DescribeFailure[], signal?: AbortSignal): void {
  if (signal?.aborted) throw new InputError('Interrupted; nothing was written.');
  if (failures.length === images.length && images.length > 0) {
    throw new InputError(`None of the ${images.length} images could be described; the first: ${failures[0].error}`);
  }
}

/** `count` items drawn by `seed`, in their original order; all of them if there are not more. */
export function sampleOf<T>(items: readonly T[], count: number = items.length, seed = 0): T[] {
  if (count >= items.length) return [...items];
  const random = seedrandom(`${seed}`);
  const order = items.map((_, i) => i);
  // The first `count` places of a Fisher-Yates shuffle.
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (order.length - i));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order
    .slice(0, count)
    .toSorted((a, b) => a - b)
    .map((i) => items[i]);
}
