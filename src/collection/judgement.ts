/** @file By what a collection says whether it has a query. */
import type { Evidence } from './evidence.js';
import type { IndexHead } from './index-folder.js';
import { presenceOf } from './presence.js';

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
}

/** What of the evidence is compared, and with what. */
export function judgementOf(
  evidence: Evidence | undefined,
  { similarity, photographs = 1, presence }: Partial<NonNullable<IndexHead['threshold']>> = {},
): Judgement {
  if (presence === undefined) {
    const plain = photographs === 1 ? evidence?.nearest : evidence?.several;
    return { evidence: plain, measure: 'similarity', threshold: similarity };
  }
  const probability = evidence && presenceOf(evidence, presence);
  return { evidence: probability, measure: 'probability', threshold: presence.threshold };
}
