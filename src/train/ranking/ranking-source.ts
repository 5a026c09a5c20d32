/**
 * @file Where an update gets its images: inputs of the trunk, described with the weights as they are, and again on a tape.
 *
 * Where regions are proposals, the first description finds them, and the second pools the very same cells: the weights have not
 * changed in between, and what is differentiated is what the loss was computed on.
 */
import { InputError } from '../../errors.js';
import type { RpnHead } from '../../rpn/head.js';
import { ImageInputs, type LoadedInput, type TrunkInput, type ViewedImage } from '../image-inputs.js';
import type { Draws } from '../../rpn/sampler.js';
import type { ReplaySource } from '../replay.js';
import type { TrainableModel } from '../trainable-model.js';
import { ProposalSource } from './proposal-source.js';

/** An image with the weights as they are. */
export interface Observed {
  /** [D] */
  descriptor: Float32Array;
  /** The same computation for a tape. With `own` its output is [1, D + 1]: the descriptor, then that loss. */
  replay: ReplaySource<TrunkInput>;
  /** Memory that `replay` holds. */
  bytes: number;
  /** A loss of the image alone, beside the ranking. */
  own?: OwnLoss;
}

/** The loss of the proposals of an image. */
export interface OwnLoss {
  /** False where there is nothing to learn from the image alone: it has no box. */
  learns: boolean;
  loss: number;
  objectness: number;
  boxes: number;
}

/** How images become descriptors: always in the same way, or in one that is found when an image is observed. */
export type Observing<T> =
  | ReplaySource<TrunkInput>
  | {
      /** Without an item, for its descriptor alone: there is no loss of its own. */
      observe(input: TrunkInput, item?: T): Promise<Observed>;
    };

/** Where images come from and how they become descriptors. */
export type RankingSource<T> = Observing<T> & { load(items: readonly T[]): AsyncIterable<LoadedInput<T>> };

/** A source of images as files. */
export type ImageSource = RankingSource<ViewedImage> & {
  /** Drops what later updates will not meet again. */
  forgetOnce(items: Iterable<ViewedImage>): void;
  /** Decodes the first of these in the background. */
  prefetch(items: readonly ViewedImage[]): void;
  /** Milliseconds spent waiting for images so far. */
  waitedMs(): number;
};

/** Describes an image with the weights as they are. */
export async function observe<T>(source: Observing<T>, input: TrunkInput, item?: T): Promise<Observed> {
  if ('observe' in source) return source.observe(input, item);
  const descriptor = source.describe(input);
  try {
    // A copy: the backend may own the memory it returns.
    return { descriptor: Float32Array.from(await descriptor.data<'float32'>()), replay: source, bytes: 0 };
  } finally {
    descriptor.dispose();
  }
}

export interface ImageSourceOptions {
  freeze: string;
  /** Longest side, px. */
  imageSize: number;
  cacheBytes: number;
  /** Needed where the model's regions are proposals, or these learn. */
  head?: RpnHead | undefined;
  /** Proposals learn too, from the boxes of the images; anchors are drawn from this. */
  anchors?: Draws | undefined;
}

/** The source for a model's own regions. */
export function imageSource(model: TrainableModel, options: ImageSourceOptions): ImageSource {
  const { head, anchors, ...settings } = options;
  const inputs = new ImageInputs(model, settings);
  const files = {
    load: (items: readonly ViewedImage[]) => inputs.load(items),
    forgetOnce: (items: Iterable<ViewedImage>) => inputs.forgetOnce(items),
    prefetch: (items: readonly ViewedImage[]) => void inputs.prefetch(items),
    waitedMs: () => inputs.waitedMs,
  };
  if (model.meta.regions === undefined && anchors === undefined) {
    return { ...files, describe: inputs.describe.bind(inputs), inBlocks: inputs.inBlocks.bind(inputs) };
  }
  if (head === undefined) throw new InputError('The model has no region proposals; train them with rmac train rpn.');
  const source = new ProposalSource(model, inputs, { ...settings, head, anchors });
  return { ...files, observe: (input, item) => source.observe(input, item) };
}
