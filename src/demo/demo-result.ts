/** @file What a demo ends with, in rows for people and as the object for scripts. */
import type { ExportManifest } from '../export/manifest.js';
import type { Verification } from '../export/verify-onnx.js';
import type { ModelMeta } from '../models/meta.js';
import { betterAndWorse, queryGains } from '../retrieval/compare/gains.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import type { TripletConfig } from '../train/ranking/triplet-config.js';

/** What the demo measured, before and after fine-tuning. */
export interface DemoResult {
  out: string;
  report: string;
  meta: ModelMeta;
  config: TripletConfig;
  recipe: string;
  /** What the test asks. */
  testKind: string;
  offTheShelf: EvaluationResult;
  /** With whitening learned from the training photographs; undefined where the network came with its own. */
  whitened: EvaluationResult | undefined;
  fineTuned: EvaluationResult;
  /** Finished updates, fewer than `config.steps` where nothing was left to learn. */
  steps: number;
  exported: ExportManifest;
  verified: Verification[];
  /** Of each stage. */
  seconds: Record<string, number>;
}

/** The rows of the result table: name and figures of each network state. */
export function resultRows({ meta, offTheShelf, whitened, fineTuned }: DemoResult): {
  columns: string[];
  rows: string[][];
} {
  const pooling = { mac: 'MAC', spoc: 'SPoC', gem: 'GeM', rmac: 'R-MAC', cls: 'class token' }[meta.pooling.kind];
  const row = (name: string, { map, precisionAt1, recallAt }: EvaluationResult) => [
    name,
    ...[map, precisionAt1, recallAt.get(10) ?? Number.NaN].map((value) => value.toFixed(3)),
  ];
  const own = meta.whitening === undefined ? '' : ' with its own whitening';
  return {
    columns: ['', 'mAP', 'P@1', 'recall@10'],
    rows: [
      row(`off-the-shelf, ${pooling}${own}`, offTheShelf),
      ...(whitened === undefined ? [] : [row(`off-the-shelf, ${pooling} + whitening`, whitened)]),
      row('fine-tuned by triplets', fineTuned),
    ],
  };
}

/** How many queries rank better and worse after fine-tuning; AP differences under half a point count as equal. */
export function compareQueries({ offTheShelf, fineTuned }: DemoResult): string {
  const gains = queryGains(offTheShelf.queries, fineTuned.queries);
  const { better, worse } = betterAndWorse(gains);
  return `${better} of ${gains.length} queries rank better after fine-tuning, ${worse} worse.`;
}

/** The figures that scripts read. */
export function resultJson(result: DemoResult, seconds: number) {
  const figures = ({ map, precisionAt1, recallAt }: EvaluationResult) => ({
    map,
    precisionAt1,
    recallAt10: recallAt.get(10),
  });
  const { offTheShelf, whitened, fineTuned, report, steps } = result;
  return {
    offTheShelf: { ...figures(offTheShelf), ...(whitened && { whitened: figures(whitened) }) },
    fineTuned: { ...figures(fineTuned), steps },
    report,
    queries: fineTuned.queries.length,
    database: fineTuned.databaseSize,
    seconds: Math.round(seconds),
    stages: result.seconds,
  };
}
