/** @file Scores descriptors against a ground truth: per-query average precision and the means reported from it. */
import {
  type AveragePrecisionRule,
  averagePrecision,
  hitAt,
  meanOfDefined,
  precisionAt,
  recallAt,
} from './average-precision.js';
import { assertDistinctIds } from './descriptor-folder.js';
import type { GroundTruth, Query } from './ground-truth.js';
import { groupBy } from '../data/group-by.js';
import { InputError } from '../errors.js';
import { type DescriptorTable, positiveRanks, rankedItems } from './ranking.js';
import { plainSimilarity, type Similarity } from '../linear/rows.js';
import { type SimilarityScale, UnrelatedPairs } from './similarity-scale.js';

export interface EvaluateOptions {
  /** The rule behind `map`, `macroMap` and `ap`; both rules are always computed. */
  rule?: AveragePrecisionRule;
  /** The k of recall@k and hit rate@k. */
  recallAt?: readonly number[];
  /** How many of each query's best results to return, junk included and marked. Default 0. */
  top?: number;
  /** Default: dot products on this thread. */
  similarity?: Similarity;
  /** Replaces a query's similarities [N] by others, whose order is then the ranking; may change what it is given. */
  rerank?: (query: Query, similarities: Float32Array) => Float32Array | Promise<Float32Array>;
  onProgress?: (queriesDone: number) => void;
}

export interface RankedResult {
  id: string;
  similarity: number;
  relation: 'positive' | 'junk' | 'negative';
}

export interface QueryScore {
  id: string;
  landmark?: string;
  /** AP under the chosen rule. */
  ap: number;
  apTrapezoid: number;
  apFiniteSum: number;
  /** Number of positives, found or not. */
  positives: number;
  /** 0-based, junk-free ranks of the positives that have a descriptor. */
  ranks: Int32Array;
  top: RankedResult[];
}

/** All figures are fractions from 0 to 1; means run over `queries`. */
export interface EvaluationResult {
  rule: AveragePrecisionRule;
  map: number;
  mapTrapezoid: number;
  mapFiniteSum: number;
  /** Mean over landmarks of their queries' mean AP; NaN where some query has no landmark. */
  macroMap: number;
  landmarks: number;
  precisionAt1: number;
  /** recall@k: mean share of a query's positives that are among its first k results, by k. */
  recallAt: Map<number, number>;
  /** Share of queries with at least one positive among the first k results, by k. */
  hitRateAt: Map<number, number>;
  queries: QueryScore[];
  /** Ids of queries that have no positives: not in any mean. */
  withoutPositives: string[];
  /** Ids of queries that have no descriptor: not in any mean. */
  withoutDescriptor: string[];
  /** Ids of the ground truth's database that have no descriptor: as positives they count as never found. */
  missingFromDatabase: string[];
  /** Number of database images ranked. */
  databaseSize: number;
  /** Similarities of unrelated pairs, ascending; none of rankings that were made elsewhere or re-ranked. */
  unrelated?: SimilarityScale;
}

// Bounds the [block, N] similarities in memory: 64 MB of float32.
const similarityValuesPerBlock = 1 << 24;

/**
 * Ranks the ground truth's database for each of its queries. Rows of `database` that the ground truth does not list are
 * left out; what lacks a descriptor is listed in the result, and the caller decides whether that is an error.
 */
export async function evaluateDescriptors(
  groundTruth: GroundTruth,
  database: DescriptorTable,
  queries: DescriptorTable,
  options: EvaluateOptions = {},
): Promise<EvaluationResult> {
  const [result] = await evaluateSettings([groundTruth], database, queries, options);
  return result;
}

/**
 * The same queries and database under several ground truths (easy, medium and hard): ranked once, scored by each. They
 * may differ in positives and junk only. One result for each, in order.
 */
export async function evaluateSettings(
  groundTruths: readonly GroundTruth[],
  database: DescriptorTable,
  queries: DescriptorTable,
  options: EvaluateOptions = {},
): Promise<EvaluationResult[]> {
  const { rule = 'trapezoid', top = 0, similarity, rerank, onProgress } = options;
  const { dimension } = queries;
  if (database.ids.length === 0) throw new InputError('evaluateDescriptors: the database has no descriptors.');
  if (database.dimension !== dimension) {
    throw new InputError(
      `evaluateDescriptors: queries of ${dimension} values, database of ${database.dimension}; describe both with one model.`,
    );
  }
  for (const { ids } of new Set([database, queries])) assertDistinctIds(ids, 'evaluateDescriptors');
  const [first] = groundTruths;
  const rowOf = new Map(database.ids.map((id, row) => [id, row]));
  const queryRowOf = queries === database ? rowOf : new Map(queries.ids.map((id, row) => [id, row]));
  const listed = new Set(first.database.map((entry) => entry.id));
  const unlisted = database.ids.flatMap((id, row) => (listed.has(id) ? [] : [row]));
  const similarTo = similarity ?? plainSimilarity(database);

  const described = first.queries.flatMap(({ id }, index) => {
    const row = queryRowOf.get(id);
    const asked = groundTruths.some((truth) => truth.queries[index].positives.length > 0);
    return row === undefined || !asked ? [] : [{ index, row }];
  });
  const scores: QueryScore[][] = groundTruths.map(() => []);
  const pairs = groundTruths.map(() => (rerank === undefined ? new UnrelatedPairs(described.length) : undefined));
  const rows = database.ids.length;
  let [equal, ranked] = [0, 0];
  const block = Math.max(1, Math.min(256, Math.floor(similarityValuesPerBlock / Math.max(1, rows))));
  for (let start = 0; start < described.length; start += block) {
    const members = described.slice(start, start + block);
    const vectors = new Float32Array(members.length * dimension); // [B, D]
    members.forEach(({ row }, i) => {
      vectors.set(queries.data.subarray(row * dimension, (row + 1) * dimension), i * dimension);
    });
    const similarities = await similarTo(vectors); // [B, N]
    assertNoNaN(similarities, rows, { database, queryIds: members.map(({ index }) => first.queries[index].id) });
    for (const [i, { index }] of members.entries()) {
      const own = similarities.subarray(i * rows, (i + 1) * rows);
      ranked++;
      if (areEqual(own)) equal++;
      const row = rerank === undefined ? own : await rerank(first.queries[index], own);
      groundTruths.forEach((truth, setting) => {
        const query = truth.queries[index];
        if (query.positives.length === 0) return;
        scores[setting].push(scoreQuery(query, row, { rowOf, unlisted, database, rule, top, pairs: pairs[setting] }));
      });
      if (rerank !== undefined) onProgress?.(start + i + 1);
    }
    onProgress?.(start + members.length);
  }
  if (equal === ranked && rows > 1) assertRanked(ranked, rows);
  const missing = {
    missingFromDatabase: first.database.filter((entry) => !rowOf.has(entry.id)).map((entry) => entry.id),
    databaseSize: rows - unlisted.length,
  };
  return groundTruths.map((truth, setting) => {
    const unrelated = pairs[setting]?.scale();
    const result = summarize(truth, scores[setting], { ...missing, described: (id) => queryRowOf.has(id) }, options);
    return { ...result, ...(unrelated && { unrelated }) };
  });
}

/** What rounding of float32 products leaves of equal similarities, relative to them. */
const rounding = 1e-6;

/** Whether similarities are alike to rounding, so that their order says nothing. */
function areEqual(similarities: Float32Array): boolean {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of similarities) {
    if (value < least) least = value;
    if (value > most) most = value;
    if (most - least > rounding * Math.max(Math.abs(least), Math.abs(most))) return false;
  }
  return true;
}

/** Where all is equal, the order of the database would be scored. */
function assertRanked(queries: number, rows: number): void {
  if (queries === 0) return;
  throw new InputError(
    `The ${rows} images of the database are equally similar to every query: the descriptors are all equal, and no ranking can be made of ` +
      'them. The model has collapsed (train again, with a lower learningRate or another loss), or its weights are not those of its network.',
  );
}

/** The means over the queries that were scored, and what is in none of them. */
export function summarize(
  groundTruth: GroundTruth,
  scores: QueryScore[],
  {
    described,
    ...missing
  }: { described: (queryId: string) => boolean; missingFromDatabase: string[]; databaseSize: number },
  { rule = 'trapezoid', recallAt: ks = [1, 5, 10] }: Pick<EvaluateOptions, 'rule' | 'recallAt'> = {},
): EvaluationResult {
  const byLandmark = groupBy(scores, (score) => score.landmark);
  return {
    rule,
    map: meanOfDefined(scores.map((score) => score.ap)),
    mapTrapezoid: meanOfDefined(scores.map((score) => score.apTrapezoid)),
    mapFiniteSum: meanOfDefined(scores.map((score) => score.apFiniteSum)),
    macroMap: byLandmark.has(undefined)
      ? Number.NaN
      : meanOfDefined([...byLandmark.values()].map((group) => meanOfDefined(group.map((score) => score.ap)))),
    landmarks: byLandmark.has(undefined) ? 0 : byLandmark.size,
    precisionAt1: meanOfDefined(scores.map((score) => precisionAt(score.ranks, 1))),
    recallAt: new Map(ks.map((k) => [k, meanOfDefined(scores.map((s) => recallAt(s.ranks, s.positives, k)))])),
    hitRateAt: new Map(ks.map((k) => [k, meanOfDefined(scores.map((score) => hitAt(score.ranks, k)))])),
    queries: scores,
    withoutPositives: groundTruth.queries.filter(({ positives }) => positives.length === 0).map(({ id }) => id),
    withoutDescriptor: groundTruth.queries
      .filter(({ id, positives }) => positives.length > 0 && !described(id))
      .map(({ id }) => id),
    ...missing,
  };
}

/** A NaN would be neither before nor behind any other image, and break every rank without a word. */
function assertNoNaN(
  similarities: Float32Array,
  rows: number,
  { database, queryIds }: { database: DescriptorTable; queryIds: readonly string[] },
): void {
  const at = similarities.findIndex((value) => Number.isNaN(value));
  if (at < 0) return;
  const [query, image] = [queryIds[Math.floor(at / rows)], database.ids[at % rows]];
  throw new InputError(
    `evaluateDescriptors: the similarity of "${query}" and "${image}" is NaN; ` +
      'one of their descriptors has NaN or infinite values: describe it again.',
  );
}

interface ScoreContext {
  rowOf: ReadonlyMap<string, number>;
  /** Database rows that are no part of the ground truth. */
  unlisted: readonly number[];
  database: DescriptorTable;
  rule: AveragePrecisionRule;
  top: number;
  pairs: UnrelatedPairs | undefined;
}

function scoreQuery(query: Query, similarities: Float32Array, context: ScoreContext): QueryScore {
  const { rowOf, unlisted, database, rule, top, pairs } = context;
  const rowsOf = (ids: readonly string[]) => ids.flatMap((id) => rowOf.get(id) ?? []);
  const positives = new Set(rowsOf(query.positives));
  const junk = new Set(rowsOf(query.junk));
  const skipped = unlisted.length === 0 ? junk : new Set([...junk, ...unlisted]);
  const ranks = positiveRanks(similarities, positives, skipped);
  pairs?.add(similarities, positives, skipped);

  const results: RankedResult[] = [];
  if (top > 0) {
    const outside = new Set(unlisted);
    for (const row of rankedItems(similarities, top + unlisted.length)) {
      if (outside.has(row)) continue;
      const relation = positives.has(row) ? 'positive' : junk.has(row) ? 'junk' : 'negative';
      results.push({ id: database.ids[row], similarity: similarities[row], relation });
      if (results.length === top) break;
    }
  }
  return scoreOf(query, ranks, rule, results);
}

/** AP of one query by both rules, from the ranks of its positives. */
export function scoreOf(
  query: Query,
  ranks: Int32Array,
  rule: AveragePrecisionRule,
  top: RankedResult[] = [],
): QueryScore {
  const positives = new Set(query.positives).size;
  const apTrapezoid = averagePrecision(ranks, positives, 'trapezoid');
  const apFiniteSum = averagePrecision(ranks, positives, 'finite-sum');
  const ap = rule === 'trapezoid' ? apTrapezoid : apFiniteSum;
  return { id: query.id, landmark: query.landmark, ap, apTrapezoid, apFiniteSum, positives, ranks, top };
}
