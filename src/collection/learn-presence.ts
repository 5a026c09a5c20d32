/** @file Learns how probable it is that a query is there, from photographs that are and from photographs whose object was left out. */
import { fitLogistic } from '../linear/fit-logistic.js';
import type { Evidence } from './evidence.js';
import { evidenceRow, type Presence, presenceOf } from './presence.js';

/** The evidence of a photograph, and what it shows. */
export interface KnownEvidence {
  evidence: Evidence;
  object: string;
}

/** Evidence of photographs whose nearest shows their object, and of photographs whose object was left out. */
export interface LearnedEvidence {
  there: readonly KnownEvidence[];
  gone: readonly KnownEvidence[];
}

/** Parts of the objects: each is judged by what the others taught. */
const folds = 5;

/**
 * The threshold is what a share of `kept` of those that are there reach; `answered` is the share of `gone` that reach what the other objects
 * teach. Undefined where there are not enough objects for that.
 */
export function learnPresence(
  { there, gone }: LearnedEvidence,
  kept: number,
): { presence: Presence; answered: number } | undefined {
  const objects = [...new Set([...there, ...gone].map(({ object }) => object))];
  const foldOf = new Map(objects.map((object, i) => [object, i % folds]));
  let answered = 0;
  for (let fold = 0; fold < Math.min(folds, objects.length); fold++) {
    const isOther = ({ object }: KnownEvidence) => foldOf.get(object) !== fold;
    const others = { there: there.filter(isOther), gone: gone.filter(isOther) };
    if (others.there.length === 0 || others.gone.length === 0) return undefined;
    const presence = fitPresence(others, kept);
    const left = gone.filter((each) => !isOther(each));
    answered += left.filter(({ evidence }) => presenceOf(evidence, presence) >= presence.threshold).length;
  }
  return { presence: fitPresence({ there, gone }, kept), answered: answered / gone.length };
}

function fitPresence({ there, gone }: LearnedEvidence, kept: number): Presence {
  const usual = { lead: meanOf([...there, ...gone], 'lead'), among: meanOf([...there, ...gone], 'among') };
  const rows = (list: readonly KnownEvidence[]) => list.map(({ evidence }) => evidenceRow(evidence, usual));
  const { intercept, weights } = fitLogistic(rows(there), rows(gone));
  const [nearest, several, lead, among] = weights;
  const presence = { threshold: 0, intercept, weights: { nearest, several, lead, among }, usual };
  const probabilities = there.map(({ evidence }) => presenceOf(evidence, presence));
  return { ...presence, threshold: reachedBy(probabilities, kept) };
}

/** What a share of `kept` of the values reach. */
export function reachedBy(values: readonly number[], kept: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((1 - kept) * values.length)];
}

function meanOf(list: readonly KnownEvidence[], kind: 'lead' | 'among'): number {
  const known = list.flatMap(({ evidence }) => evidence[kind] ?? []);
  return known.reduce((sum, each) => sum + each, 0) / Math.max(1, known.length);
}
