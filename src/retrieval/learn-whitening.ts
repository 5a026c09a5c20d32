/** @file PCA-whitening of a model's region descriptors over a list of images, one image in memory at a time. */
import seedrandom from 'seedrandom';
import type { ImageSizing } from '../data/images.js';
import { InputError } from '../errors.js';
import { describeRegions, type RegionDescriber } from './describe.js';
import type { DescribeFailure } from './descriptor-folder.js';
import { CovarianceAccumulator, learnPcaWhitening, type PcaWhitening } from './pca.js';

export interface LearnWhiteningOptions {
  /** C, length of a region vector. */
  channels: number;
  /** D, length of the whitened descriptor. */
  dimension: number;
  sizing: ImageSizing;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
  /** Called when all images are read and the decomposition begins. */
  onImagesDone?: () => void;
}

/** Learns the whitening; images that cannot be read are listed. @throws InputError if too few regions remain. */
export async function learnWhitening(
  model: RegionDescriber,
  images: readonly { id: string; path: string }[],
  { channels, dimension, sizing, signal, onProgress, onImagesDone }: LearnWhiteningOptions,
): Promise<{ whitening: PcaWhitening; regions: number; failures: DescribeFailure[] }> {
  const rows = new CovarianceAccumulator(channels);
  const failures: DescribeFailure[] = [];
  for await (const result of describeRegions(model, images, (image) => image, { sizing, signal, onProgress })) {
    if ('error' in result) failures.push({ id: result.item.id, error: result.error.message });
    else rows.add(result.descriptor);
  }
  onImagesDone?.();
  if (signal?.aborted) throw new InputError('Interrupted; nothing was written.');
  if (failures.length === images.length && images.length > 0) {
    throw new InputError(`None of the ${images.length} images could be described; the first: ${failures[0].error}`);
  }
  return { whitening: learnPcaWhitening(rows, { dimension }), regions: rows.count, failures };
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
