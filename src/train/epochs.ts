/** @file Which image comes next: every image once per epoch in a shuffled order, or a class and one of its images. */
import { InputError } from '../errors.js';
import type { LoopState } from './loop.js';
import { type RandomState, RandomStream } from './random.js';

/** Where a run is in its epoch: the stream before the order was drawn gives that order again. */
export interface EpochPosition {
  random: RandomState;
  /** Positions of the order that were taken. */
  drawn: number;
}

/** The loop's state of a trainer whose images come by epochs. Plain data, JSON-ready. */
export interface EpochState<Criterion extends string> extends LoopState<Criterion> {
  /** Fingerprint of the manifest: another one would have another order. */
  images: string;
  /** Natural sampling only. */
  epoch?: EpochPosition;
}

export interface EpochStart<Criterion extends string> {
  config: { seed: number };
  /** Where the stream of a new run stands, after the head was drawn from it. Default: at the seed. */
  random?: RandomState;
  resume?: { state: EpochState<Criterion> };
}

/** The state to go on from, a copy. Throws `InputError` where the run that is resumed had other images. */
export function beginEpochs<Criterion extends string>(
  images: string,
  { config, random, resume }: EpochStart<Criterion>,
): EpochState<Criterion> {
  if (resume !== undefined && resume.state.images !== images) {
    throw new InputError('The manifest is not the one that the run began with; resume it with its own manifest.');
  }
  if (resume !== undefined) return structuredClone(resume.state);
  return { step: 0, random: random ?? new RandomStream(config.seed).state(), unreadable: [], measuredStep: -1, images };
}

/** Draws positions in a list of images; `labels[i]` is the class of image i. */
export class ClassSampler {
  private epoch: EpochPosition | undefined;
  private order: number[] = [];
  private readonly members: number[][] = [];

  constructor(
    private readonly labels: Int32Array,
    private readonly sampling: 'natural' | 'balanced',
    epoch: EpochPosition | undefined,
  ) {
    for (const [i, label] of labels.entries()) (this.members[label] ??= []).push(i);
    if (epoch === undefined) return;
    this.order = new RandomStream(epoch.random).shuffle(labels.keys());
    this.epoch = { ...epoch };
  }

  /** Where the epoch stands; none with balanced sampling, or before the first image. */
  get position(): EpochPosition | undefined {
    return this.epoch && { ...this.epoch };
  }

  /** Position of the next image for which `usable` holds; undefined when there is none. */
  next(random: RandomStream, usable: (position: number) => boolean): number | undefined {
    return this.sampling === 'natural' ? this.nextOfEpoch(random, usable) : this.nextOfClass(random, usable);
  }

  private nextOfEpoch(random: RandomStream, usable: (position: number) => boolean): number | undefined {
    // The rest of this epoch and a whole one have every image.
    for (let passed = 0; passed < 2 * this.labels.length; passed++) {
      if (this.epoch === undefined || this.epoch.drawn >= this.order.length) {
        this.epoch = { random: random.state(), drawn: 0 };
        this.order = random.shuffle(this.labels.keys());
      }
      const position = this.order[this.epoch.drawn++];
      if (usable(position)) return position;
    }
    return undefined;
  }

  private nextOfClass(random: RandomStream, usable: (position: number) => boolean): number | undefined {
    for (let classes = this.members; classes.length > 0; ) {
      const members = classes[random.below(classes.length)];
      const position = members[random.below(members.length)];
      if (usable(position)) return position;
      // Rare: an image that cannot be read. Draw again among what is left.
      classes = this.members.map((all) => all.filter(usable)).filter((left) => left.length > 0);
    }
    return undefined;
  }
}
