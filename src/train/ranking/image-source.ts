/**
 * @file What an update's step asks of its images: descriptors with the weights as they are, and the gradient through these. How
 * images are grouped, which regions are pooled, and in how much memory, is the source's own affair (direct-source.ts,
 * proposal-source.ts).
 */
import type { InputError } from '../../errors.js';
import type { LoadedInput, TrunkInput } from '../image-inputs.js';
import type { ReplayOptions } from '../replay.js';

export interface UnreadableImage<T> {
  item: T;
  error: InputError;
}

export interface DescribedImage<T> {
  item: T;
  /** [D] */
  descriptor: Float32Array;
  /** A loss of the image alone, beside the ranking. */
  own?: OwnLoss | undefined;
}

/** The loss of the proposals of an image. */
export interface OwnLoss {
  /** False where there is nothing to learn from the image alone: it has no box. */
  learns: boolean;
  loss: number;
  objectness: number;
  boxes: number;
}

export type Sums = Omit<ReplayOptions, 'upstream'>;

export interface ImageSource<T> {
  /** Images of a pool, in order: their descriptors alone. */
  describePool(items: readonly T[]): AsyncIterable<DescribedImage<T> | UnreadableImage<T>>;
  /** Images of an update, in any order. */
  describe(items: readonly T[]): AsyncIterable<DescribedImage<T> | UnreadableImage<T>>;
  /**
   * Adds the gradients of images that were described for this update. `upstreamOf`: dL/d(descriptor), [D]; with a loss of its own
   * [D + 1], dL by that loss last. Ends at images that cannot be read any more, and returns them.
   */
  replay(items: readonly T[], upstreamOf: (item: T) => Float32Array, sums: Sums): Promise<UnreadableImage<T>[]>;
}

/** What a source reads its images from. */
export interface InputLoader<T> {
  /** In order; an image that cannot be used comes as its error. */
  load(items: readonly T[]): AsyncIterable<LoadedInput<T>>;
}

export interface ReadableInput<T> {
  item: T;
  input: TrunkInput;
}

/** Those that could be read; the others go to `unreadable`. */
export async function* readableInputs<T>(
  items: AsyncIterable<LoadedInput<T>>,
  unreadable: UnreadableImage<T>[],
): AsyncGenerator<ReadableInput<T>> {
  for await (const loaded of items) {
    if ('error' in loaded) unreadable.push(loaded);
    else yield loaded;
  }
}
