/** @file `rmac evaluate`: mAP and per-query AP of a model or of descriptors under a named protocol. */
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import { averagePrecisionRules } from '../retrieval/average-precision.js';
import { firstFew } from '../retrieval/ground-truth.js';
import {
  addBenchmarkOptions,
  checkBenchmarkUsage,
  mainGroundTruth,
  openTruth,
  protocolsHelp,
  sourceOf,
} from './benchmark-options.js';
import { addCommonOptions, nonNegativeInteger, positiveInteger, printResult, say } from './console.js';
import { areRowsAlone, knownIds, measure, type MeasureOptions, readSources } from './evaluate-measure.js';
import { extraMeasures, measureLines, publishedNote } from './evaluate-measures.js';
import { perQueryText, resultJson, resultText } from './evaluate-output.js';
import { shownResults, writeEvaluationReport } from './evaluate-report.js';
import { addExpansionOptions } from './expansion-options.js';
import { addModelOptions } from './open-model.js';
import { addPresetOptions, checkPresetUsage } from './preset-options.js';
import { presetJson, presetRows } from './ready-preset.js';
import { addRegionsOption } from './regions-option.js';
import { addRerankOptions, checkRerank, curveText, rerankText } from './rerank-option.js';

interface EvaluateCommandOptions extends Omit<MeasureOptions, 'top'> {
  report?: string;
  bootstrap?: number;
  seed: number;
  against?: string;
  reportQueries: number;
  overwrite?: boolean;
  perQuery?: boolean;
}

export function register(program: Command): void {
  const command = program.command('evaluate');
  addBenchmarkOptions(command)
    .option('--model <file>', 'describe the images with this model')
    .option(
      '--descriptors <path>',
      'or take them from what rmac extract wrote, or an .npy file in the order of the ground truth',
    )
    .option('--queries <path>', 'descriptors of the queries, where they are not in --descriptors')
    .option('--ranks <path>', 'or score ranked lists: text, .rnk, .json or .npy')
    .option('--distractors <dir>', 'images or descriptors to search in as well, right for no query');
  addPresetOptions(addExpansionOptions(addRerankOptions(addRegionsOption(addModelOptions(command)))))
    .addOption(
      new Option('--ap <rule>', "rule behind map and ap: trapezoid (Oxford/Paris) or finite-sum (scikit-learn's)")
        .choices(averagePrecisionRules)
        .default('trapezoid'),
    )
    .option('--recall <list>', 'k of recall@k', integerList, [1, 5, 10])
    .option('--bootstrap <n>', 'percentile interval of the mAP from n resamples of the landmarks', positiveInteger)
    .option('--seed <n>', 'of the resamples', nonNegativeInteger, 0)
    .option('--against <file>', 'JSON that another evaluation printed: test the difference on the same queries')
    .option('--per-query', 'also print the AP of every query')
    .option('--report <file>', 'write one HTML page: figures, queries with their first results and the regions pooled')
    .option('--report-queries <n>', 'queries shown in it, evenly from the best to the worst', positiveInteger, 8)
    .option('--overwrite', 'replace an existing page');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `${protocolsHelp} recall@k is the mean share of a query's positives among its first k results; hit rate@k the
share of queries with at least one there. --dba comes before --qe; a query's own image is none of its neighbours where
it is junk. Definitions: docs/protocols.md, docs/search.md.

Examples:
  rmac evaluate --protocol labels --manifest val.jsonl --model model.safetensors --size 512
  rmac evaluate --protocol labels --manifest val.jsonl --model runs/rpn/best.safetensors --regions rpn:64 --report regions.html
  rmac evaluate --protocol groundtruth --groundtruth gt.json --descriptors descriptors/ --dba gordo:20 --qe aqe:10
  rmac evaluate --protocol groundtruth --groundtruth gt.json --model model.safetensors --rerank aml-rmac --localized-qe 5
  rmac evaluate --protocol roxford5k --data roxford5k --model model.safetensors --bootstrap 10000
  rmac evaluate --protocol oxford5k --data oxford5k --preset rmac-plus --weights resnet50.safetensors --fit paris.jsonl
  rmac evaluate --protocol oxford5k --data oxford5k --ranks rankings/ --json`,
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
  const ordering = (await areRowsAlone(options)) ? await openTruth(options, { images: false }) : undefined;
  const sources = await readSources(options, ordering && mainGroundTruth(ordering));
  const truth =
    ordering ??
    (await openTruth(options, {
      images: options.model !== undefined || options.preset !== undefined,
      ids: options.data === undefined ? await knownIds(sources, options) : sources.database?.ids,
    }));
  const { results, failures, described, ready, rerankCurve, size } = await measure(truth, sources, {
    ...options,
    top: options.report === undefined ? 0 : shownResults + 1, // one may be the query itself
  });
  const named = truth.settings.map(({ name }, i) => ({ name, result: results[i] }));
  const main = named.find(({ name }) => name === truth.main) ?? named[0];
  if (main.result.queries.length === 0) {
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
    const note = publishedNote(truth.benchmark.protocol, main.result, sources.distractors?.length ?? 0);
    if (note !== undefined) say(note);
  }
  const extra = await extraMeasures(named, truth.main, { ...options, measuredAt: size });
  for (const note of extra.notes) say(note);
  const source = sourceOf(options) || options.descriptors || options.ranks || '';
  if (options.report !== undefined) {
    const context = { groundTruth: mainGroundTruth(truth), results: named, main: main.result, described, rerankCurve };
    await writeEvaluationReport(options.report, { ...context, extra, source, size }, options);
  }
  const about = [
    ...(size === undefined ? [] : [['image size', size] as const]),
    ...(options.rerank === undefined ? [] : [['re-ranked', rerankText(options)] as const]),
    ...(rerankCurve === undefined ? [] : [['mAP by length', curveText(rerankCurve)] as const]),
    ...(ready === undefined ? [] : presetRows(ready)),
  ];
  const json = {
    ...resultJson(main.result, { failures, options }),
    ...(size !== undefined && { imageSize: size }),
    ...(options.rerank && {
      rerank: { ...options.rerank, localizedQe: options.localizedQe ?? 0, ...options.localization, curve: rerankCurve },
    }),
    ...(ready && { preset: presetJson(ready) }),
    ...extra.json,
  };
  const text = [resultText(main.result, { failures, options, source, about }), ...measureLines(extra)].join('\n');
  printResult(json, options.perQuery ? `${text}\n${perQueryText(main.result)}` : text, options);
}

function checkUsage(options: EvaluateCommandOptions): void {
  const { model, preset, descriptors, queries, ranks, pooling, size, snap, regions } = options;
  checkBenchmarkUsage(options, model !== undefined || preset !== undefined);
  if ([model, preset, descriptors, ranks].filter((value) => value !== undefined).length !== 1) {
    throw new UsageError('Give either --model FILE or --preset NAME or --descriptors DIR or --ranks PATH.');
  }
  checkPresetUsage(options);
  if (preset !== undefined && [pooling, regions, options.qe, options.dba].some((value) => value !== undefined)) {
    throw new UsageError('--pooling, --regions, --qe and --dba do not go with --preset, which sets them.');
  }
  checkRerank(options, model !== undefined, (regions?.proposals ?? 0) > 0);
  if (queries !== undefined && descriptors === undefined) throw new UsageError('--queries goes with --descriptors.');
  if (ranks !== undefined && [options.distractors, options.qe, options.dba].some((value) => value !== undefined)) {
    throw new UsageError('--distractors, --qe and --dba go with --model or --descriptors; ranked lists are done.');
  }
  if (
    model === undefined &&
    preset === undefined &&
    [pooling, size, snap, regions].some((value) => value !== undefined)
  ) {
    throw new UsageError(
      '--pooling, --size, --snap and --regions go with --model; descriptors are evaluated as they are.',
    );
  }
}
