/** @file Scores ranked lists that another program made, by the same measures as descriptors. */
import { InputError } from '../errors.js';
import { ranksOfPositives } from './average-precision.js';
import { type EvaluateOptions, type EvaluationResult, type QueryScore, scoreOf, summarize } from './evaluate.js';
import type { GroundTruth } from './ground-truth.js';

/** Ids of the results, best first, by query id. A list may end early: positives that are not in it are never found. */
export type Rankings = ReadonlyMap<string, readonly string[]>;

export interface EvaluateRankingsOptions extends Pick<EvaluateOptions, 'rule' | 'recallAt'> {
  /** Ids that are passed over, such as queries that are not in the database. */
  passedOver?: ReadonlySet<string>;
  /** Take ids that the database does not have as wrong results instead of refusing them. Default false. */
  openDatabase?: boolean;
}

/**
 * Scores `rankings` under ground truths of the same queries and database, one result for each.
 * @throws InputError for an id that a ranking has twice or that the database does not have.
 */
export function evaluateRankings(
  groundTruths: readonly GroundTruth[],
  rankings: Rankings,
  { rule = 'trapezoid', recallAt, passedOver = new Set(), openDatabase = false }: EvaluateRankingsOptions = {},
): EvaluationResult[] {
  const [first] = groundTruths;
  const known = new Set(first.database.map(({ id }) => id));
  const kept = new Map<string, string[]>();
  for (const { id } of first.queries) {
    const ranking = rankings.get(id);
    if (ranking === undefined) continue;
    const seen = new Set<string>();
    for (const name of ranking) {
      if (!known.has(name) && (passedOver.has(name) || !openDatabase)) {
        if (passedOver.has(name)) continue;
        throw new InputError(`The ranking of query "${id}" names "${name}", which the database does not have.`);
      }
      if (seen.has(name)) throw new InputError(`The ranking of query "${id}" names "${name}" twice.`);
      seen.add(name);
    }
    kept.set(id, [...seen]);
  }
  const missing = { described: (id: string) => kept.has(id), missingFromDatabase: [], databaseSize: known.size };
  return groundTruths.map((truth) => {
    const scores = truth.queries.flatMap((query): QueryScore[] => {
      const ranking = kept.get(query.id);
      if (ranking === undefined || query.positives.length === 0) return [];
      const ranks = ranksOfPositives(ranking, new Set(query.positives), new Set(query.junk));
      return [scoreOf(query, Int32Array.from(ranks), rule)];
    });
    return summarize(truth, scores, missing, { rule, recallAt });
  });
}
