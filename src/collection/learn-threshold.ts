/**
 * @file When a query is not in the collection: learned from the collection itself. A photograph of it whose nearest shows its object stands for
 * a query that is answered rightly; without its object, it stands for a query about what is not there.
 */
import { evenly } from '../data/evenly.js';
import { InputError } from '../errors.js';
import type { CollectionRecord } from './collection-record.js';
import { type Evidence, evidenceOf, firstNeighbours, severalPhotographs, showAnother, type Shown } from './evidence.js';
import { type KnownEvidence, type LearnedEvidence, learnPresence, reachedBy } from './learn-presence.js';
import type { CollectionStore, StoredNeighbour } from './vector-store.js';
import type { LearnedThreshold } from './index-folder.js';

/** Share of the right answers that are given. */
const keptShare = 0.95;
/** Share of the distractors that may be answered. */
const answeredShare = 0.1;
/** Photographs that are looked at: about a second's worth, within these bounds. */
const sampleBounds = { least: 100, most: 1000, multiplyAdds: 5e9 };
/** Fewer photographs with another of their object, or with one of another, say nothing about a share of 0.05. */
const leastPhotographs = 40;

/** What is there says of 95 % of it that it is, or why nothing was to be learned. */
export async function learnThreshold(store: CollectionStore, signal?: AbortSignal): Promise<LearnedThreshold> {
  const { least, most, multiplyAdds } = sampleBounds;
  const wanted = Math.min(most, Math.max(least, Math.floor(multiplyAdds / (store.size * store.dimension))));
  // Where not all have an object, more are looked at.
  const sample = evenly(store.ids(), 4 * wanted).flatMap((id) => {
    const record = store.record(id);
    return record?.object === undefined ? [] : [record];
  });
  const there: KnownEvidence[] = [];
  const gone: KnownEvidence[] = [];
  for (const record of evenly(sample, wanted)) {
    if (signal?.aborted)
      throw new InputError('Interrupted before the threshold was learned; run the same command again.');
    const evidence = await evidenceWithAndWithout(store, record);
    const object = record.columns.group ?? record.object!;
    if (evidence.there !== undefined) there.push({ evidence: evidence.there, object });
    if (evidence.gone !== undefined) gone.push({ evidence: evidence.gone, object });
  }
  if (there.length < leastPhotographs || gone.length < leastPhotographs) {
    return {
      how: `${there.length} photographs whose nearest shows their object and ${gone.length} with one of another are too few to tell (${leastPhotographs} of each)`,
    };
  }
  const plain = [similarityOf({ there, gone }, 'nearest'), similarityOf({ there, gone }, 'several')];
  const { answered, ...similarity } = plain[1].answered < plain[0].answered ? plain[1] : plain[0];
  const learned = learnPresence({ there, gone }, keptShare);
  const alike = learned === undefined ? 'similar to it' : 'probable to be there';
  return {
    ...similarity,
    ...(learned !== undefined && { presence: learned.presence }),
    how: `${percent(keptShare)} of ${there.length} photographs whose nearest shows their object are as ${alike}; with their object left out, ${percent(learned?.answered ?? answered)} of ${gone.length} are, as queries about something else would be`,
  };
}

/** The similarity that the kept share of those that are there reach, and the share of those that are gone that reaches it. */
function similarityOf({ there, gone }: LearnedEvidence, kind: 'nearest' | 'several') {
  const similarities = there.map(({ evidence }) => evidence[kind]);
  const similarity = reachedBy(similarities, keptShare);
  const answered = gone.filter(({ evidence }) => evidence[kind] >= similarity).length / gone.length;
  return { similarity, photographs: kind === 'nearest' ? 1 : severalPhotographs, answered };
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

/** Of a photograph whose nearest shows its object, and with its object left out. Copies of its file do not count. */
async function evidenceWithAndWithout(
  store: CollectionStore,
  photograph: CollectionRecord,
): Promise<{ there: Evidence | undefined; gone: Evidence | undefined }> {
  const { data: query } = await store.vectors([photograph.id]);
  const lists = new Map<number, StoredNeighbour[]>();
  const ranked = async (count: number) => {
    const found = lists.get(count) ?? (await store.search(query, { count }));
    lists.set(count, found);
    return found;
  };
  const first = (await ranked(firstNeighbours))
    .map(({ id }) => store.record(id)!)
    .find(({ sha256 }) => sha256 !== photograph.sha256);
  const asked = { ranked, without: photograph };
  const isAnswer = (record: Shown) => record.object !== undefined && showAnother(photograph, record);
  return {
    there: first?.object === photograph.object ? await evidenceOf(store, query, asked) : undefined,
    gone: await evidenceOf(store, query, { ...asked, isAnswer }),
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
