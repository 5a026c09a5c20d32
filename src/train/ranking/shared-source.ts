/** @file A source whose images are shared out among the ranks: each describes and replays its own, and knows what came of all. */
import { InputError } from '../../errors.js';
import { append } from '../../extremes.js';
import type { ProcessGroup } from '../process-group.js';
import { shareWork } from '../share-work.js';
import type { DescribedImage, ImageSource, Sums, UnreadableImage } from './image-source.js';

type Outcome<T> = DescribedImage<T> | UnreadableImage<T>;

/** Of a pool, images that each rank describes before all of them are told: progress, and an early end. */
const imagesPerRound = 64;

export class SharedSource<T> implements ImageSource<T> {
  /** Rank that has described an image of the update: it has its input, and what else its replay needs. */
  private describer = new Map<T, number>();

  constructor(
    private readonly source: ImageSource<T>,
    private readonly group: ProcessGroup,
  ) {}

  describePool(items: readonly T[]): AsyncGenerator<Outcome<T>> {
    const { group, source } = this;
    return shareWork(items, (own) => source.describePool(own), { group, perRound: imagesPerRound });
  }

  describe(items: readonly T[]): AsyncGenerator<Outcome<T>> {
    const { group, source } = this;
    this.describer = new Map(items.map((item, i) => [item, i % group.size]));
    return shareWork(items, (own) => source.describe(own), { group });
  }

  async replay(items: readonly T[], upstreamOf: (item: T) => Float32Array, sums: Sums): Promise<UnreadableImage<T>[]> {
    const { group, source, describer } = this;
    if (group.ending.aborted) return [];
    const own = sharedOut(items, (item) => describer.get(item) ?? 0, group.size)[group.rank];
    const position = new Map(items.map((item, i) => [item, i]));
    const lost = await source.replay(own, upstreamOf, sums);
    const all = await group.gather(lost.map(({ item, error }) => ({ at: position.get(item)!, error: error.message })));
    return all.flat().map(({ at, error }) => ({ item: items[at], error: new InputError(error) }));
  }
}

/** Items by rank, at their own one unless that has more than its share. */
export function sharedOut<T>(items: readonly T[], rankOf: (item: T) => number, size: number): T[][] {
  const most = Math.ceil(items.length / size);
  const byRank = Array.from({ length: size }, (): T[] => []);
  const surplus: T[] = [];
  for (const item of items) {
    const own = byRank[rankOf(item)];
    if (own.length < most) own.push(item);
    else surplus.push(item);
  }
  for (const own of byRank) append(own, surplus.splice(0, Math.max(0, most - own.length)));
  return byRank;
}
