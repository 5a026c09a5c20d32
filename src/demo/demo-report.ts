/** @file The demo's report: one HTML page with the table, the curves, example queries before and after, settings and files. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../data/files.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { exampleGains, queryGains } from '../retrieval/compare/gains.js';
import type { EvaluationResult, QueryScore, RankedResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { GroundTruthPictures } from '../report/ground-truth-pictures.js';
import { htmlReport, type RankedPictures, type ReportBlock, type ReportPicture } from '../report/page.js';
import { scaleLegend, similarityText } from '../retrieval/similarity-scale.js';
import { readRunLog } from '../run/run-log.js';
import type { RunFolder } from '../run/run-folder.js';
import type { DemoFolder } from './demo-folder.js';
import { compareQueries, type DemoResult, resultRows } from './demo-result.js';

type Points = (readonly [step: number, value: number])[];

/** What the training log says, by update. */
export interface TrainingCurve {
  validation: Points;
  test: Points;
  loss: Points;
}

export async function readCurve(log: string): Promise<TrainingCurve> {
  const curve: TrainingCurve = { validation: [], test: [], loss: [] };
  for (const { event, step, loss, map, testMap } of (await readRunLog(log)).records) {
    if (event === 'update' && loss !== undefined) curve.loss.push([step, loss]);
    if (event !== 'measure') continue;
    if (map !== undefined) curve.validation.push([step, map]);
    if (testMap !== undefined) curve.test.push([step, testMap]);
  }
  return curve;
}

export interface DemoReportContext {
  folder: DemoFolder;
  run: RunFolder;
  test: GroundTruth;
  curve: TrainingCurve;
  init: string;
  images: string | undefined;
  generate: Required<SynthesizeOptions>;
}

/** Writes the page. */
export async function writeDemoReport(result: DemoResult, context: DemoReportContext): Promise<void> {
  const { folder, curve } = context;
  const { offTheShelf, fineTuned, steps, config } = result;
  const early = steps < config.steps ? ` It ended early, of ${config.steps}: nothing was left to learn.` : '';
  const sections = [
    {
      heading: 'Result',
      blocks: [
        { kind: 'text', text: result.testKind },
        { kind: 'table', ...resultRows(result) },
        { kind: 'text', text: compareQueries(result) },
      ],
    },
    {
      heading: 'Training',
      blocks: [
        {
          kind: 'text',
          text:
            `The model after the last of ${steps} updates is the fine-tuned one, ` +
            `and nothing is chosen by the curves.${early} Validation: photographs of trained landmarks, held back.`,
        },
        {
          kind: 'chart',
          xLabel: 'updates',
          yLabel: 'mAP',
          series: [
            { name: 'test', points: curve.test },
            { name: 'validation', points: curve.validation },
          ],
        },
        {
          kind: 'chart',
          xLabel: 'updates',
          yLabel: 'triplet loss',
          series: [{ name: 'mean of the update', points: curve.loss }],
        },
      ],
    },
    {
      heading: 'Queries before and after',
      blocks: [
        {
          kind: 'text',
          text: `Left the query, then the first results. Green: the same landmark. Red: another. ${scaleLegend}`,
        },
        ...(await exampleBlocks(offTheShelf, fineTuned, context.test)),
      ],
    },
    { heading: 'Settings', blocks: [settingsTable(result, context)] },
    { heading: 'Files', blocks: [await fileTable(folder)] },
    {
      heading: 'The same by single commands',
      blocks: commandsOf(result, context).map((text): ReportBlock => ({ kind: 'text', text })),
    },
  ] satisfies { heading: string; blocks: ReportBlock[] }[];
  const html = htmlReport({ title: 'Off-the-shelf and fine-tuned descriptors', sections });
  await writeFileAtomic(folder.report, html, { overwrite: true });
}

/** Results shown per ranking. */
const shownPerRanking = 8;

async function exampleBlocks(
  before: EvaluationResult,
  after: EvaluationResult,
  groundTruth: GroundTruth,
): Promise<ReportBlock[]> {
  const gains = queryGains(before.queries, after.queries);
  const pictures = new GroundTruthPictures(groundTruth);
  const results = (top: readonly RankedResult[], { unrelated }: EvaluationResult) =>
    Promise.all(
      top
        .filter(({ relation }) => relation !== 'junk') // the query itself
        .slice(0, shownPerRanking)
        .map(async ({ id, similarity, relation }) => ({
          image: await pictures.result(id),
          caption: `${id} ${similarityText(similarity, unrelated)}`,
          relation,
        })),
    );
  const blocks: ReportBlock[] = [];
  for (const { place, gain } of exampleGains(gains)) {
    const { before: one, after: two } = gain;
    const image = await pictures.query(one.id);
    const ranking = async (when: string, score: QueryScore, of: EvaluationResult): Promise<RankedPictures> => {
      const shownQuery: ReportPicture = { image, caption: `${when}: AP ${score.ap.toFixed(2)}` };
      return { query: shownQuery, results: await results(score.top, of) };
    };
    blocks.push(
      { kind: 'text', text: `${one.id} (${place} of ${gains.length} queries)` },
      { kind: 'results', rows: [await ranking('before', one, before), await ranking('after', two, after)] },
    );
  }
  return blocks;
}

function settingsTable(
  { meta, config, recipe, seconds }: DemoResult,
  { init, images }: DemoReportContext,
): ReportBlock {
  const rows: (readonly [string, string])[] = [
    ['photographs', images ?? 'generated'],
    ['network', `${meta.architecture} to ${meta.cut} (${init})`],
    ['weights from', meta.provenance ?? 'not stated'],
    ['recipe', recipe],
    ...Object.entries(config).map(
      ([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : String(value)] as const,
    ),
    ...Object.entries(seconds).map(([stage, time]) => [`time: ${stage}`, `${time} s`] as const),
  ];
  return { kind: 'table', columns: ['setting', 'value'], rows };
}

async function fileTable(folder: DemoFolder): Promise<ReportBlock> {
  const named = [
    [folder.trainManifest, 'training photographs'],
    [join(folder.cleaned, 'report.html'), 'what cleaning kept and left out, and why'],
    [folder.validation, 'validation queries: held-back photographs of the trained landmarks'],
    [folder.test, 'test queries'],
    [folder.whitened, 'the network with whitening, before training'],
    [join(folder.run, 'model.safetensors'), 'the fine-tuned model'],
    [join(folder.run, 'log.jsonl'), 'every update and measurement'],
    [join(folder.run, 'config.yaml'), 'all settings of the training'],
    ...(await readdir(folder.exported)).map((name) => [join(folder.exported, name), 'exported'] as const),
  ] as const;
  const rows: (readonly [string, string, string])[] = [];
  for (const [path, what] of named) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) rows.push([path, what, formatBytes(found.size)]);
  }
  return { kind: 'table', columns: ['file', 'what', 'size'], rows };
}

/** What a person would type to do the same step by step. */
function commandsOf(
  { config, recipe }: DemoResult,
  { folder, run, init, images, generate }: DemoReportContext,
): string[] {
  const { photographs, noisyManifest, cleaned, trainManifest, validation, test, exported } = folder;
  const { landmarks, photos, noise, variation, size, seed } = generate;
  const evaluate = (model: string) =>
    `rmac evaluate --protocol groundtruth --groundtruth ${test} --model ${model} --size ${config.imageSize}`;
  return [
    ...(images === undefined
      ? [
          `rmac data synthesize --landmarks ${landmarks} --photos ${photos} --noise ${noise} --variation ${variation} --size ${size} --seed ${seed} --out ${photographs}`,
          `rmac clean --manifest ${noisyManifest} --neighbours 0 --out ${cleaned}`,
        ]
      : []),
    evaluate(init),
    `rmac train triplet --manifest ${trainManifest} --val ${validation} --init ${init} --config ${recipe} --seed ${config.seed} --run ${run.path}`,
    evaluate(run.model),
    `rmac export descriptor-model --model ${run.model} --out ${exported}`,
  ];
}

/** 2656000 -> "2.7 MB", 900 -> "1 kB". */
function formatBytes(bytes: number): string {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
