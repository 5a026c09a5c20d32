/**
 * @file The gradient of one update's triplets with one image in memory at a time.
 *
 * 1. Every distinct image is described once, without a tape.
 * 2. Loss and dL/d(descriptor) on small matrices; an image's share is the sum over the triplets it is in.
 * 3. Every image with a share is described again on a tape, against its share alone, and the weights' gradients add up.
 *
 * By the chain rule that is the gradient of the mean loss over all triplets, exactly; triplets that already hold the margin cost no
 * backward pass, and an image in five triplets costs one.
 */
import * as tf from '@tensorflow/tfjs';
import type { InputError } from '../errors.js';
import { tripletLoss } from '../losses/triplet.js';
import type { GradientAccumulator } from './gradients.js';
import type { LoadedInput, TrunkInput } from './image-inputs.js';
import { NotFiniteError } from './not-finite.js';
import { replay, replayInBlocks, type ReplaySource } from './replay.js';

export { NotFiniteError };

/** Query, positive, negative. */
export type Triplet<T> = readonly [query: T, positive: T, negative: T];

/** Where images come from and how they become descriptors. */
export interface TripletSource<T> extends ReplaySource<TrunkInput> {
  load(items: readonly T[]): AsyncIterable<LoadedInput<T>>;
}

export interface TripletStep<T> {
  /** Mean loss of the triplets, before the update; undefined when none could be read. */
  loss: number | undefined;
  /** Triplets whose images could all be read. */
  triplets: number;
  /** Those with a loss. */
  active: number;
  /** Images described, and those replayed. */
  described: number;
  replayed: number;
  unreadable: { item: T; error: InputError }[];
}

/**
 * Adds the gradient of the mean triplet loss, by variable name, to `accumulator`. Images are told apart by identity. Throws
 * `NotFiniteError` naming the image when a descriptor is not finite.
 */
export async function tripletStep<T>(
  triplets: readonly Triplet<T>[],
  source: TripletSource<T>,
  {
    variables,
    accumulator,
    margin,
    nameOf,
    recomputeActivations = false,
  }: {
    variables: ReadonlyMap<string, tf.Variable>;
    accumulator: GradientAccumulator;
    margin: number;
    /** How an image is called in an error. */
    nameOf: (item: T) => string;
    /** Replay in blocks: the same gradient in less memory, for one more forward pass. */
    recomputeActivations?: boolean;
  },
): Promise<TripletStep<T>> {
  const descriptors = new Map<T, Float32Array>();
  const unreadable: { item: T; error: InputError }[] = [];
  for await (const loaded of source.load([...new Set(triplets.flat())])) {
    if ('error' in loaded) {
      unreadable.push(loaded);
      continue;
    }
    const descriptor = source.describe(loaded.input);
    const values = Float32Array.from(await descriptor.data<'float32'>());
    descriptor.dispose();
    if (!values.every(Number.isFinite)) {
      throw new NotFiniteError(`the descriptor of ${nameOf(loaded.item)} has NaN or infinite values`);
    }
    descriptors.set(loaded.item, values);
  }
  const readable = triplets.filter((triplet) => triplet.every((item) => descriptors.has(item)));
  if (readable.length === 0) {
    return { loss: undefined, triplets: 0, active: 0, described: descriptors.size, replayed: 0, unreadable };
  }
  const { loss, active, shares } = await lossAndShares(readable, descriptors, margin);

  const replayOne = recomputeActivations ? replayInBlocks : replay;
  for await (const loaded of source.load([...shares.keys()])) {
    if ('error' in loaded) {
      // It was readable a moment ago. Without it the gradient would be of another loss: start over.
      accumulator.reset();
      unreadable.push(loaded);
      return { loss: undefined, triplets: 0, active: 0, described: descriptors.size, replayed: 0, unreadable };
    }
    const share = shares.get(loaded.item) as Float32Array;
    await replayOne(source, loaded.input, { upstream: share, variables, accumulator });
  }
  return { loss, triplets: readable.length, active, described: descriptors.size, replayed: shares.size, unreadable };
}

/** Mean loss, triplets with a loss, and dL/d(descriptor) of every image that has one. */
async function lossAndShares<T>(
  triplets: readonly Triplet<T>[],
  descriptors: ReadonlyMap<T, Float32Array>,
  margin: number,
): Promise<{ loss: number; active: number; shares: Map<T, Float32Array> }> {
  const dimension = (descriptors.values().next().value as Float32Array).length;
  const rows = [0, 1, 2].map((role) => {
    const values = new Float32Array(triplets.length * dimension);
    triplets.forEach((triplet, i) => values.set(descriptors.get(triplet[role]) as Float32Array, i * dimension));
    return values;
  });
  const { value, grads } = tf.tidy(() =>
    tf.valueAndGrads((query, positive, negative) =>
      tripletLoss(query as tf.Tensor2D, positive as tf.Tensor2D, negative as tf.Tensor2D, { margin }),
    )(rows.map((values) => tf.tensor2d(values, [triplets.length, dimension]))),
  );
  const [loss] = await value.data();
  const gradients: Float32Array[] = [];
  for (const gradient of grads) gradients.push(await gradient.data<'float32'>());
  tf.dispose([value, ...grads]);

  let active = 0;
  const shares = new Map<T, Float32Array>();
  triplets.forEach((triplet, i) => {
    const parts = gradients.map((gradient) => gradient.subarray(i * dimension, (i + 1) * dimension));
    if (parts.every((part) => part.every((v) => v === 0))) return; // the margin holds
    active++;
    triplet.forEach((item, role) => {
      const share = shares.get(item) ?? new Float32Array(dimension);
      for (let d = 0; d < dimension; d++) share[d] += parts[role][d];
      shares.set(item, share);
    });
  });
  return { loss, active, shares };
}
