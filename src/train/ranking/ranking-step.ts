/**
 * @file The gradient of one update's ranking loss with one image in memory at a time.
 *
 * 1. Every distinct image is described once, without a tape.
 * 2. Loss and dL/d(descriptor) on small matrices; an image's share is the sum over all terms it is in.
 * 3. Every image with a share is described again on a tape, against its share alone, and the weights' gradients add up.
 *
 * By the chain rule that is the gradient of the whole loss, exactly; images without a share cost no backward pass, and one
 * in five terms costs one. That is also how Revaud et al. 2019 (section 3.3) train with lists of thousands of images.
 */
import type { InputError } from '../../errors.js';
import { append } from '../../extremes.js';
import { NotFiniteError } from '../not-finite.js';
import type { DescribedImage, ImageSource, OwnLoss, Sums } from './image-source.js';
import type { RankingBatch } from './ranking-batches.js';

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

export interface RankingStepOptions<T> extends Sums {
  /** How an image is called in an error. */
  nameOf: (item: T) => string;
  /** Called before the second pass. */
  onDescribed?: () => void;
  /** Weight of the mean of the images' own losses beside the ranking's. */
  ownWeight?: number;
  /** What the terms' gradients are combined to. */
  reduction?: 'mean' | 'sum';
}

/**
 * Adds the gradient of the mean or the sum of the batch's losses, by variable name, to `accumulator`. Images are told apart by
 * identity. Throws `NotFiniteError` naming the image when a descriptor is not finite.
 */
export async function rankingStep<T>(
  batch: RankingBatch<T>,
  source: ImageSource<T>,
  { nameOf, onDescribed, ownWeight = 0, reduction = 'mean', ...sums }: RankingStepOptions<T>,
): Promise<RankingStep<T>> {
  const images = [...new Set(batch.images)];
  const unreadable: { item: T; error: InputError }[] = [];
  const described = new Map<T, DescribedImage<T>>();
  for await (const image of source.describe(images)) {
    if ('error' in image) unreadable.push(image);
    else described.set(image.item, assertFinite(image, nameOf, images));
  }
  onDescribed?.();

  const descriptors = new Map([...described].map(([item, { descriptor }]) => [item, descriptor]));
  const evaluated = await batch.evaluate(descriptors);
  const nothing = { own: undefined, loss: undefined, terms: 0, active: 0, replayed: 0, unreadable };
  if (evaluated === undefined) return { ...nothing, described: described.size };
  const { loss, terms, active, shares } = evaluated;
  if (reduction === 'sum') for (const share of shares.values()) share.forEach((value, i) => (share[i] = terms * value));

  const learning = [...described.values()].filter(({ own }) => own?.learns === true);
  const replayed = new Set([...shares.keys(), ...learning.map(({ item }) => item)]);
  const upstreamOf = (item: T) => {
    const { descriptor, own } = described.get(item) as DescribedImage<T>;
    const share = shares.get(item) ?? new Float32Array(descriptor.length);
    return own === undefined ? share : Float32Array.from([...share, own.learns ? ownWeight / learning.length : 0]);
  };
  const lost = await source.replay([...replayed], upstreamOf, sums);
  if (lost.length > 0) {
    // They were readable a moment ago. Without them the gradient would be of another loss: start over.
    sums.accumulator.reset();
    append(unreadable, lost);
    return { ...nothing, described: described.size };
  }
  return {
    loss,
    terms,
    active,
    described: described.size,
    replayed: replayed.size,
    unreadable,
    own: meanOwnLoss(learning.map(({ own }) => own as OwnLoss)),
  };
}

function assertFinite<T>(
  image: DescribedImage<T>,
  nameOf: (item: T) => string,
  images: readonly T[],
): DescribedImage<T> {
  const { item, descriptor, own } = image;
  if (!descriptor.every(Number.isFinite)) {
    throw new NotFiniteError(`the descriptor of ${nameOf(item)} has NaN or infinite values`, images.map(nameOf));
  }
  if (own !== undefined && !Number.isFinite(own.loss)) {
    throw new NotFiniteError(`the proposals' loss of ${nameOf(item)} is ${own.loss}`, images.map(nameOf));
  }
  return image;
}

function meanOwnLoss(losses: readonly OwnLoss[]): RankingStep<unknown>['own'] {
  if (losses.length === 0) return undefined;
  const mean = (value: (own: OwnLoss) => number) => losses.reduce((sum, own) => sum + value(own), 0) / losses.length;
  return {
    loss: mean(({ loss }) => loss),
    objectness: mean(({ objectness }) => objectness),
    boxes: mean(({ boxes }) => boxes),
  };
}
