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
import type * as tf from '@tensorflow/tfjs';
import { runsOverExamples } from '../../backend/index.js';
import type { InputError } from '../../errors.js';
import type { GradientAccumulator } from '../gradients.js';
import type { LoadedInput, TrunkInput } from '../image-inputs.js';
import { NotFiniteError } from '../not-finite.js';
import { replay, replayInBlocks, type ReplaySource } from '../replay.js';
import { describeTogether, groupedByForm, replayTogether } from '../together.js';
import type { RankingBatch } from './ranking-batches.js';
import { observe, type RankingSource } from './ranking-source.js';

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
}

/**
 * Adds the gradient of the batch's mean loss, by variable name, to `accumulator`. Images are told apart by identity. Throws
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
  }: {
    variables: ReadonlyMap<string, tf.Variable>;
    accumulator: GradientAccumulator;
    /** How an image is called in an error. */
    nameOf: (item: T) => string;
    /** Replay in blocks: the same gradient in less memory, for one more forward pass. */
    recomputeActivations?: boolean;
  },
): Promise<RankingStep<T>> {
  const descriptors = new Map<T, Float32Array>();
  const replays = new Map<T, ReplaySource<TrunkInput>>();
  let keptBytes = 0;
  const unreadable: { item: T; error: InputError }[] = [];
  const nothing = { loss: undefined, terms: 0, active: 0, replayed: 0, unreadable };
  const examples = runsOverExamples() && 'examples' in source ? source.examples : undefined;
  /** Groups to be run together: of one image where that is all that can be done. */
  const groups = (items: AsyncIterable<Loaded<T>>): AsyncIterable<Loaded<T>[]> =>
    examples === undefined ? alone(items) : groupedByForm(examples, items);
  const observeAlone = async ({ item, input }: Loaded<T>): Promise<Float32Array> => {
    const observed = await observe(source, input);
    if (keptBytes + observed.bytes <= maxKeptBytes) {
      replays.set(item, observed.replay);
      keptBytes += observed.bytes;
    }
    return observed.descriptor;
  };

  for await (const group of groups(readable(source.load([...new Set(batch.images)]), unreadable))) {
    const inputs = group.map(({ input }) => input);
    const rows = examples === undefined ? [await observeAlone(group[0])] : await describeTogether(examples, inputs);
    group.forEach(({ item }, i) => {
      if (!rows[i].every(Number.isFinite)) {
        throw new NotFiniteError(`the descriptor of ${nameOf(item)} has NaN or infinite values`);
      }
      descriptors.set(item, rows[i]);
    });
  }
  const evaluated = await batch.evaluate(descriptors);
  if (evaluated === undefined) return { ...nothing, described: descriptors.size };
  const { loss, terms, active, shares } = evaluated;

  const lost: { item: T; error: InputError }[] = [];
  const shareOf = ({ item }: Loaded<T>) => shares.get(item) as Float32Array;
  const options = { variables, accumulator };
  const replayAlone = recomputeActivations ? replayInBlocks : replay;
  const replayable = readable(source.load([...shares.keys()]), lost);
  for await (const group of recomputeActivations ? alone(replayable) : groups(replayable)) {
    if (lost.length > 0) break;
    const inputs = group.map(({ input }) => input);
    if (examples !== undefined && !recomputeActivations) {
      await replayTogether(examples, inputs, { ...options, upstreams: group.map(shareOf) });
      continue;
    }
    const [first] = group;
    const again =
      replays.get(first.item) ?? ('observe' in source ? (await source.observe(first.input)).replay : source);
    await replayAlone(again, first.input, { ...options, upstream: shareOf(first) });
  }
  if (lost.length > 0) {
    // They were readable a moment ago. Without them the gradient would be of another loss: start over.
    accumulator.reset();
    unreadable.push(...lost);
    return { ...nothing, described: descriptors.size };
  }
  return { loss, terms, active, described: descriptors.size, replayed: shares.size, unreadable };
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
