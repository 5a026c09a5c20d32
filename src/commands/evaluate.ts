/** @file `rmac evaluate`: mAP and per-query AP of a model or of descriptors under a named protocol. */
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import { type AveragePrecisionRule, averagePrecisionRules } from '../retrieval/average-precision.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { DescriptorSet } from '../retrieval/descriptor-folder.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { firstFew, type GroundTruth } from '../retrieval/ground-truth.js';
import { type Benchmark, benchmarkId, benchmarkProtocols, type Setting } from '../retrieval/protocols/benchmark.js';
import type { RankingsFile } from '../retrieval/rankings-file.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { extraMeasures, measureLines, publishedNote } from './evaluate-measures.js';
import { addModelOptions, type ModelOptions, openEngine, openModel } from './open-model.js';
import { addRegionsOption, describerFor, type Regions } from './regions-option.js';

const protocols = ['labels', 'groundtruth', ...benchmarkProtocols] as const;
type Protocol = (typeof protocols)[number];

export interface EvaluateCommandOptions extends CommonOptions, ModelOptions {
  protocol: Protocol;
  data?: string;
  manifest?: string;
  groundtruth?: string;
  model?: string;
  descriptors?: string;
  queries?: string;
  ranks?: string;
  distractors?: string;
  upright?: string;
  regions?: Regions;
  ap: AveragePrecisionRule;
  recall: number[];
  bootstrap?: number;
  seed: number;
  against?: string;
  report?: string;
  overwrite?: boolean;
  perQuery?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('evaluate')
    .description('Measure retrieval: mAP, P@1 and recall@k under a named protocol.')
    .addOption(
      new Option('--protocol <name>', 'which queries, which positives: those below')
        .choices(protocols)
        .makeOptionMandatory(),
    )
    .option('--data <dir>', "a benchmark's folder: its images and its ground truth")
    .option('--manifest <file>', '.jsonl manifest (labels)')
    .option('--groundtruth <path>', 'JSON file (groundtruth); ground truth of a benchmark that lies apart from --data')
    .option('--model <file>', 'describe the images with this model')
    .option('--descriptors <dir>', 'or take them from what rmac extract wrote')
    .option('--queries <dir>', 'descriptors of the queries, where they are not in --descriptors')
    .option('--ranks <path>', 'or score ranked lists: text, .rnk, .json or .npy')
    .option('--distractors <dir>', 'images or descriptors to search in as well, right for no query')
    .option('--upright <path>', 'Holidays: list of turns, or folder of upright images');
  addRegionsOption(addModelOptions(command))
    .addOption(
      new Option('--ap <rule>', 'rule behind map and ap: trapezoid (Oxford/Paris) or finite-sum')
        .choices(averagePrecisionRules)
        .default('trapezoid'),
    )
    .option('--recall <list>', 'k of recall@k', integerList, [1, 5, 10])
    .option('--bootstrap <n>', 'percentile interval of the mAP from n resamples of the landmarks', positiveInteger)
    .option('--seed <n>', 'of the resamples', nonNegativeInteger, 0)
    .option('--against <file>', 'JSON that another evaluation printed: test the difference on the same queries')
    .option('--report <file>', 'write the figures as an HTML page, too')
    .option('--overwrite', 'replace an existing report')
    .option('--per-query', 'also print the AP of every query');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
labels         every image of a manifest is a query; positives are the other images of the landmark; the image itself
               and images of its group under another landmark are junk. --ap finite-sum is scikit-learn's AP
groundtruth    a JSON file says
oxford5k       Oxford, Paris: *_query.txt, *_good.txt, *_ok.txt, *_junk.txt; the query stays in the database
paris6k        (Paris without its 20 broken images)
roxford5k      revisited, gnd_roxford5k.pkl or .mat: easy, medium, hard, with mP@1, 5 and 10; map is medium's
rparis6k
holidays       500 queries by their names against the other 1490; holidays-991: against the 991 that are no query
ukbench        N-S score of all 10200 images; ukbench-2550: of the first of each four
Junk neither counts nor takes a rank. Queries without positives are counted and stay out of the means. A query with a
box is cropped and shown at the scale of the whole image. recall@k is the mean share of a query's positives among its
first k results; hit rate@k the share of queries with at least one there.

Examples:
  rmac evaluate --protocol labels --manifest val.jsonl --model model.safetensors --size 512
  rmac evaluate --protocol groundtruth --groundtruth gt.json --descriptors descriptors/ --json
  rmac evaluate --protocol roxford5k --data roxford5k --model model.safetensors --bootstrap 10000
  rmac evaluate --protocol oxford5k --data oxford5k --ranks rankings/`,
    )
    .action(run);
}

/** commander parser: "1,5,10". */
export function integerList(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !Number.isSafeInteger(value) || value < 1)) {
    throw new UsageError(`--recall: expected whole numbers of at least 1 such as 1,5,10, got "${text}".`);
  }
  return [...new Set(values)].toSorted((a, b) => a - b);
}

async function run(options: EvaluateCommandOptions): Promise<void> {
  checkUsage(options);
  const { assertWritable } = await import('../data/files.js');
  if (options.report !== undefined) assertWritable(options.report, options);
  const sources = await readSources(options);
  const truth = await openTruth(options, sources);
  const { settings } = truth;
  if (!settings.some(({ groundTruth }) => groundTruth.queries.some(({ positives }) => positives.length > 0))) {
    throw new InputError(`${sourceOf(options)}: no query has positives, so there is nothing to measure.`);
  }
  const { results, failures } = await measure(truth, sources, options);
  const main = settings.findIndex(({ name }) => name === truth.main);
  if (results[main].queries.length === 0) {
    throw new InputError(`None of the queries that have positives could be described; ${failures[0]?.error ?? ''}`);
  }
  if (truth.benchmark !== undefined) {
    const lost = [...new Set(results.flatMap(({ withoutDescriptor }) => withoutDescriptor))];
    if (lost.length > 0) {
      const reason = failures.find(({ id }) => lost.includes(id))?.error;
      throw new InputError(
        `${options.protocol}: no result for ${lost.length} queries (${firstFew(lost)})${reason === undefined ? '' : `: ${reason}`}`,
      );
    }
    const note = publishedNote(truth.benchmark.protocol, results[main], sources.distractors?.length ?? 0);
    if (note !== undefined) say(note);
  }
  const named = settings.map(({ name }, i) => ({ name, result: results[i] }));
  const extra = await extraMeasures(named, truth.main, options);
  if (options.report !== undefined) {
    const { writeFileAtomic } = await import('../data/files.js');
    const { evaluationReport } = await import('./evaluate-report.js');
    await writeFileAtomic(options.report, evaluationReport(named, extra, options), options);
  }
  const json = { ...resultJson(results[main], failures, options), ...extra.json };
  const text = [resultText(results[main], failures, options), ...measureLines(extra)].join('\n');
  printResult(json, options.perQuery ? `${text}\n${perQueryText(results[main])}` : text, options);
}

function checkUsage(options: EvaluateCommandOptions): void {
  const { protocol, data, manifest, groundtruth, model, descriptors, queries, ranks } = options;
  if (protocol === 'labels' || protocol === 'groundtruth') {
    const [needed, file, other] =
      protocol === 'labels'
        ? (['manifest', manifest, groundtruth] as const)
        : (['groundtruth', groundtruth, manifest] as const);
    if (file === undefined) throw new UsageError(`--protocol ${protocol} needs --${needed} FILE.`);
    if (other !== undefined || data !== undefined)
      throw new UsageError(`--protocol ${protocol} takes --${needed} only.`);
    if (options.upright !== undefined) throw new UsageError('--upright is for Holidays.');
  } else {
    if (manifest !== undefined)
      throw new UsageError(`--protocol ${protocol} takes --data or --groundtruth, no manifest.`);
    if (model !== undefined && data === undefined)
      throw new UsageError(`--protocol ${protocol} with --model needs --data DIR.`);
  }
  if ([model, descriptors, ranks].filter((value) => value !== undefined).length !== 1) {
    throw new UsageError('Give either --model FILE or --descriptors DIR or --ranks PATH.');
  }
  if (queries !== undefined && descriptors === undefined) throw new UsageError('--queries goes with --descriptors.');
  if (ranks !== undefined && options.distractors !== undefined) {
    throw new UsageError('--distractors goes with --model or --descriptors; ranked lists have theirs already.');
  }
  const { pooling, size, snap, regions } = options;
  if (model === undefined && [pooling, size, snap, regions].some((value) => value !== undefined)) {
    throw new UsageError(
      '--pooling, --size, --snap and --regions go with --model; descriptors are evaluated as they are.',
    );
  }
}

function sourceOf({ manifest, groundtruth, data, descriptors, ranks }: EvaluateCommandOptions): string {
  return manifest ?? groundtruth ?? data ?? descriptors ?? ranks ?? '';
}

/** What was computed elsewhere, with ids as the ground truth writes them. */
interface Sources {
  database?: DescriptorSet;
  queries?: { set: DescriptorSet; folder: string };
  rankings?: RankingsFile;
  /** Distractors as entries of the database, and their descriptors where there are some. */
  distractors?: readonly { id: string; image: string }[];
  distractorTable?: DescriptorSet | GroundTruthDescriptors['database'];
}

async function readSources(options: EvaluateCommandOptions): Promise<Sources> {
  const { protocol, descriptors, queries, ranks, distractors } = options;
  const isBenchmark = protocol !== 'labels' && protocol !== 'groundtruth';
  const { readDescriptorFolder } = await import('../retrieval/descriptor-folder.js');
  const { renameDescriptors } = await import('../retrieval/protocols/rename-descriptors.js');
  const read = async (folder: string) => {
    const set = await readDescriptorFolder(folder);
    if (set.notUnit) say(`${folder}: rows are not of unit length; images are ranked by the dot product as it is.`);
    return set;
  };
  const readNamed = async (folder: string) => {
    const set = await read(folder);
    return isBenchmark ? renameDescriptors(set, benchmarkId, folder) : set;
  };
  const sources: Sources = {};
  if (descriptors !== undefined) sources.database = await readNamed(descriptors);
  if (queries !== undefined) sources.queries = { set: await readNamed(queries), folder: queries };
  if (ranks !== undefined) {
    const { readRankings } = await import('../retrieval/rankings-file.js');
    sources.rankings = await readRankings(ranks, isBenchmark ? { idOf: benchmarkId } : {});
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

interface Truth {
  settings: readonly Setting[];
  main: string;
  benchmark?: Benchmark;
}

async function openTruth(options: EvaluateCommandOptions, sources: Sources): Promise<Truth> {
  const { protocol } = options;
  if (protocol === 'labels' || protocol === 'groundtruth') {
    return { settings: [{ name: 'all', groundTruth: await openGroundTruth(options) }], main: 'all' };
  }
  const { checkQueryBoxes, openBenchmark } = await import('../retrieval/protocols/open-benchmark.js');
  const benchmark = await openBenchmark(protocol, {
    ...options,
    ids: options.data === undefined ? await knownIds(sources, options) : sources.database?.ids,
  });
  if (options.model !== undefined) {
    if (!benchmark.hasImages)
      throw new InputError(`${options.data} has no images; put them into ${options.data}/images.`);
    await checkQueryBoxes(benchmark.settings[0].groundTruth.queries);
  }
  return { settings: benchmark.settings, main: benchmark.main, benchmark };
}

/** Ids that descriptors or rankings name, in case they are all that is known of the database. */
async function knownIds(
  { database, rankings }: Sources,
  { protocol, ranks }: EvaluateCommandOptions,
): Promise<string[] | undefined> {
  if (database !== undefined) return [...database.ids, ...database.failures.map(({ id }) => id)];
  if (rankings === undefined || !/^(?:holidays|ukbench)/.test(protocol)) return undefined;
  const { isIndexRankings, namesOfCompleteRankings } = await import('../retrieval/rankings-file.js');
  return isIndexRankings(rankings) ? undefined : namesOfCompleteRankings(rankings, ranks ?? '');
}

/** One result for each setting. */
async function measure(
  { settings, benchmark }: Truth,
  sources: Sources,
  options: EvaluateCommandOptions,
): Promise<{ results: EvaluationResult[]; failures: GroundTruthDescriptors['failures'] }> {
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
  const described =
    options.model === undefined
      ? await lookUp(toDescribe, sources, options)
      : await describe(toDescribe, options.model, options);
  if (sources.distractorTable !== undefined) {
    const names = { first: options.descriptors ?? options.model ?? '', second: options.distractors ?? '' };
    described.database = joinTables(described.database, sources.distractorTable, names);
  }
  const truths = withDistractors(settings, sources.distractors ?? []).map((setting) => setting.groundTruth);
  return { results: await evaluate(truths, described, options), failures: described.failures };
}

async function openGroundTruth(options: EvaluateCommandOptions): Promise<GroundTruth> {
  const { labelsGroundTruth, readGroundTruth } = await import('../retrieval/ground-truth.js');
  if (options.protocol === 'groundtruth') return readGroundTruth(sourceOf(options));
  const { readManifest } = await import('../data/manifest.js');
  return labelsGroundTruth(await readManifest(sourceOf(options)));
}

async function describe(
  groundTruth: GroundTruth,
  modelFile: string,
  options: EvaluateCommandOptions,
): Promise<GroundTruthDescriptors> {
  const { sizingFor } = await import('../retrieval/describe.js');
  const { describeGroundTruth, imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const describer = await describerFor(model, modelFile, options.regions);
  const progress = startProgress('describe', imagesToDescribe(groundTruth));
  const signal = interruptSignal();
  try {
    const described = await describeGroundTruth(describer, groundTruth, {
      sizing: sizingFor(model.meta, options),
      signal,
      onProgress: (done) => progress.update(done),
    });
    if (signal.aborted) throw new InputError('Interrupted; rmac extract keeps finished work, evaluate does not.');
    for (const { id, error } of described.failures.slice(0, 10)) say(`skipped ${id}: ${error}`);
    if (described.database.ids.length === 0) {
      throw new InputError(`No image of the database could be described; the first: ${described.failures[0].error}`);
    }
    return described;
  } finally {
    progress.stop();
    describer.dispose();
    model.dispose();
  }
}

async function lookUp(
  groundTruth: GroundTruth,
  { database, queries }: Sources,
  { descriptors = '' }: EvaluateCommandOptions,
): Promise<GroundTruthDescriptors> {
  const { lookUpGroundTruth } = await import('../retrieval/describe-ground-truth.js');
  return lookUpGroundTruth(groundTruth, database!, descriptors, queries);
}

/** Ranks on this thread, or on the engine where that would take more than seconds. */
async function evaluate(
  groundTruths: readonly GroundTruth[],
  { database, queries }: GroundTruthDescriptors,
  options: EvaluateCommandOptions,
): Promise<EvaluationResult[]> {
  const { evaluateSettings } = await import('../retrieval/evaluate.js');
  const { engineFromMultiplyAdds, engineSimilarity } = await import('../retrieval/engine-similarity.js');
  const rule = options.ap;
  const multiplyAdds = queries.data.length * database.ids.length;
  if (multiplyAdds < engineFromMultiplyAdds) {
    return evaluateSettings(groundTruths, database, queries, { rule, recallAt: options.recall });
  }
  if (options.model === undefined) await openEngine(options);
  const engine = engineSimilarity(database);
  const progress = startProgress('rank', queries.ids.length);
  try {
    return await evaluateSettings(groundTruths, database, queries, {
      rule,
      recallAt: options.recall,
      similarity: engine.similarity,
      onProgress: (done) => progress.update(done),
    });
  } finally {
    progress.stop();
    engine.dispose();
  }
}

function resultJson(
  result: EvaluationResult,
  failures: GroundTruthDescriptors['failures'],
  options: EvaluateCommandOptions,
) {
  return {
    protocol: options.protocol,
    map: result.map,
    ap: result.rule,
    mapTrapezoid: result.mapTrapezoid,
    mapFiniteSum: result.mapFiniteSum,
    macroMap: Number.isNaN(result.macroMap) ? null : result.macroMap,
    landmarks: result.landmarks,
    precisionAt1: result.precisionAt1,
    recallAt: Object.fromEntries(result.recallAt),
    hitRateAt: Object.fromEntries(result.hitRateAt),
    databaseSize: result.databaseSize,
    queries: result.queries.map(({ id, landmark, ap, apTrapezoid, apFiniteSum, positives }) => ({
      id,
      landmark,
      ap,
      apTrapezoid,
      apFiniteSum,
      positives,
    })),
    withoutPositives: result.withoutPositives,
    withoutDescriptor: result.withoutDescriptor,
    missingFromDatabase: result.missingFromDatabase,
    failures,
  };
}

function resultText(
  result: EvaluationResult,
  failures: GroundTruthDescriptors['failures'],
  options: EvaluateCommandOptions,
): string {
  const figure = (value: number) => value.toFixed(4);
  const named = (ids: readonly string[]) => `${ids.length} (${firstFew(ids)})`;
  const row = (name: string, value: string) => `${name.padEnd(16)} ${value}`;
  const ks = [...result.recallAt.keys()].join('/');
  const lines = [
    row('protocol', `${options.protocol} of ${sourceOf(options)}`),
    row('queries', `${result.queries.length} scored, ${result.withoutPositives.length} without positives`),
    row('database', `${result.databaseSize} images`),
    row('mAP', `${figure(result.mapTrapezoid)} trapezoid, ${figure(result.mapFiniteSum)} finite sum`),
    row(
      'macro mAP',
      Number.isNaN(result.macroMap)
        ? '- (queries without landmark)'
        : `${figure(result.macroMap)} ${result.rule}, over ${result.landmarks} landmarks`,
    ),
    row('P@1', figure(result.precisionAt1)),
    row(`recall@${ks}`, [...result.recallAt.values()].map(figure).join(' ')),
    row(`hit rate@${ks}`, [...result.hitRateAt.values()].map(figure).join(' ')),
  ];
  if (result.missingFromDatabase.length > 0) lines.push(row('not in database', named(result.missingFromDatabase)));
  if (result.withoutDescriptor.length > 0)
    lines.push(row('not described', `${named(result.withoutDescriptor)}, in no mean`));
  if (failures.length > 0) lines.push(row('failed images', named(failures.map(({ id }) => id))));
  return lines.join('\n');
}

function perQueryText({ rule, queries }: EvaluationResult): string {
  return ['', `AP (${rule}) of each query:`, ...queries.map(({ id, ap }) => `${ap.toFixed(4)}  ${id}`)].join('\n');
}
