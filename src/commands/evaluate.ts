/** @file `rmac evaluate`: mAP and per-query AP of a model or of descriptors under a named protocol. */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { averagePrecisionRules } from '../retrieval/average-precision.js';
import { firstFew } from '../retrieval/ground-truth.js';
import { truthPath } from '../retrieval/protocols/truth-source.js';
import { figureLines } from '../retrieval/protocols/protocol-figures.js';
import type { EvaluateStageOptions, EvaluateStageResult } from '../stages/evaluate.js';
import { loadStage } from '../stages/load-stage.js';
import { addBenchmarkOptions, protocolsHelp } from './benchmark-options.js';
import {
  addCommonOptions,
  type CommonOptions,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';
import { addExpansionOptions } from './expansion-options.js';
import { addModelOptions } from './model-options.js';
import { addPresetOptions, presetRows } from './preset-options.js';
import { addRegionsOption } from './regions-option.js';
import { addRerankOptions, curveText, rerankText } from './rerank-option.js';

interface EvaluateCommandOptions extends EvaluateStageOptions, CommonOptions {
  device: string;
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
  const { evaluate } = await loadStage.evaluate();
  const result = await evaluate(options, terminalContext);
  const text = textOf(result, options);
  printResult(result, options.perQuery ? `${text}\n${perQueryText(result)}` : text, options);
}

const row = (name: string, value: string) => `${name.padEnd(16)} ${value}`;

function textOf(result: EvaluateStageResult, options: EvaluateStageOptions): string {
  const figure = (value: number) => value.toFixed(4);
  const figures = (values: Record<string, number>) => Object.values(values).map(figure).join(' ');
  const named = (ids: readonly string[]) => `${ids.length} (${firstFew(ids)})`;
  const source = truthPath(options) || options.descriptors || options.ranks || '';
  const ks = Object.keys(result.recallAt).join('/');
  const { qe, dba, imageSize, preset, unrelated, failures, withoutDescriptor, missingFromDatabase } = result;
  const curve = result.rerank?.curve;
  const lines: [string, string][] = [
    ['protocol', `${result.protocol} of ${source}`],
    ...(imageSize === undefined ? [] : [['image size', imageSize] as [string, string]]),
    ...(options.rerank === undefined ? [] : [['re-ranked', rerankText(options)] as [string, string]]),
    ...(curve === undefined ? [] : [['mAP by length', curveText(curve)] as [string, string]]),
    ...(preset === undefined ? [] : presetRows(preset)),
    ['queries', `${result.queries.length} scored, ${result.withoutPositives.length} without positives`],
    ['database', `${result.databaseSize} images`],
    ...(qe === undefined ? [] : [['query expansion', qe] as [string, string]]),
    ...(dba === undefined ? [] : [['augmentation', dba] as [string, string]]),
    ['mAP', `${figure(result.mapTrapezoid)} trapezoid, ${figure(result.mapFiniteSum)} finite sum`],
    [
      'macro mAP',
      result.macroMap === null
        ? '- (queries without landmark)'
        : `${figure(result.macroMap)} ${result.ap}, over ${result.landmarks} landmarks`,
    ],
    ['P@1', figure(result.precisionAt1)],
    [`recall@${ks}`, figures(result.recallAt)],
    [`hit rate@${ks}`, figures(result.hitRateAt)],
  ];
  if (unrelated?.median !== undefined && unrelated.p99 !== undefined) {
    const [median, p99] = [unrelated.median, unrelated.p99].map((value) => value.toFixed(3));
    lines.push(['unrelated pairs', `similarity ${median} in the middle, 99 % below ${p99}`]);
  }
  if (missingFromDatabase.length > 0) lines.push(['not in database', named(missingFromDatabase)]);
  if (withoutDescriptor.length > 0) lines.push(['not described', `${named(withoutDescriptor)}, in no mean`]);
  if (failures.length > 0) lines.push(['failed images', named(failures.map(({ id }) => id))]);
  return [...lines.map(([name, value]) => row(name, value)), ...figureLines(result)].join('\n');
}

/** The AP of every query, a line each. */
function perQueryText({ ap: rule, queries }: EvaluateStageResult): string {
  return ['', `AP (${rule}) of each query:`, ...queries.map(({ id, ap }) => `${ap.toFixed(4)}  ${id}`)].join('\n');
}
