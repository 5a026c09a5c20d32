/** @file From what is to be measured to its results: by a model, a published system, descriptors or rankings made before. */
import { InputError, UsageError } from '../errors.js';
import type { RegionSource } from '../models/region-source.js';
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import { sizingFor } from '../retrieval/describe.js';
import {
  describeGroundTruth,
  type GroundTruthDescriptors,
  imagesToDescribe,
  lookUpGroundTruth,
} from '../retrieval/describe-ground-truth.js';
import { engineFromMultiplyAdds, engineSimilarity } from '../retrieval/engine-similarity.js';
import { type EvaluateOptions, evaluateSettings, type EvaluationResult } from '../retrieval/evaluate.js';
import { evaluateRankings } from '../retrieval/evaluate-rankings.js';
import { expandGroundTruth, expansionCost } from '../retrieval/expand-ground-truth.js';
import type { DatabaseAugmentation, QueryExpansion } from '../retrieval/expansion.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { describeForRerank, type RerankChoice } from '../retrieval/localization/ground-truth-reranker.js';
import { joinTables, withDistractors } from '../retrieval/protocols/distractors.js';
import type { Truth } from '../retrieval/protocols/open-truth.js';
import { assertAllRanked, namedRankings, type RankingsFile } from '../retrieval/rankings-file.js';
import { sidesText, sizeText } from '../retrieval/size-text.js';
import { evaluateSystemSettings } from '../systems/describe-for-system.js';
import { type StageContext, silentView } from './context.js';
import { assertAnyDescribed } from './failures.js';
import type { MeasuredChoice, MeasuredSources } from './measured-sources.js';
import { type EngineChoice, type ModelChoice, openDescriber, openEngine, type OpenedModel } from './open-model.js';
import { describeByPreset, openPreset, type PresetChoice, type ReadyPreset } from './open-preset.js';

export interface MeasureRetrievalOptions extends MeasuredChoice, EngineChoice, ModelChoice, PresetChoice, RerankChoice {
  /** What R-MAC pools. Default: the model's own. */
  regions?: RegionSource;
  /** How queries are expanded; default: not. */
  qe?: QueryExpansion;
  /** How the database is augmented before that; default: not. */
  dba?: DatabaseAugmentation;
  /** The rule behind `map` and `ap`. Default `trapezoid`. */
  ap?: AveragePrecisionRule;
  /** The k of recall@k and hit rate@k. Default 1, 5 and 10. */
  recall?: readonly number[];
}

/** Results, one for each setting, and what they come from. */
export interface MeasuredRetrieval {
  results: EvaluationResult[];
  failures: GroundTruthDescriptors['failures'];
  /** Not with rankings. */
  described?: GroundTruthDescriptors;
  /** The model that described, which is disposed of afterwards. */
  opened?: OpenedModel | undefined;
  /** Or the published system. */
  ready?: ReadyPreset;
  /** Image size that was described at, where it is known. */
  size?: string | undefined;
  /** With several lengths of re-ranked lists: each, from 0 on, and the mAP of the main setting. */
  rerankCurve?: [depth: number, map: number][];
  /** Time for the images, and for ranking with what belongs to it, s. */
  seconds?: { describe: number; rank: number };
}

/** `top`: results to return of each ranking. */
type Options = MeasureRetrievalOptions & { top: number };

/** Measures what the options name and gives it to `use`, for as long as whose network lives. */
export async function measureRetrieval<T>(
  truth: Truth,
  sources: MeasuredSources,
  options: Options,
  context: StageContext,
  use: (measured: MeasuredRetrieval) => T | Promise<T>,
): Promise<T> {
  const { settings } = truth;
  if (sources.rankings !== undefined) {
    return use({ results: resultsOfRankings(truth, sources.rankings, options), failures: [] });
  }
  // Distractors that have no descriptors yet are described with the rest.
  const images = sources.distractorTable === undefined ? (sources.distractors ?? []) : [];
  const measuring: Measuring = {
    toDescribe: withDistractors(settings, images)[0].groundTruth,
    truths: withDistractors(settings, sources.distractors ?? []).map(({ groundTruth }) => groundTruth),
    main: Math.max(
      0,
      settings.findIndex(({ name }) => name === truth.main),
    ),
  };
  const measure = options.preset === undefined ? measureDescriptors : measurePreset;
  return measure(measuring, sources, options, context, use);
}

interface Measuring {
  toDescribe: GroundTruth;
  /** Of each setting, with the distractors. */
  truths: GroundTruth[];
  /** Which of them is the main one. */
  main: number;
}

function resultsOfRankings(
  { settings, benchmark }: Truth,
  rankings: RankingsFile,
  { ap, recall, ranks = '' }: Options,
): EvaluationResult[] {
  const [{ groundTruth }] = settings;
  const ids = groundTruth.queries.map(({ id }) => id);
  const database = groundTruth.database.map(({ id }) => id);
  const named = namedRankings(rankings, ids, database);
  assertAllRanked(named, ids, ranks);
  return evaluateRankings(
    settings.map((setting) => setting.groundTruth),
    named,
    {
      rule: ap,
      recallAt: recall,
      ...(benchmark && { passedOver: benchmark.passedOver, openDatabase: !benchmark.hasDatabase }),
    },
  );
}

/** By a model's descriptors, or those that were made before. */
async function measureDescriptors<T>(
  { toDescribe, truths, main }: Measuring,
  sources: MeasuredSources,
  options: Options,
  context: StageContext,
  use: (measured: MeasuredRetrieval) => T | Promise<T>,
): Promise<T> {
  const { model, descriptors = '', distractors = '' } = options;
  const { depth = 0, depths } = options.rerank ?? {};
  const startedAt = performance.now();
  if (model !== undefined) await openEngine(options);
  const opened = model === undefined ? undefined : await openDescriber(model, options, context.view);
  try {
    const { described, rerankAt, size }: DescribedTruth =
      opened === undefined
        ? { described: lookUpGroundTruth(toDescribe, sources.database!, descriptors, sources.queries) }
        : await describeByModel(opened, toDescribe, options, context);
    if (sources.distractorTable !== undefined) {
      const names = { first: model ?? descriptors, second: distractors };
      described.database = joinTables(described.database, sources.distractorTable, names);
    }
    const describedAt = performance.now();
    const rank = (of: readonly GroundTruth[], at: number, length: number, top: number) =>
      rankDescribed(
        of,
        at,
        { described, rerank: length === 0 ? undefined : rerankAt?.(length) },
        { ...options, top },
        context,
      );
    const results = await rank(truths, main, depth, options.top);
    const seconds = secondsOf(startedAt, describedAt);
    const rerankCurve: [depth: number, map: number][] = [];
    for (const shorter of depths === undefined ? [] : [0, ...depths.slice(0, -1)]) {
      const [{ map }] = await rank([truths[main]], 0, shorter, 0);
      rerankCurve.push([shorter, map]);
    }
    if (depths !== undefined) rerankCurve.push([depth, results[main].map]);
    const { failures } = described;
    return await use({ results, failures, described, opened, seconds, size, ...(depths && { rerankCurve }) });
  } finally {
    opened?.dispose();
  }
}

interface DescribedTruth {
  described: GroundTruthDescriptors;
  /** Image size, where a model described them. */
  size?: string;
  rerankAt?: (depth: number) => EvaluateOptions['rerank'];
}

async function describeByModel(
  { model, describer }: OpenedModel,
  groundTruth: GroundTruth,
  options: Options,
  { signal, view = silentView }: StageContext,
): Promise<DescribedTruth> {
  const progress = view.progress('describe', imagesToDescribe(groundTruth));
  const sizing = sizingFor(model.meta, options);
  const settings = { sizing, signal, onProgress: (done: number) => progress.update(done) };
  try {
    const found: DescribedTruth =
      options.rerank === undefined
        ? { described: await describeGroundTruth(describer, groundTruth, settings) }
        : await describeForRerank(model, groundTruth, settings, { ...options, rerank: options.rerank });
    if (signal?.aborted) throw new InputError('Interrupted; rmac extract keeps finished work, evaluate does not.');
    assertAnyDescribed(view, found.described);
    return { ...found, size: sizeText(sizing) };
  } finally {
    progress.stop();
  }
}

/** By a published system: its own vectors, expansion and distance. */
async function measurePreset<T>(
  { toDescribe, truths, main }: Measuring,
  { distractorTable }: MeasuredSources,
  options: Options,
  context: StageContext,
  use: (measured: MeasuredRetrieval) => T | Promise<T>,
): Promise<T> {
  if (distractorTable !== undefined) {
    throw new UsageError('--distractors of a preset are images: it describes them itself.');
  }
  const searched = toDescribe.database.map(({ image }) => image);
  const ready = await openPreset(options, searched, context);
  const { system } = ready;
  try {
    const startedAt = performance.now();
    const described = await describeByPreset(system, toDescribe, context);
    const describedAt = performance.now();
    const { ap: rule, recall, top } = options;
    const results = await evaluateSystemSettings(system, truths, truths[main], described, {
      rule,
      recallAt: recall,
      top,
    });
    const seconds = secondsOf(startedAt, describedAt);
    const size = sidesText(system.settings.sides, system.settings.upscale);
    return await use({ results, failures: described.failures, described, ready, seconds, size });
  } finally {
    system.dispose();
  }
}

function secondsOf(startedAt: number, describedAt: number): { describe: number; rank: number } {
  return { describe: (describedAt - startedAt) / 1000, rank: (performance.now() - describedAt) / 1000 };
}

/** Expands and ranks on this thread, or on the engine where that would take more than seconds. */
async function rankDescribed(
  groundTruths: readonly GroundTruth[],
  main: number,
  { described, rerank }: { described: GroundTruthDescriptors; rerank: EvaluateOptions['rerank'] },
  options: Options,
  { view = silentView }: Pick<StageContext, 'view'>,
): Promise<EvaluationResult[]> {
  const { qe, dba, ap: rule, recall, top } = options;
  const common = { rule, recallAt: recall, top, rerank };
  const multiplyAdds = described.queries.data.length * described.database.ids.length;
  const onEngine = multiplyAdds + expansionCost(described, { qe, dba }) >= engineFromMultiplyAdds;
  if (onEngine && options.model === undefined) await openEngine(options);
  const similarity = onEngine ? engineSimilarity : undefined;
  const { database, queries } = await expandGroundTruth(groundTruths[main], described, { qe, dba, similarity });
  if (!onEngine && rerank === undefined) return evaluateSettings(groundTruths, database, queries, common);
  const engine = onEngine ? engineSimilarity(database) : undefined;
  const progress = view.progress(rerank === undefined ? 'rank' : 're-rank', queries.ids.length);
  try {
    return await evaluateSettings(groundTruths, database, queries, {
      ...common,
      similarity: engine?.similarity,
      onProgress: (done) => progress.update(done),
    });
  } finally {
    progress.stop();
    engine?.dispose();
  }
}
