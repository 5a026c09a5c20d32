/** @file Which image comes next: every image once per epoch in a shuffled order, or a class and one of its images. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { randomStateSchema } from '../run/checkpoint.js';
import { alone, type ProcessGroup } from './process-group.js';
import { type RandomState, RandomStream } from './random.js';

/** Where a run is in its epoch: the stream before the order was drawn gives that order again. */
export interface EpochPosition {
  random: RandomState;
  /** Positions of the order that were taken. */
  drawn: number;
}

const stateSchema = z.strictObject({
  /** Fingerprint of the manifest: another one would have another order. */
  images: z.string(),
  /** Natural sampling only. */
  epoch: z.strictObject({ random: randomStateSchema, drawn: z.int().min(0) }).optional(),
});

/** Own state of a trainer whose images come by epochs. */
export function epochState(images: string, { position }: ClassSampler): z.output<typeof stateSchema> {
  return { images, ...(position && { epoch: position }) };
}

/** What was stored of an epoch of these images. Throws `InputError` where the run had other ones. */
export function readEpochState(stored: unknown, images: string): EpochPosition | undefined {
  const state = stateSchema.parse(stored);
  if (state.images === images) return state.epoch;
  throw new InputError('The manifest is not the one that the run began with; resume it with its own manifest.');
}

/**
 * This rank's share of `count` readable images: those that `draw` gives, others in the place of any that cannot be read (these go to
 * `unreadable`, on every rank). Fewer when `signal` ends it. Throws `InputError` with the first image's error when none is left.
 */
export async function* readableImages<Draw, Loaded extends { id: string }>(
  count: number,
  {
    draw,
    load,
    unreadable,
    signal,
    group = alone,
    problem,
  }: {
    draw: (count: number) => Draw[];
    /** In order, each with its image's id. */
    load: (draws: Draw[]) => AsyncIterable<Loaded | { id: string; error: InputError }>;
    unreadable: Set<string>;
    signal: AbortSignal;
    group?: ProcessGroup;
    /** What is said when no image is left. */
    problem: string;
  },
): AsyncGenerator<Loaded> {
  let firstError: string | undefined;
  for (let missing = count; missing > 0; ) {
    const draws = draw(missing);
    if (draws.length === 0) throw new InputError(`${problem}${firstError === undefined ? '' : `: ${firstError}`}`);
    const lost: { id: string; error: string }[] = [];
    for await (const loaded of load(group.shareOf(draws))) {
      if (group.asked.aborted || signal.aborted) break;
      if ('error' in loaded) lost.push({ id: loaded.id, error: loaded.error.message });
      else yield loaded;
    }
    const all = (await group.gather(lost)).flat();
    if (signal.aborted) return;
    for (const { id, error } of all) {
      firstError ??= error;
      unreadable.add(id);
    }
    missing = all.length + (missing - draws.length);
  }
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
