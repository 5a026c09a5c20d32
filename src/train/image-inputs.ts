/**
 * @file From image files to what the trained part of the network reads. With frozen stages that is their output, computed
 * once per image and kept while it fits: it never changes. Without, it is the pixels, and keeping them saves the decoding.
 *
 * The frozen part always runs by itself and hands over numbers, kept or not, so that the trained part sees the same
 * bits whether the cache is warm or cold: a resumed run equals an uninterrupted one.
 *
 * Sides are snapped to multiples of the network's stride: each image shape costs a compiled graph.
 */
import * as tf from '@tensorflow/tfjs-core';
import { decodeImage, filterOf, toTensor } from '../data/images.js';
import type { ImageRecord } from '../data/manifest.js';
import type { RgbImage } from '../data/rgb-image.js';
import { runAhead } from '../data/run-ahead.js';
import { InputError } from '../errors.js';
import { applyView, frameOf, type ImageView, identityView, isReusable, sizingOf } from './augmentation.js';
import { ByteCache } from './prefix-cache.js';
import type { DescriptorForms, DescriptorInBlocks, ExampleSource } from './replay.js';
import type { TrainableModel } from './trainable-model.js';
import type { TrainingRecord } from './views/training-record.js';
import type { ViewGenerator } from './views/view-generator.js';

/** An image and what is changed about it. */
export interface ViewedImage {
  record: TrainingRecord;
  view: ImageView;
}

/** What the trained part starts from, as plain data. */
export type TrunkInput =
  | { kind: 'pixels'; image: RgbImage }
  | { kind: 'map'; values: Float32Array; shape: [number, number, number, number]; imageSizePx: [number, number] };

export interface ImageInputOptions {
  freeze: string;
  /** Longest side, px. */
  imageSize: number;
  cacheBytes: number;
  /** What stays in the cache when not all fits (prefix-cache.ts). Default `recent`. */
  keep?: 'recent' | 'first';
  /** Images decoded ahead of the one in use. */
  ahead?: number;
  /** Needed where views are to be generated. */
  views?: ViewGenerator | undefined;
}

export type LoadedInput<T> = { item: T; input: TrunkInput } | { item: T; error: InputError };

export class ImageInputs implements DescriptorForms<TrunkInput>, ExampleSource<TrunkInput> {
  readonly examples: ExampleSource<TrunkInput> = this;
  private readonly cache: ByteCache<TrunkInput>;
  private readonly ahead: number;
  /** Images that are being decoded for a later `load`. */
  private started = new Map<string, Promise<RgbImage>>();
  private waited = 0;

  constructor(
    private readonly model: TrainableModel,
    private readonly options: ImageInputOptions,
  ) {
    this.cache = new ByteCache(options.cacheBytes, options.keep);
    this.ahead = options.ahead ?? 4;
  }

  get cachedBytes(): number {
    return this.cache.bytes;
  }

  /** Milliseconds in which `load` had no decoded image to give, since the start. */
  get waitedMs(): number {
    return this.waited;
  }

  /**
   * Decodes the first of these images, as many as `load` would: a `load` that begins with them does not wait. What was decoded
   * before and not loaded is dropped. Resolves when they are there; an image's error is told by `load`.
   */
  async prefetch(items: readonly ViewedImage[]): Promise<void> {
    this.started = new Map();
    for (const item of items.slice(0, this.ahead)) {
      const key = keyOf(item);
      if (this.cache.has(key) || this.started.has(key)) continue;
      this.started.set(key, this.decode(item));
    }
    await Promise.allSettled(this.started.values());
  }

  /** Descriptor of one input, [1, D]: differentiable with respect to the trained weights. */
  describe(input: TrunkInput): tf.Tensor2D {
    return tf.tidy(() => {
      const numbers = input.kind === 'map' ? tf.tensor4d(input.values, input.shape) : toTensor(input.image);
      return this.describeNumbers(numbers, input);
    });
  }

  /** Inputs of one form are computed by one graph: they differ in their numbers only. */
  formOf(input: TrunkInput): string {
    return input.kind === 'map'
      ? `map ${input.shape.join()} of ${input.imageSizePx.join()}`
      : `pixels ${input.image.height},${input.image.width}`;
  }

  /** An input's numbers, as `describeNumbers` takes them in a tensor of `shape`. */
  numbersOf(input: TrunkInput): { values: ArrayLike<number>; shape: [number, number, number, number] } {
    if (input.kind === 'map') return input;
    const { data, width, height } = input.image;
    return { values: data, shape: [1, height, width, 3] };
  }

  /** `describe` on a tensor of numbers of the same form as those of `input`. */
  describeNumbers(numbers: tf.Tensor4D, input: TrunkInput): tf.Tensor2D {
    const { model } = this;
    return input.kind === 'map'
      ? model.describeFromPrefix(numbers, this.options.freeze, input.imageSizePx)
      : model.describe(numbers);
  }

  weights(): Iterable<tf.Tensor> {
    return this.model.trainable('none').values();
  }

  /** The same in blocks: `start` is the first one's input, which the caller owns. */
  inBlocks(input: TrunkInput): DescriptorInBlocks {
    const { model } = this;
    const { freeze } = this.options;
    if (input.kind === 'map') {
      const blocks = model.blocksFromPrefix(freeze, input.imageSizePx);
      return { start: tf.tensor(input.values, input.shape), blocks };
    }
    const { width, height } = input.image;
    const start = tf.tidy(() => model.prefix(toTensor(input.image), 'none'));
    return { start, blocks: model.blocksFromPrefix('none', [height, width]) };
  }

  /** The items' inputs, in order, decoded ahead. An image that cannot be used comes as its error. */
  async *load<T extends ViewedImage>(items: readonly T[]): AsyncGenerator<LoadedInput<T>> {
    const decodeUnlessKept = async (item: T) => {
      const key = keyOf(item);
      if (this.cache.has(key)) return undefined;
      const started = this.started.get(key);
      this.started.delete(key);
      return started ?? this.decode(item);
    };
    for await (const outcome of this.timed(runAhead(items, decodeUnlessKept, this.ahead))) {
      const { item } = outcome;
      const key = keyOf(item);
      let input = this.cache.get(key);
      if (input === undefined) {
        try {
          if ('error' in outcome) throw outcome.error;
          // Kept when it was looked up, evicted since: decode it now.
          input = await this.prepare(outcome.value ?? (await this.decode(item)), item.record);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          yield { item, error };
          continue;
        }
        this.cache.set(key, input, bytesOf(input));
      }
      yield { item, input };
    }
  }

  /** Drops what later updates will not meet again. */
  forgetOnce(items: Iterable<ViewedImage>): void {
    for (const item of items) if (!isReusable(item.view)) this.cache.delete(keyOf(item));
  }

  /** Adds the time in which the consumer waits. */
  private async *timed<T>(outcomes: AsyncIterable<T>): AsyncGenerator<T> {
    let askedAt = performance.now();
    for await (const outcome of outcomes) {
      this.waited += performance.now() - askedAt;
      yield outcome;
      askedAt = performance.now();
    }
  }

  private async decode({ record, view }: ViewedImage): Promise<RgbImage> {
    const { stride } = this.model;
    const { imageSize, views } = this.options;
    const { generated } = view;
    if (generated !== undefined) return views!.generate(record, generated, frameOf(generated, { imageSize, stride }));
    const sizing = { ...sizingOf(view, { imageSize, stride }), ...filterOf(this.model.meta) };
    const image = await decodeImage(record.path, { sizing });
    return applyView(image, view, stride);
  }

  private async prepare(image: RgbImage, record: ImageRecord): Promise<TrunkInput> {
    const { freeze } = this.options;
    if (freeze === 'none') return { kind: 'pixels', image };
    let map: tf.Tensor4D | undefined;
    try {
      map = tf.tidy(() => this.model.prefix(toTensor(image), freeze));
      const values = Float32Array.from(await map.data<'float32'>());
      return { kind: 'map', values, shape: map.shape, imageSizePx: [image.height, image.width] };
    } catch (error) {
      // Too small for the network: name the file.
      throw error instanceof InputError ? new InputError(`${record.path}: ${error.message}`) : error;
    } finally {
      map?.dispose();
    }
  }
}

/** Bytes of an input in the cache. */
export function bytesOf(input: TrunkInput): number {
  return input.kind === 'map' ? input.values.byteLength : input.image.data.byteLength;
}

/** The image without changes: what pools are described from. */
export function unaugmented(record: ImageRecord): ViewedImage {
  return { record, view: identityView };
}

function keyOf({ record, view }: ViewedImage): string {
  if (!isReusable(view)) return `${record.id}\n${JSON.stringify(view)}`;
  return view.flip ? `${record.id}\nflip` : record.id;
}
