/** @file How `rmac evaluate` comes to a result: from a model's descriptors, from descriptors or from rankings made before. */
import { InputError, UsageError } from '../errors.js';
import type { RegionSource } from '../models/region-source.js';
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { DescriptorSet } from '../retrieval/descriptor-folder.js';
import type { EvaluateOptions, EvaluationResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { benchmarkId } from '../retrieval/protocols/benchmark.js';
import type { RankingsFile } from '../retrieval/rankings-file.js';
import { sidesText, sizeText } from '../retrieval/size-text.js';
import { type BenchmarkOptions, isBenchmark, type Truth } from './benchmark-options.js';
import { type CommonOptions, interruptSignal, say, startProgress } from './console.js';
import type { ExpansionOptions } from './expansion-options.js';
import { type ModelOptions, openEngine, openModel } from './open-model.js';
import type { PresetOptions } from './preset-options.js';
import { describeByPreset, type ReadyPreset, readyPreset } from './ready-preset.js';
import { describerFor } from './regions-option.js';
import { describeForRerank, type RerankFlags } from './rerank-option.js';

export interface MeasureOptions
  extends BenchmarkOptions,
    CommonOptions,
    ModelOptions,
    ExpansionOptions,
    PresetOptions,
    RerankFlags {
  model?: string;
  descriptors?: string;
  queries?: string;
  ranks?: string;
  distractors?: string;
  regions?: RegionSource;
  ap: AveragePrecisionRule;
  recall: number[];
  /** Results to return of each ranking. */
  top: number;
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

/** Whether descriptors are rows without ids, which only the order of the ground truth names. */
export async function areRowsAlone({ descriptors, queries }: Omit<MeasureOptions, 'top'>): Promise<boolean> {
  const { isRowsAlone } = await import('../retrieval/descriptor-folder.js');
  return [descriptors, queries].some((source) => source !== undefined && isRowsAlone(source));
}

/** Reads descriptors, rankings and distractors that the options name. `order`: what names rows without ids. */
export async function readSources(options: Omit<MeasureOptions, 'top'>, order?: GroundTruth): Promise<Sources> {
  const { protocol, descriptors, queries, ranks, distractors } = options;
  const named = isBenchmark(protocol);
  const { readDescriptorFolder } = await import('../retrieval/descriptor-folder.js');
  const { renameDescriptors } = await import('../retrieval/protocols/rename-descriptors.js');
  const read = async (folder: string, entries?: readonly { id: string }[]) => {
    const set = await readDescriptorFolder(
      folder,
      entries?.map(({ id }) => id),
    );
    if (set.notUnit) say(`${folder}: rows are not of unit length; images are ranked by the dot product as it is.`);
    return set;
  };
  const readNamed = async (folder: string, entries?: readonly { id: string }[]) => {
    const set = await read(folder, entries);
    return named ? renameDescriptors(set, benchmarkId, folder) : set;
  };
  const sources: Sources = {};
  if (descriptors !== undefined) sources.database = await readNamed(descriptors, order?.database);
  if (queries !== undefined) sources.queries = { set: await readNamed(queries, order?.queries), folder: queries };
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
    } else if (options.model === undefined && options.preset === undefined) {
      throw new InputError(`${distractors} has no descriptors.npy; with --descriptors, extract the distractors, too.`);
    } else sources.distractors = await distractorImages(distractors);
  }
  return sources;
}

/** Ids that descriptors or rankings name, in case they are all that is known of the database. */
export async function knownIds(
  { database, rankings }: Sources,
  { protocol, ranks }: Pick<MeasureOptions, 'protocol' | 'ranks'>,
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
  /** With `--preset`. */
  ready?: ReadyPreset;
  /** Image size that was described at, where it is known. */
  size?: string;
  /** With several lengths of `--rerank`: length of the shortlist, from 0 on, and the mAP of the main setting. */
  rerankCurve?: [depth: number, map: number][];
  /** Time for the images, and for ranking with what belongs to it, s. */
  seconds?: { describe: number; rank: number };
}

/** Measures what the options name. */
export async function measure(truth: Truth, sources: Sources, options: MeasureOptions): Promise<Measured> {
  const { settings, benchmark } = truth;
  const [{ groundTruth }] = settings;
  if (sources.rankings !== undefined) {
    const { evaluateRankings } = await import('../retrieval/evaluate-rankings.js');
    const { assertAllRanked, namedRankings } = await import('../retrieval/rankings-file.js');
    const ids = groundTruth.queries.map(({ id }) => id);
    const database = groundTruth.database.map(({ id }) => id);
    const named = namedRankings(sources.rankings, ids, database);
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
  if (options.preset !== undefined) return measurePreset(truth, toDescribe, sources, options);
  const startedAt = performance.now();
  const { described, rerankAt, dispose, size }: Described =
    options.model === undefined
      ? { described: await lookUp(toDescribe, sources, options) }
      : await describe(toDescribe, options.model, options);
  if (sources.distractorTable !== undefined) {
    const names = { first: options.descriptors ?? options.model ?? '', second: options.distractors ?? '' };
    described.database = joinTables(described.database, sources.distractorTable, names);
  }
  const describedAt = performance.now();
  const truths = withDistractors(settings, sources.distractors ?? []).map((setting) => setting.groundTruth);
  const main = settings.findIndex(({ name }) => name === truth.main);
  const { depth = 0, depths } = options.rerank ?? {};
  try {
    const results = await evaluate(truths, main, { described, rerank: rerankAt?.(depth) }, options);
    const seconds = secondsOf(startedAt, describedAt);
    const rerankCurve: Measured['rerankCurve'] = [];
    for (const shorter of depths === undefined ? [] : [0, ...depths.slice(0, -1)]) {
      const rerank = shorter === 0 ? undefined : rerankAt?.(shorter);
      const [{ map }] = await evaluate([truths[Math.max(0, main)]], 0, { described, rerank }, { ...options, top: 0 });
      rerankCurve.push([shorter, map]);
    }
    if (depths !== undefined) rerankCurve.push([depth, results[Math.max(0, main)].map]);
    return {
      results,
      failures: described.failures,
      described,
      seconds,
      ...(depths && { rerankCurve }),
      ...(size !== undefined && { size }),
    };
  } finally {
    dispose?.();
  }
}

/** By a published system: its own vectors, expansion and distance. */
async function measurePreset(
  { settings, main }: Truth,
  toDescribe: GroundTruth,
  { distractors = [], distractorTable }: Sources,
  options: MeasureOptions,
): Promise<Measured> {
  if (distractorTable !== undefined) {
    throw new UsageError('--distractors of a preset are images: it describes them itself.');
  }
  const { evaluateSystemSettings } = await import('../systems/describe-for-system.js');
  const { withDistractors } = await import('../retrieval/protocols/distractors.js');
  const truths = withDistractors(settings, distractors).map((setting) => setting.groundTruth);
  const mainTruth = truths[settings.findIndex(({ name }) => name === main)] ?? truths[0];
  const searched = toDescribe.database.map(({ image }) => image);
  const ready = await readyPreset(options, searched);
  try {
    const startedAt = performance.now();
    const described = await describeByPreset(ready, toDescribe);
    const describedAt = performance.now();
    const results = await evaluateSystemSettings(ready.system, truths, mainTruth, described, {
      rule: options.ap,
      recallAt: options.recall,
      top: options.top,
    });
    const { sides, upscale } = ready.system.settings;
    const seconds = secondsOf(startedAt, describedAt);
    return { results, failures: described.failures, described, ready, seconds, size: sidesText(sides, upscale) };
  } finally {
    ready.system.dispose();
  }
}

function secondsOf(startedAt: number, describedAt: number): { describe: number; rank: number } {
  return { describe: (describedAt - startedAt) / 1000, rank: (performance.now() - describedAt) / 1000 };
}

interface Described {
  described: GroundTruthDescriptors;
  /** Image size, where a model described them. */
  size?: string;
  rerankAt?: (depth: number) => EvaluateOptions['rerank'];
  /** Ends what `rerankAt` needs. */
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
    kept = found.rerankAt !== undefined;
    return { ...found, size: sizeText(settings.sizing), dispose: kept ? () => model.dispose() : undefined };
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
  { described, rerank }: { described: GroundTruthDescriptors; rerank: EvaluateOptions['rerank'] },
  options: MeasureOptions,
): Promise<EvaluationResult[]> {
  const { evaluateSettings } = await import('../retrieval/evaluate.js');
  const { engineFromMultiplyAdds, engineSimilarity } = await import('../retrieval/engine-similarity.js');
  const { expandGroundTruth, expansionCost } = await import('../retrieval/expand-ground-truth.js');
  const { qe, dba } = options;
  const common = {
    rule: options.ap,
    recallAt: options.recall,
    top: options.top,
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
