/**
 * @file Images in, descriptors out: one image at a time on the engine, of many one on each of its threads, while the next ones decode; bounded memory.
 * An image that cannot be read or described is reported in its place and the rest goes on.
 */
import * as tf from '@tensorflow/tfjs-core';
import { decodeImages, filterOf, type ImageSizing, toTensor } from '../data/images.js';
import { InputError } from '../errors.js';
import type { Box } from '../data/manifest.js';
import type { QuarterTurn, RgbImage } from '../data/rgb-image.js';
import { runAhead } from '../data/run-ahead.js';
import type { ModelMeta } from '../models/meta.js';

/** What describing needs of a model; `DescriptorModel` is one. */
export interface Describer {
  /** [N, H, W, 3] RGB 0-255 -> [N, D] unit rows. */
  describe(images: tf.Tensor4D): tf.Tensor2D;
  /** The same beside the caller: used for many images, several at once. */
  describeAsync?(images: tf.Tensor4D): Promise<tf.Tensor2D>;
}

/** What learning a whitening needs of a model. */
export interface RegionDescriber {
  /** [N, H, W, 3] RGB 0-255 -> [N, R, C] unit rows. */
  regionDescriptors(images: tf.Tensor4D): tf.Tensor3D;
  /** As `describeAsync`. */
  regionDescriptorsAsync?(images: tf.Tensor4D): Promise<tf.Tensor3D>;
}

/** The file of an item and the part of it to use, in pixels of the upright image. */
export interface ImagePart {
  path: string;
  crop?: Box;
  rotate?: QuarterTurn;
}

export interface DescribeOptions {
  sizing: ImageSizing;
  /** Images decoded ahead of those being described. Default 4. */
  ahead?: number;
  /** Ends the generator before the next image. */
  signal?: AbortSignal;
  /** Called after every image, good or bad, with the number done. */
  onProgress?: (done: number) => void;
}

export type Described<T> = { item: T; descriptor: Float32Array } | { item: T; error: Error };

/** Longest side used when neither the command nor the model names one; such images are only ever made smaller. */
export const defaultLongestSidePx = 1024;

/**
 * How images are sized for a model: `size` if given, else the size the model was made for (both enlarge small images,
 * as Gordo et al. do), else at most 1024 px and never enlarged. `snap` makes both sides multiples of it.
 */
export function sizingFor(
  meta: Partial<Pick<ModelMeta, 'imageSize' | 'preprocessing'>>,
  { size, snap = 1 }: { size?: number | 'none'; snap?: number } = {},
): ImageSizing {
  const longest = size ?? meta.imageSize;
  const filter = filterOf(meta);
  const sizing =
    longest === undefined ? { longest: defaultLongestSidePx, upscale: false, ...filter } : { longest, ...filter };
  return snap === 1 ? sizing : { ...sizing, multipleOf: snap };
}

/** Images from which on compiling the network for each thread pays. */
const many = 32;
/** Images of many being described, or in the consumer's hands: one for each of four threads, and what these go on with. */
const atOnce = 6;

type Compute = (images: tf.Tensor4D) => tf.Tensor | Promise<tf.Tensor>;

/** Describes each item's image; results come in the order of `items`. */
export function describeImages<T>(
  model: Describer,
  items: Iterable<T>,
  load: (item: T) => ImagePart,
  options: DescribeOptions,
): AsyncGenerator<Described<T>> {
  const beside = model.describeAsync && ((images: tf.Tensor4D) => model.describeAsync!(images));
  return readFromImages((images) => model.describe(images), beside, items, load, options);
}

/** Region vectors of each item's image before whitening, as rows [R, C] in `descriptor`. */
export function describeRegions<T>(
  model: RegionDescriber,
  items: Iterable<T>,
  load: (item: T) => ImagePart,
  options: DescribeOptions,
): AsyncGenerator<Described<T>> {
  const beside = model.regionDescriptorsAsync && ((images: tf.Tensor4D) => model.regionDescriptorsAsync!(images));
  return readFromImages((images) => model.regionDescriptors(images), beside, items, load, options);
}

async function* readFromImages<T>(
  compute: (images: tf.Tensor4D) => tf.Tensor,
  beside: Compute | undefined,
  items: Iterable<T>,
  load: (item: T) => ImagePart,
  { sizing, ahead = 4, signal, onProgress }: DescribeOptions,
): AsyncGenerator<Described<T>> {
  const all = [...items];
  const [use, count] =
    beside !== undefined && all.length >= many
      ? [beside, atOnce]
      : [(images: tf.Tensor4D) => tf.tidy(() => compute(images)), 1];
  const decoded = decodeImages(all, load, { sizing, ahead });
  let done = 0;
  for await (const outcome of runAhead(decoded, (each) => describeOne(use, each, signal), count)) {
    if (signal?.aborted) return;
    if ('error' in outcome) throw outcome.error;
    yield outcome.value;
    onProgress?.(++done);
  }
}

async function describeOne<T>(
  compute: Compute,
  decoded: { item: T; image: RgbImage } | { item: T; error: Error },
  signal: AbortSignal | undefined,
): Promise<Described<T>> {
  if ('error' in decoded) return decoded;
  signal?.throwIfAborted();
  const { item, image } = decoded;
  try {
    return { item, descriptor: await descriptorOf(compute, image) };
  } catch (error) {
    // An image too small for the network is the image's fault; anything else is the program's.
    if (error instanceof InputError) return { item, error };
    throw error;
  }
}

/** What `compute` makes of one image, [1, H, W, 3]. @throws InputError for an image too small for it, or values that are not finite. */
export async function descriptorOf(compute: Compute, image: RgbImage): Promise<Float32Array> {
  const images = toTensor(image);
  let output: tf.Tensor | undefined;
  try {
    output = await compute(images);
    const values = await output.data<'float32'>();
    const descriptor = Float32Array.from(values); // the backend may own or reuse the memory it returns
    if (descriptor.every(Number.isFinite)) return descriptor;
    throw new InputError('its descriptor has NaN or infinite values; check the model.');
  } finally {
    tf.dispose([images, output]);
  }
}
