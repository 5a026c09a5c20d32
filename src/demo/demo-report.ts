/** @file The demo's report: one HTML page with the table, the curves, example queries before and after, settings and files. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../data/files.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { exampleGains, queryGains } from '../retrieval/compare/gains.js';
import type { EvaluationResult, QueryScore } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { GroundTruthPictures } from '../report/ground-truth-pictures.js';
import { htmlReport, type ReportBlock, type ReportSection } from '../report/page.js';
import { scaleLegend, similarityText } from '../retrieval/similarity-scale.js';
import { type LogRecord, type RunLog, readRunLog } from '../run/run-log.js';
import { RunFolder } from '../run/run-folder.js';
import type { DemoFolder } from './demo-folder.js';
import { expansionText } from '../retrieval/expansion.js';
import { compareQueries, type DemoResult, resultRows, resultSentence } from './demo-result.js';

export interface DemoReportContext {
  folder: DemoFolder;
  run: RunFolder;
  test: GroundTruth;
  init: string;
  images: string | undefined;
  generate: Required<SynthesizeOptions>;
}

/** Writes the page. */
export async function writeDemoReport(result: DemoResult, context: DemoReportContext): Promise<void> {
  const { folder, run } = context;
  const { steps, config } = result;
  const early = steps < config.steps ? ` It ended early, of ${config.steps}: nothing was left to learn.` : '';
  const [best, ...others] = await exampleBlocks(result, context.test);
  const sections: ReportSection[] = [
    {
      blocks: [
        { kind: 'text', text: resultSentence(result) },
        ...best,
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
            `The model after the last of ${steps} updates of the ranking is the fine-tuned one, ` +
            `and nothing is chosen by the curves.${early} Validation: photographs of trained landmarks, held back.`,
        },
        ...(await chartsOf(run)),
      ],
    },
    {
      heading: 'More queries before and after',
      blocks: [
        {
          kind: 'text',
          text: `First the query, then what was found. Green: the same landmark. Red: another. ${scaleLegend}`,
        },
        ...others.flat(),
      ],
    },
    { heading: 'Settings', blocks: [settingsTable(result, context)] },
    { heading: 'Files', blocks: [await fileTable(folder)] },
    {
      heading: 'The same by single commands',
      blocks: commandsOf(result, context).map((text): ReportBlock => ({ kind: 'text', text })),
    },
  ];
  const html = htmlReport({ title: 'Before and after fine-tuning', sections });
  await writeFileAtomic(folder.report, html, { overwrite: true });
}

/** Loss of the classification, where there is one, loss of the ranking, and mAP on the validation. */
async function chartsOf(run: RunFolder): Promise<ReportBlock[]> {
  const classification = await readRunLog(new RunFolder(run.classify).log);
  const ranking = await readRunLog(run.log);
  const chart = (yLabel: string, name: string, log: RunLog, valueOf: (record: LogRecord) => number | undefined) => {
    const points = log.records.flatMap((record) => {
      const value = valueOf(record);
      return value === undefined ? [] : [[record.step, value] as const];
    });
    return points.length === 0
      ? []
      : [{ kind: 'chart' as const, xLabel: 'updates', yLabel, series: [{ name, points }] }];
  };
  const lossOf = ({ event, loss }: LogRecord) => (event === 'update' ? loss : undefined);
  return [
    ...chart('loss', 'classification', classification, lossOf),
    ...chart('loss', 'ranking', ranking, lossOf),
    ...chart('mAP', 'ranking: validation', ranking, ({ event, map }) => (event === 'measure' ? map : undefined)),
  ];
}

/** Results shown per ranking. */
const shownPerRanking = 7;

/** Of each example its two rankings, under a line of text; the largest gain first. */
async function exampleBlocks(
  { offTheShelf: before, fineTuned: after }: DemoResult,
  groundTruth: GroundTruth,
): Promise<ReportBlock[][]> {
  const gains = queryGains(before.queries, after.queries);
  const pictures = new GroundTruthPictures(groundTruth);
  const ranking = async (when: string, { id, ap, top }: QueryScore, { unrelated }: EvaluationResult) => {
    const results = top
      .filter(({ relation }) => relation !== 'junk') // the query itself
      .slice(0, shownPerRanking)
      .map(async ({ id: found, similarity, relation }) => ({
        image: await pictures.result(found),
        caption: `${found} ${similarityText(similarity, unrelated)}`,
        relation,
      }));
    const query = { image: await pictures.query(id), caption: `${when}: AP ${ap.toFixed(2)}` };
    return { query, results: await Promise.all(results) };
  };
  return Promise.all(
    exampleGains(gains).map(async ({ place, gain }): Promise<ReportBlock[]> => {
      const rows = [await ranking('before', gain.before, before), await ranking('after', gain.after, after)];
      const text = `Query ${gain.before.id} (${place} of ${gains.length} queries), before and after fine-tuning.`;
      return [
        { kind: 'text', text },
        { kind: 'results', rows },
      ];
    }),
  );
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
    [join(folder.run, 'classify', 'model.safetensors'), 'the model after classification'],
    [folder.whitened, 'that with whitening'],
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
  { config, recipe, expansion }: DemoResult,
  { folder, run, init, images, generate }: DemoReportContext,
): string[] {
  const { photographs, noisyManifest, cleaned, trainManifest, validation, test, exported } = folder;
  const { landmarks, siblings, testShare, photos, noise, variation, size, seed } = generate;
  const evaluate = (model: string) =>
    `rmac evaluate --protocol groundtruth --groundtruth ${test} --model ${model} --size ${config.imageSize}`;
  return [
    ...(images === undefined
      ? [
          `rmac data synthesize --landmarks ${landmarks} --siblings ${siblings} --test-share ${testShare} --photos ${photos} --noise ${noise} --variation ${variation} --size ${size} --seed ${seed} --out ${photographs}`,
          `rmac clean --manifest ${noisyManifest} --neighbours 0 --out ${cleaned}`,
        ]
      : []),
    evaluate(init),
    `rmac train triplet --manifest ${trainManifest} --val ${validation} --init ${init} --config ${recipe} --seed ${config.seed} --run ${run.path}`,
    evaluate(run.model),
    `${evaluate(run.model)} --dba ${expansionText(expansion.dba)} --qe ${expansionText(expansion.qe)}`,
    `rmac export descriptor-model --model ${run.model} --out ${exported}`,
  ];
}

/** 2656000 -> "2.7 MB", 900 -> "1 kB". */
function formatBytes(bytes: number): string {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
