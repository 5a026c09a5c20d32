/**
 * @file When a query is not in the collection: learned from the collection itself. A photograph of it stands for a query about what is there
 * by its similarity to the others of its object, and for one about what is not there by its similarity to all other objects.
 */
import { evenly } from '../data/evenly.js';
import type { CollectionRecord } from './collection-record.js';
import type { EmbeddedStore } from './embedded-store.js';
import type { IndexHead } from './index-folder.js';

/** Share of the queries about what is there that are answered. */
const keptShare = 0.95;
/** Photographs that are looked at: about a second's worth, within these bounds. */
const sampleBounds = { least: 100, most: 1000, multiplyAdds: 5e9 };
/** Fewer photographs with another of their object, or with one of another, say nothing about a share of 0.05. */
const leastPhotographs = 40;
/** Neighbours of a photograph that are looked through for one of its object and one of another. */
const mostNeighbours = 1024;

export type LearnedThreshold = Omit<NonNullable<IndexHead['threshold']>, 'state'>;

/** The similarity that 95 % of what is in the collection reaches, or why there is none to be learned. */
export async function learnThreshold(store: EmbeddedStore, signal?: AbortSignal): Promise<LearnedThreshold> {
  const { least, most, multiplyAdds } = sampleBounds;
  const wanted = Math.min(most, Math.max(least, Math.floor(multiplyAdds / (store.size * store.dimension))));
  const own: number[] = [];
  const others: number[] = [];
  // Where not all have an object, more are looked at.
  const sample = evenly(store.ids(), 4 * wanted).map((id) => store.record(id)!);
  for (const record of evenly(
    sample.filter(({ object }) => object !== undefined),
    wanted,
  )) {
    const nearest = await nearestOfBoth(store, record, signal);
    if (nearest.own !== undefined) own.push(nearest.own);
    if (nearest.other !== undefined) others.push(nearest.other);
  }
  if (own.length < leastPhotographs || others.length < leastPhotographs) {
    return {
      how: `none: ${own.length} photographs with another of their object and ${others.length} with one of another are too few to tell (${leastPhotographs} of each)`,
    };
  }
  const similarity = own.toSorted((a, b) => a - b)[Math.floor((1 - keptShare) * own.length)];
  const answered = others.filter((each) => each >= similarity).length / others.length;
  return {
    similarity,
    how: `${percent(keptShare)} of ${own.length} photographs are as similar to another of their object; ${percent(answered)} of ${others.length} are to one of another object, as a query about something else would be`,
  };
}

/** Similarity of a photograph to the nearest other one of its object and to the nearest of another; copies of its file are no other. */
async function nearestOfBoth(
  store: EmbeddedStore,
  { id, object, sha256 }: CollectionRecord,
  signal?: AbortSignal,
): Promise<{ own: number | undefined; other: number | undefined }> {
  const { data: query } = await store.vectors([id]);
  for (let count = 32; ; count *= 32) {
    const found = (await store.search(query, { count, signal })).map((each) => ({
      ...each,
      ...store.record(each.id)!,
    }));
    const own = found.find((each) => each.object === object && each.sha256 !== sha256)?.similarity;
    const other = found.find((each) => each.object !== undefined && each.object !== object)?.similarity;
    if ((own !== undefined && other !== undefined) || count >= Math.min(store.size, mostNeighbours))
      return { own, other };
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
