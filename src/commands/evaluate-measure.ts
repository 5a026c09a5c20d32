/** @file How `rmac evaluate` comes to a result: from a model's descriptors, from descriptors or from rankings made before. */
import { InputError } from '../errors.js';
import type { RegionSource } from '../models/region-source.js';
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { DescriptorSet } from '../retrieval/descriptor-folder.js';
import type { EvaluateOptions, EvaluationResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { benchmarkId } from '../retrieval/protocols/benchmark.js';
import type { RankingsFile } from '../retrieval/rankings-file.js';
import { type BenchmarkOptions, isBenchmark, type Truth } from './benchmark-options.js';
import { type CommonOptions, interruptSignal, say, startProgress } from './console.js';
import { shownResults } from './evaluate-report.js';
import type { ExpansionOptions } from './expansion-options.js';
import { type ModelOptions, openEngine, openModel } from './open-model.js';
import { describerFor } from './regions-option.js';
import { describeForRerank, type RerankFlags } from './rerank-option.js';

export interface MeasureOptions extends BenchmarkOptions, CommonOptions, ModelOptions, ExpansionOptions, RerankFlags {
  model?: string;
  descriptors?: string;
  queries?: string;
  ranks?: string;
  distractors?: string;
  regions?: RegionSource;
  ap: AveragePrecisionRule;
  recall: number[];
  report?: string;
}

/** What was computed elsewhere, with ids as the ground truth writes them. */
export interface Sources {
  database?: DescriptorSet;
  queries?: { set: DescriptorSet; folder: string };
  rankings?: RankingsFile;
  /** Distractors as entries of the database, and their descriptors where there are some. */
  distractors?: readonly { id: string; image: string }[];
  distractorTable?: DescriptorSet | GroundTruthDescriptors['database'];
}

/** Reads descriptors, rankings and distractors that the options name. */
export async function readSources(options: MeasureOptions): Promise<Sources> {
  const { protocol, descriptors, queries, ranks, distractors } = options;
  const named = isBenchmark(protocol);
  const { readDescriptorFolder } = await import('../retrieval/descriptor-folder.js');
  const { renameDescriptors } = await import('../retrieval/protocols/rename-descriptors.js');
  const read = async (folder: string) => {
    const set = await readDescriptorFolder(folder);
    if (set.notUnit) say(`${folder}: rows are not of unit length; images are ranked by the dot product as it is.`);
    return set;
  };
  const readNamed = async (folder: string) => {
    const set = await read(folder);
    return named ? renameDescriptors(set, benchmarkId, folder) : set;
  };
  const sources: Sources = {};
  if (descriptors !== undefined) sources.database = await readNamed(descriptors);
  if (queries !== undefined) sources.queries = { set: await readNamed(queries), folder: queries };
  if (ranks !== undefined) {
    const { readRankings } = await import('../retrieval/rankings-file.js');
    sources.rankings = await readRankings(ranks, named ? { idOf: benchmarkId } : {});
  }
  if (distractors !== undefined) {
    const { distractorDescriptors, distractorImages, holdsDescriptors } = await import(
      '../retrieval/protocols/distractors.js'
    );
    if (await holdsDescriptors(distractors)) {
      const { table, entries } = distractorDescriptors(await read(distractors));
      Object.assign(sources, { distractors: entries, distractorTable: table });
    } else if (options.model === undefined) {
      throw new InputError(`${distractors} has no descriptors.npy; with --descriptors, extract the distractors, too.`);
    } else sources.distractors = await distractorImages(distractors);
  }
  return sources;
}

/** Ids that descriptors or rankings name, in case they are all that is known of the database. */
export async function knownIds(
  { database, rankings }: Sources,
  { protocol, ranks }: MeasureOptions,
): Promise<string[] | undefined> {
  if (database !== undefined) return [...database.ids, ...database.failures.map(({ id }) => id)];
  if (rankings === undefined || !/^(?:holidays|ukbench)/.test(protocol)) return undefined;
  const { isIndexRankings, namesOfCompleteRankings } = await import('../retrieval/rankings-file.js');
  return isIndexRankings(rankings) ? undefined : namesOfCompleteRankings(rankings, ranks ?? '');
}

/** Results, one for each setting, and what they come from. */
export interface Measured {
  results: EvaluationResult[];
  failures: GroundTruthDescriptors['failures'];
  /** Not with rankings. */
  described?: GroundTruthDescriptors;
}

/** Measures what the options name. */
export async function measure(truth: Truth, sources: Sources, options: MeasureOptions): Promise<Measured> {
  const { settings, benchmark } = truth;
  const [{ groundTruth }] = settings;
  if (sources.rankings !== undefined) {
    const { evaluateRankings } = await import('../retrieval/evaluate-rankings.js');
    const { assertAllRanked, isIndexRankings, namedRankings } = await import('../retrieval/rankings-file.js');
    const ids = groundTruth.queries.map(({ id }) => id);
    const named = isIndexRankings(sources.rankings)
      ? namedRankings(
          sources.rankings,
          ids,
          groundTruth.database.map(({ id }) => id),
        )
      : sources.rankings;
    assertAllRanked(named, ids, options.ranks ?? '');
    const results = evaluateRankings(
      settings.map((setting) => setting.groundTruth),
      named,
      {
        rule: options.ap,
        recallAt: options.recall,
        ...(benchmark && { passedOver: benchmark.passedOver, openDatabase: !benchmark.hasDatabase }),
      },
    );
    return { results, failures: [] };
  }
  const { joinTables, withDistractors } = await import('../retrieval/protocols/distractors.js');
  const images = sources.distractorTable === undefined ? (sources.distractors ?? []) : [];
  const toDescribe = withDistractors(settings, images)[0].groundTruth;
  const { described, rerank, dispose } =
    options.model === undefined
      ? { described: await lookUp(toDescribe, sources, options) }
      : await describe(toDescribe, options.model, options);
  if (sources.distractorTable !== undefined) {
    const names = { first: options.descriptors ?? options.model ?? '', second: options.distractors ?? '' };
    described.database = joinTables(described.database, sources.distractorTable, names);
  }
  const truths = withDistractors(settings, sources.distractors ?? []).map((setting) => setting.groundTruth);
  const main = settings.findIndex(({ name }) => name === truth.main);
  const results = await evaluate(truths, main, { described, rerank }, options).finally(() => dispose?.());
  return { results, failures: described.failures, described };
}

interface Described {
  described: GroundTruthDescriptors;
  rerank?: EvaluateOptions['rerank'];
  /** Ends what `rerank` needs. */
  dispose?: () => void;
}

async function describe(groundTruth: GroundTruth, modelFile: string, options: MeasureOptions): Promise<Described> {
  const { sizingFor } = await import('../retrieval/describe.js');
  const { describeGroundTruth, imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const describer = await describerFor(model, modelFile, options.regions);
  const progress = startProgress('describe', imagesToDescribe(groundTruth));
  const signal = interruptSignal();
  let kept = false;
  try {
    const settings = {
      sizing: sizingFor(model.meta, options),
      signal,
      onProgress: (done: number) => progress.update(done),
    };
    const found: Described =
      options.rerank === undefined
        ? { described: await describeGroundTruth(describer, groundTruth, settings) }
        : await describeForRerank(model, groundTruth, settings, options);
    const { failures, database } = found.described;
    if (signal.aborted) throw new InputError('Interrupted; rmac extract keeps finished work, evaluate does not.');
    for (const { id, error } of failures.slice(0, 10)) say(`skipped ${id}: ${error}`);
    if (database.ids.length === 0) {
      throw new InputError(`No image of the database could be described; the first: ${failures[0].error}`);
    }
    kept = found.rerank !== undefined;
    return { ...found, dispose: kept ? () => model.dispose() : undefined };
  } finally {
    progress.stop();
    describer.dispose();
    if (!kept) model.dispose();
  }
}

async function lookUp(
  groundTruth: GroundTruth,
  { database, queries }: Sources,
  { descriptors = '' }: MeasureOptions,
): Promise<GroundTruthDescriptors> {
  const { lookUpGroundTruth } = await import('../retrieval/describe-ground-truth.js');
  return lookUpGroundTruth(groundTruth, database!, descriptors, queries);
}

/** Expands and ranks on this thread, or on the engine where that would take more than seconds. */
async function evaluate(
  groundTruths: readonly GroundTruth[],
  main: number,
  { described, rerank }: Pick<Described, 'described' | 'rerank'>,
  options: MeasureOptions,
): Promise<EvaluationResult[]> {
  const { evaluateSettings } = await import('../retrieval/evaluate.js');
  const { engineFromMultiplyAdds, engineSimilarity } = await import('../retrieval/engine-similarity.js');
  const { expandGroundTruth, expansionCost } = await import('../retrieval/expand-ground-truth.js');
  const { qe, dba } = options;
  const common = {
    rule: options.ap,
    recallAt: options.recall,
    top: options.report === undefined ? 0 : shownResults,
    rerank,
  };
  const multiplyAdds = described.queries.data.length * described.database.ids.length;
  const onEngine = multiplyAdds + expansionCost(described, { qe, dba }) >= engineFromMultiplyAdds;
  if (onEngine && options.model === undefined) await openEngine(options);
  const similarity = onEngine ? engineSimilarity : undefined;
  const { database, queries } = await expandGroundTruth(groundTruths[main], described, { qe, dba, similarity });
  if (!onEngine && rerank === undefined) return evaluateSettings(groundTruths, database, queries, common);
  const engine = onEngine ? engineSimilarity(database) : undefined;
  const progress = startProgress(rerank === undefined ? 'rank' : 're-rank', queries.ids.length);
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
