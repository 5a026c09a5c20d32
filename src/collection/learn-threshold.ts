/**
 * @file When a query is not in the collection: learned from the collection itself. A photograph of it whose nearest shows its object stands for
 * a query that is answered rightly; without its object, it stands for a query about what is not there. Of how many photographs of an object the
 * similarity is asked for is learned, too.
 */
import { evenly } from '../data/evenly.js';
import { InputError } from '../errors.js';
import type { CollectionRecord } from './collection-record.js';
import { meanOfFirst, objectSimilarities } from './evidence.js';
import type { CollectionStore } from './vector-store.js';
import type { LearnedThreshold } from './index-folder.js';

/** Share of the right answers that are given. */
const keptShare = 0.95;
/** Share of the distractors that may be answered. */
const answeredShare = 0.1;
/** Photographs that are looked at: about a second's worth, within these bounds. */
const sampleBounds = { least: 100, most: 1000, multiplyAdds: 5e9 };
/** Fewer photographs with another of their object, or with one of another, say nothing about a share of 0.05. */
const leastPhotographs = 40;
/** Neighbours of a photograph that are looked through for one of another object. */
const mostNeighbours = 256;

/** Photographs of an object whose mean similarity may be asked for. */
const photographCounts = [1, 2, 3, 5, 10];

/** The similarity that 95 % of what is in the collection reaches, or why there is none to be learned. */
export async function learnThreshold(store: CollectionStore, signal?: AbortSignal): Promise<LearnedThreshold> {
  const { least, most, multiplyAdds } = sampleBounds;
  const wanted = Math.min(most, Math.max(least, Math.floor(multiplyAdds / (store.size * store.dimension))));
  // Where not all have an object, more are looked at.
  const sample = evenly(store.ids(), 4 * wanted).flatMap((id) => {
    const record = store.record(id);
    return record?.object === undefined ? [] : [record];
  });
  const there: number[][] = [];
  const gone: number[][] = [];
  for (const record of evenly(sample, wanted)) {
    if (signal?.aborted)
      throw new InputError('Interrupted before the threshold was learned; run the same command again.');
    const nearest = await nearestWithAndWithout(store, record);
    if (nearest.there !== undefined) there.push(nearest.there);
    if (nearest.gone !== undefined) gone.push(nearest.gone);
  }
  if (there.length < leastPhotographs || gone.length < leastPhotographs) {
    return {
      how: `${there.length} photographs whose nearest shows their object and ${gone.length} with one of another are too few to tell (${leastPhotographs} of each)`,
    };
  }
  const choices = photographCounts.map((photographs) => {
    const reached = there.map((similarities) => meanOfFirst(similarities, photographs)).toSorted((a, b) => a - b);
    const similarity = reached[Math.floor((1 - keptShare) * there.length)];
    const answered = gone.filter((similarities) => meanOfFirst(similarities, photographs) >= similarity).length;
    return { photographs, similarity, answered: answered / gone.length };
  });
  const { photographs, similarity, answered } = choices.toSorted((x, y) => x.answered - y.answered)[0];
  const compared = photographs === 1 ? 'it' : `its ${photographs} nearest photographs, in the mean`;
  return {
    similarity,
    photographs,
    how: `${percent(keptShare)} of ${there.length} photographs whose nearest shows their object are as similar to ${compared}; without their object, ${percent(answered)} of ${gone.length} are to another, as queries about something else would be`,
  };
}

/** The similarity that 90 % of photographs of other things do not reach. `vectors`: of those. */
export async function learnFromDistractors(
  store: CollectionStore,
  vectors: AsyncIterable<Float32Array>,
): Promise<LearnedThreshold> {
  const best: number[] = [];
  for await (const vector of vectors) {
    for (const { similarity } of await store.search(vector, { count: 1 })) best.push(similarity);
  }
  if (best.length < leastPhotographs) {
    return { how: `${best.length} distractors are too few to tell (${leastPhotographs})` };
  }
  const similarity = best.toSorted((a, b) => a - b)[Math.ceil((1 - answeredShare) * best.length)];
  return {
    similarity,
    how: `${percent(answeredShare)} of ${best.length} distractors are as similar to something in the collection`,
  };
}

/**
 * Similarities of a photograph to the object of its nearest, where that is its own, and to the one of the nearest of another object
 * (`objectSimilarities`). Copies of its file do not count.
 */
async function nearestWithAndWithout(
  store: CollectionStore,
  photograph: CollectionRecord,
): Promise<{ there: number[] | undefined; gone: number[] | undefined }> {
  const { id, object, sha256, columns } = photograph;
  const { data: query } = await store.vectors([id]);
  const similarities = async (nearest: { id: string; similarity: number } | undefined) =>
    nearest && objectSimilarities(store, query, nearest, photograph);
  for (let count = 32; ; count *= 8) {
    const found = (await store.search(query, { count }))
      .map((each) => ({ ...each, record: store.record(each.id)! }))
      .filter(({ record }) => record.sha256 !== sha256);
    const [first] = found;
    const isRight = first !== undefined && first.record.object === object;
    const other = found.find(
      ({ record: each }) =>
        each.object !== undefined && each.object !== object && !mayShowTheSame(each.columns, columns),
    );
    if (other !== undefined || count >= Math.min(store.size, mostNeighbours)) {
      return { there: await similarities(isRight ? first : undefined), gone: await similarities(other) };
    }
  }
}

/** Photographs of one group of a manifest may show the same thing, whatever their labels. */
function mayShowTheSame(a: CollectionRecord['columns'], b: CollectionRecord['columns']): boolean {
  return a.group !== undefined && a.group === b.group;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
