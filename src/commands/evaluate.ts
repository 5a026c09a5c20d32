/** @file `rmac evaluate`: mAP and per-query AP of a model or of descriptors under a named protocol. */
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import type { RegionSource } from '../models/region-source.js';
import { type AveragePrecisionRule, averagePrecisionRules } from '../retrieval/average-precision.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { firstFew, type GroundTruth } from '../retrieval/ground-truth.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { shownResults, writeEvaluationReport } from './evaluate-report.js';
import { addExpansionOptions, type ExpansionOptions, expansionText } from './expansion-options.js';
import { addModelOptions, type ModelOptions, openEngine, openModel } from './open-model.js';
import { addPresetOptions, checkPresetUsage, type PresetOptions } from './preset-options.js';
import { describeByPreset, presetJson, presetRows, type ReadyPreset, readyPreset } from './ready-preset.js';
import { addRegionsOption, describerFor } from './regions-option.js';

const protocols = ['labels', 'groundtruth'] as const;
type Protocol = (typeof protocols)[number];

interface EvaluateCommandOptions extends CommonOptions, ModelOptions, ExpansionOptions, PresetOptions {
  protocol: Protocol;
  manifest?: string;
  groundtruth?: string;
  model?: string;
  descriptors?: string;
  queries?: string;
  regions?: RegionSource;
  ap: AveragePrecisionRule;
  recall: number[];
  perQuery?: boolean;
  report?: string;
  reportQueries: number;
  overwrite?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('evaluate')
    .description('Measure retrieval: mAP, P@1 and recall@k under a named protocol.')
    .addOption(
      new Option('--protocol <name>', 'labels: every image of a manifest is a query; groundtruth: a JSON file says')
        .choices(protocols)
        .makeOptionMandatory(),
    )
    .option('--manifest <file>', '.jsonl manifest (labels)')
    .option('--groundtruth <file>', 'JSON with queries, positives, junk and database (groundtruth)')
    .option('--model <file>', 'describe the images with this model')
    .option('--descriptors <dir>', 'or take them from what rmac extract wrote')
    .option('--queries <dir>', 'descriptors of the queries, where they are not in --descriptors');
  addPresetOptions(addExpansionOptions(addRegionsOption(addModelOptions(command))))
    .addOption(
      new Option('--ap <rule>', 'rule behind map and ap: trapezoid (Oxford/Paris) or finite-sum')
        .choices(averagePrecisionRules)
        .default('trapezoid'),
    )
    .option('--recall <list>', 'k of recall@k', integerList, [1, 5, 10])
    .option('--per-query', 'also print the AP of every query')
    .option('--report <file>', 'write one HTML page: figures, queries with their first results and the regions pooled')
    .option('--report-queries <n>', 'queries shown in it, evenly from the best to the worst', positiveInteger, 8)
    .option('--overwrite', 'replace an existing page');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
labels: positives are the other images of the landmark; the image itself and images of its group under another landmark
are junk. Junk neither counts nor takes a rank. Queries without positives are counted and stay out of the means.
recall@k is the mean share of a query's positives among its first k results; hit rate@k the share of queries with at
least one there. A query with a box is cropped and shown at the scale of the whole image.
--dba comes before --qe; a query's own image is none of its neighbours where it is junk. Definitions: docs/search.md.

Examples:
  rmac evaluate --protocol labels --manifest val.jsonl --model model.safetensors --size 512
  rmac evaluate --protocol labels --manifest val.jsonl --model runs/rpn/best.safetensors --regions rpn:64 --report regions.html
  rmac evaluate --protocol groundtruth --groundtruth gt.json --descriptors descriptors/ --json
  rmac evaluate --protocol groundtruth --groundtruth gt.json --descriptors descriptors/ --dba gordo:20 --qe aqe:10
  rmac evaluate --protocol groundtruth --groundtruth gt.json --preset rmac-plus --weights densenet121.safetensors --fit train.jsonl`,
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
  if (options.report !== undefined) {
    const { assertWritable } = await import('../data/files.js');
    assertWritable(options.report, options);
  }
  const groundTruth = await openGroundTruth(options);
  if (!groundTruth.queries.some(({ positives }) => positives.length > 0)) {
    throw new InputError(`${sourceOf(options)}: no query has positives, so there is nothing to measure.`);
  }
  const { described, result, ready } = await measure(groundTruth, options);
  if (result.queries.length === 0) {
    throw new InputError(
      `None of the queries that have positives could be described; ${described.failures[0]?.error ?? ''}`,
    );
  }
  if (options.report !== undefined) {
    await writeEvaluationReport(options.report, { groundTruth, result, described, source: sourceOf(options) }, options);
  }
  const json = resultJson(result, described, options);
  const text = resultText(result, described, options, ready && presetRows(ready));
  printResult(ready === undefined ? json : { ...json, preset: presetJson(ready) }, text, options);
}

interface Measured {
  described: GroundTruthDescriptors;
  result: EvaluationResult;
  ready?: ReadyPreset;
}

async function measure(groundTruth: GroundTruth, options: EvaluateCommandOptions): Promise<Measured> {
  if (options.preset !== undefined) return measurePreset(groundTruth, options);
  const described =
    options.model === undefined
      ? await lookUp(groundTruth, options)
      : await describe(groundTruth, options.model, options);
  return { described, result: await evaluate(groundTruth, described, options) };
}

/** By a published system: its own vectors, expansion and distance. */
async function measurePreset(groundTruth: GroundTruth, options: EvaluateCommandOptions): Promise<Measured> {
  const { evaluateSystem } = await import('../systems/describe-for-system.js');
  const searched = groundTruth.database.map(({ image }) => image);
  const ready = await readyPreset(options, searched);
  try {
    const described = await describeByPreset(ready, groundTruth);
    const result = await evaluateSystem(ready.system, groundTruth, described, {
      rule: options.ap,
      recallAt: options.recall,
      top: options.report === undefined ? 0 : shownResults,
    });
    return { described, result, ready };
  } finally {
    ready.system.dispose();
  }
}

function checkUsage(options: EvaluateCommandOptions): void {
  const { protocol, manifest, groundtruth, model, descriptors, queries, pooling, size, snap, regions } = options;
  const [needed, file, other] =
    protocol === 'labels'
      ? (['manifest', manifest, groundtruth] as const)
      : (['groundtruth', groundtruth, manifest] as const);
  if (file === undefined) throw new UsageError(`--protocol ${protocol} needs --${needed} FILE.`);
  if (other !== undefined) throw new UsageError(`--protocol ${protocol} takes --${needed} only.`);
  if ([model, descriptors, options.preset].filter((value) => value !== undefined).length !== 1) {
    throw new UsageError('Give either --model FILE or --descriptors DIR or --preset NAME.');
  }
  checkPresetUsage(options);
  if (options.preset !== undefined) {
    if ([pooling, regions, options.qe, options.dba].some((value) => value !== undefined)) {
      throw new UsageError('--pooling, --regions, --qe and --dba do not go with --preset, which sets them.');
    }
  }
  if (queries !== undefined && descriptors === undefined) throw new UsageError('--queries goes with --descriptors.');
  if (descriptors !== undefined && [pooling, size, snap, regions].some((value) => value !== undefined)) {
    throw new UsageError(
      '--pooling, --size, --snap and --regions go with --model; descriptors are evaluated as they are.',
    );
  }
}

function sourceOf({ manifest, groundtruth }: EvaluateCommandOptions): string {
  return manifest ?? groundtruth ?? '';
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
  { descriptors = '', queries }: EvaluateCommandOptions,
): Promise<GroundTruthDescriptors> {
  const { readDescriptorFolder } = await import('../retrieval/descriptor-folder.js');
  const { lookUpGroundTruth } = await import('../retrieval/describe-ground-truth.js');
  const database = await readDescriptorFolder(descriptors);
  const queryFolder = queries === undefined ? undefined : { set: await readDescriptorFolder(queries), folder: queries };
  for (const [folder, set] of [[descriptors, database] as const, [queries, queryFolder?.set] as const]) {
    if (set?.notUnit) say(`${folder}: rows are not of unit length; images are ranked by the dot product as it is.`);
  }
  return lookUpGroundTruth(groundTruth, database, descriptors, queryFolder);
}

/** Expands and ranks on this thread, or on the engine where that would take more than seconds. */
async function evaluate(
  groundTruth: GroundTruth,
  described: GroundTruthDescriptors,
  options: EvaluateCommandOptions,
): Promise<EvaluationResult> {
  const { evaluateDescriptors } = await import('../retrieval/evaluate.js');
  const { engineFromMultiplyAdds, engineSimilarity } = await import('../retrieval/engine-similarity.js');
  const { expandGroundTruth, expansionCost } = await import('../retrieval/expand-ground-truth.js');
  const { qe, dba } = options;
  const common = {
    rule: options.ap,
    recallAt: options.recall,
    top: options.report === undefined ? 0 : shownResults,
  };
  const multiplyAdds = described.queries.data.length * described.database.ids.length;
  const onEngine = multiplyAdds + expansionCost(described, { qe, dba }) >= engineFromMultiplyAdds;
  if (onEngine && options.model === undefined) await openEngine(options);
  const similarity = onEngine ? engineSimilarity : undefined;
  const { database, queries } = await expandGroundTruth(groundTruth, described, { qe, dba, similarity });
  if (!onEngine) return evaluateDescriptors(groundTruth, database, queries, common);
  const engine = engineSimilarity(database);
  const progress = startProgress('rank', queries.ids.length);
  try {
    return await evaluateDescriptors(groundTruth, database, queries, {
      ...common,
      similarity: engine.similarity,
      onProgress: (done) => progress.update(done),
    });
  } finally {
    progress.stop();
    engine.dispose();
  }
}

function resultJson(result: EvaluationResult, { failures }: GroundTruthDescriptors, options: EvaluateCommandOptions) {
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
    qe: expansionText(options.qe),
    dba: expansionText(options.dba),
    queries: result.queries.map(({ id, ap, apTrapezoid, apFiniteSum, positives }) => ({
      id,
      ap,
      apTrapezoid,
      apFiniteSum,
      positives,
    })),
    withoutPositives: result.withoutPositives,
    withoutDescriptor: result.withoutDescriptor,
    missingFromDatabase: result.missingFromDatabase,
    failures,
    ...(options.report !== undefined && { report: options.report }),
  };
}

function resultText(
  result: EvaluationResult,
  { failures }: GroundTruthDescriptors,
  options: EvaluateCommandOptions,
  about: readonly [string, string][] = [],
): string {
  const figure = (value: number) => value.toFixed(4);
  const named = (ids: readonly string[]) => `${ids.length} (${firstFew(ids)})`;
  const row = (name: string, value: string) => `${name.padEnd(16)} ${value}`;
  const ks = [...result.recallAt.keys()].join('/');
  const lines = [
    row('protocol', `${options.protocol} of ${sourceOf(options)}`),
    ...about.map(([name, value]) => row(name, value)),
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
  const figures = 3 + about.length;
  if (options.dba !== undefined) lines.splice(figures, 0, row('augmentation', expansionText(options.dba) ?? ''));
  if (options.qe !== undefined) lines.splice(figures, 0, row('query expansion', expansionText(options.qe) ?? ''));
  if (result.missingFromDatabase.length > 0) lines.push(row('not in database', named(result.missingFromDatabase)));
  if (result.withoutDescriptor.length > 0)
    lines.push(row('not described', `${named(result.withoutDescriptor)}, in no mean`));
  if (failures.length > 0) lines.push(row('failed images', named(failures.map(({ id }) => id))));
  if (options.report !== undefined) lines.push(row('report', options.report));
  if (options.perQuery) {
    lines.push('', `AP (${result.rule}) of each query:`);
    for (const { id, ap } of result.queries) lines.push(`${figure(ap)}  ${id}`);
  }
  return lines.join('\n');
}
