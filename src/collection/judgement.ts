/** @file By what a collection says whether it has a query. */
import { type Answers, type ComparedPhotographs, type Evidence, evidenceOf } from './evidence.js';
import { type Presence, presenceOf } from './presence.js';

/** What a collection learned of itself; nothing where there was too little. */
export interface Learned {
  /** Similarity from which on a query is said to be there, where there is no `presence`. */
  similarity?: number | undefined;
  /** Photographs whose mean similarity that is. */
  photographs?: number | undefined;
  presence?: Presence | undefined;
}

/** What was compared with what. */
export interface Judgement {
  /**
   * What is compared with the threshold: the probability that the collection has it, were half of all queries about what it has; where
   * none was learned, the similarity of the nearest photograph, or of several of its object in the mean.
   */
  evidence: number | undefined;
  /** Which of them it is. */
  measure: 'probability' | 'similarity';
  threshold: number | undefined;
  /** Whether the threshold is reached; undefined where there is none. */
  found: boolean | undefined;
}

/** Whether a collection has a query [D], by what it learned. */
export async function judge(
  store: ComparedPhotographs,
  query: Float32Array,
  answers: Omit<Answers, 'several'>,
  learned: Learned = {},
): Promise<Judgement> {
  const several = learned.presence === undefined ? learned.photographs : undefined;
  return judgementOf(await evidenceOf(store, query, { ...answers, several }), learned);
}

/** What of the evidence is compared, and with what. */
function judgementOf(evidence: Evidence | undefined, { similarity, photographs = 1, presence }: Learned): Judgement {
  const judged = (measure: Judgement['measure'], value: number | undefined, threshold: number | undefined) => ({
    evidence: value,
    measure,
    threshold,
    found: threshold === undefined ? undefined : (value ?? Number.NEGATIVE_INFINITY) >= threshold,
  });
  if (presence === undefined) {
    return judged('similarity', photographs === 1 ? evidence?.nearest : evidence?.several, similarity);
  }
  return judged('probability', evidence && presenceOf(evidence, presence), presence.threshold);
}
