/** @file How probable it is that a query shows what its nearest photograph shows, as the photographs of the collection itself taught. */
import { logisticProbability } from '../linear/logistic.js';
import type { Evidence } from './evidence.js';

/** What is kept of it in the head of an index. */
export interface Presence {
  /** From which on a query is said to be in the collection. */
  threshold: number;
  intercept: number;
  weights: Record<keyof Evidence, number>;
  /** What stands for evidence that there is none of: the mean of what there was. */
  usual: { lead: number; among: number };
}

/** The probability that a query is there, were half of all queries about what is there. */
export function presenceOf(evidence: Evidence, { intercept, weights, usual }: Presence): number {
  return logisticProbability({ intercept, weights: evidenceRow(weights, usual) }, evidenceRow(evidence, usual));
}

/** What the weights are of. */
export function evidenceRow({ nearest, several, lead, among }: Evidence, usual: Presence['usual']): number[] {
  return [nearest, several, lead ?? usual.lead, among ?? usual.among];
}
