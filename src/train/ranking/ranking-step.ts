/**
 * @file The gradient of one update's ranking loss with one image in memory at a time.
 *
 * 1. Every distinct image is described once, without a tape.
 * 2. Loss and dL/d(descriptor) on small matrices; an image's share is the sum over all terms it is in.
 * 3. Every image with a share is described again on a tape, against its share alone, and the weights' gradients add up.
 *
 * Images of one shape run in one native call, one after the other.
 *
 * By the chain rule that is the gradient of the whole loss, exactly; images without a share cost no backward pass, and one
 * in five terms costs one. That is also how Revaud et al. 2019 (section 3.3) train with lists of thousands of images.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { runsOverExamples } from '../../backend/index.js';
import type { InputError } from '../../errors.js';
import type { GradientAccumulator } from '../gradients.js';
import type { LoadedInput, TrunkInput } from '../image-inputs.js';
import { NotFiniteError } from '../not-finite.js';
import type { RankingBatch } from './ranking-batches.js';
import { observe, type Observed, type OwnLoss, type RankingSource } from './ranking-source.js';
import { replay, replayInBlocks, type ReplaySource } from '../replay.js';
import { describeTogether, groupedByForm, replayTogether } from '../together.js';
import { append } from '../../extremes.js';

/** Bytes that images keep from their description for their replay, at most; the others are described once more. */
const maxKeptBytes = 2 ** 28;

export interface RankingStep<T> {
  /** Mean loss of the terms, before the update; undefined when no term could be computed. */
  loss: number | undefined;
  /** Terms whose images could all be read, and those with a loss. */
  terms: number;
  active: number;
  /** Images described, and those replayed. */
  described: number;
  replayed: number;
  unreadable: { item: T; error: InputError }[];
  /** Means of the images' own losses, over those that have one to learn from; undefined where none has. */
  own: Omit<OwnLoss, 'learns'> | undefined;
}

/**
 * Adds the gradient of the mean or the sum of the batch's losses, by variable name, to `accumulator`. Images are told apart by identity. Throws
 * `NotFiniteError` naming the image when a descriptor is not finite.
 */
export async function rankingStep<T>(
  batch: RankingBatch<T>,
  source: RankingSource<T>,
  {
    variables,
    accumulator,
    nameOf,
    recomputeActivations = false,
    onDescribed,
    ownWeight = 0,
    reduction = 'mean',
  }: {
    variables: ReadonlyMap<string, tf.Variable>;
    accumulator: GradientAccumulator;
    /** How an image is called in an error. */
    nameOf: (item: T) => string;
    /** Replay in blocks: the same gradient in less memory, for one more forward pass. */
    recomputeActivations?: boolean;
    /** Called before the second pass. */
    onDescribed?: () => void;
    /** Weight of the mean of the images' own losses beside the ranking's. */
    ownWeight?: number;
    /** What the terms' gradients are combined to. */
    reduction?: 'mean' | 'sum';
  },
): Promise<RankingStep<T>> {
  const descriptors = new Map<T, Float32Array>();
  const replays = new Map<T, ReplaySource<TrunkInput>>();
  const ownLosses = new Map<T, OwnLoss>();
  let keptBytes = 0;
  const unreadable: { item: T; error: InputError }[] = [];
  const nothing = { own: undefined, loss: undefined, terms: 0, active: 0, replayed: 0, unreadable };
  const examples = 'observe' in source || !runsOverExamples() ? undefined : source.examples;
  /** Groups to be run together: of one image where that is all that can be done. */
  const groups = (items: AsyncIterable<Loaded<T>>): AsyncIterable<Loaded<T>[]> =>
    examples === undefined ? alone(items) : groupedByForm(examples, items);
  const keep = ({ item }: Loaded<T>, { descriptor, own }: Pick<Observed, 'descriptor' | 'own'>) => {
    if (!descriptor.every(Number.isFinite)) {
      throw new NotFiniteError(`the descriptor of ${nameOf(item)} has NaN or infinite values`);
    }
    if (own !== undefined && !Number.isFinite(own.loss)) {
      throw new NotFiniteError(`the proposals' loss of ${nameOf(item)} is ${own.loss}`);
    }
    descriptors.set(item, descriptor);
    if (own !== undefined) ownLosses.set(item, own);
  };

  for await (const group of groups(readable(source.load([...new Set(batch.images)]), unreadable))) {
    if (examples !== undefined) {
      const rows = await describeTogether(
        examples,
        group.map(({ input }) => input),
      );
      group.forEach((loaded, i) => keep(loaded, { descriptor: rows[i] }));
      continue;
    }
    const [loaded] = group;
    const observed = await observe(source, loaded.input, loaded.item);
    keep(loaded, observed);
    if (keptBytes + observed.bytes <= maxKeptBytes) {
      replays.set(loaded.item, observed.replay);
      keptBytes += observed.bytes;
    }
  }
  onDescribed?.();
  const evaluated = await batch.evaluate(descriptors);
  if (evaluated === undefined) return { ...nothing, described: descriptors.size };
  const { loss, terms, active, shares } = evaluated;
  if (reduction === 'sum') for (const share of shares.values()) share.forEach((value, i) => (share[i] = terms * value));

  const learning = [...ownLosses].filter(([, { learns }]) => learns);
  const replayed = new Set([...shares.keys(), ...learning.map(([item]) => item)]);
  const upstreamOf = ({ item }: Loaded<T>) => {
    const share = shares.get(item) ?? new Float32Array((descriptors.get(item) as Float32Array).length);
    const own = ownLosses.get(item);
    return own === undefined ? share : Float32Array.from([...share, own.learns ? ownWeight / learning.length : 0]);
  };
  const lost: { item: T; error: InputError }[] = [];
  const options = { variables, accumulator };
  const replayAlone = recomputeActivations ? replayInBlocks : replay;
  const replayable = readable(source.load([...replayed]), lost);
  for await (const group of recomputeActivations ? alone(replayable) : groups(replayable)) {
    if (lost.length > 0) break;
    if (examples !== undefined && !recomputeActivations) {
      const upstreams = group.map(upstreamOf);
      await replayTogether(
        examples,
        group.map(({ input }) => input),
        { ...options, upstreams },
      );
      continue;
    }
    const [loaded] = group;
    const again = replays.get(loaded.item) ?? (await observe(source, loaded.input, loaded.item)).replay;
    await replayAlone(again, loaded.input, { ...options, upstream: upstreamOf(loaded) });
  }
  if (lost.length > 0) {
    // They were readable a moment ago. Without them the gradient would be of another loss: start over.
    accumulator.reset();
    append(unreadable, lost);
    return { ...nothing, described: descriptors.size };
  }
  return {
    loss,
    terms,
    active,
    described: descriptors.size,
    replayed: replayed.size,
    unreadable,
    own: meanOf(learning.map(([, own]) => own)),
  };
}

function meanOf(losses: readonly OwnLoss[]): RankingStep<unknown>['own'] {
  if (losses.length === 0) return undefined;
  const mean = (value: (own: OwnLoss) => number) => losses.reduce((sum, own) => sum + value(own), 0) / losses.length;
  return {
    loss: mean(({ loss }) => loss),
    objectness: mean(({ objectness }) => objectness),
    boxes: mean(({ boxes }) => boxes),
  };
}

interface Loaded<T> {
  item: T;
  input: TrunkInput;
}

/** Those that could be read; the others go to `unreadable`. */
async function* readable<T>(
  items: AsyncIterable<LoadedInput<T>>,
  unreadable: { item: T; error: InputError }[],
): AsyncGenerator<Loaded<T>> {
  for await (const loaded of items) {
    if ('error' in loaded) unreadable.push(loaded);
    else yield loaded;
  }
}

async function* alone<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  for await (const item of items) yield [item];
}
