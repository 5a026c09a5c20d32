/** @file What a demo ends with, in rows for people and as the object for scripts. */
import type { ExportManifest } from '../export/manifest.js';
import type { Verification } from '../export/verify-onnx.js';
import type { ModelMeta } from '../models/meta.js';
import { betterAndWorse, queryGains } from '../retrieval/compare/gains.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { type DatabaseAugmentation, expansionText, type QueryExpansion } from '../retrieval/expansion.js';
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
  /** After the classification; undefined where the recipe has none. */
  classified: EvaluationResult | undefined;
  /** After that with a whitening learned from the training photographs; undefined where there is none, or the network came with its own. */
  whitened: EvaluationResult | undefined;
  /** After the ranking. */
  fineTuned: EvaluationResult;
  /** The same descriptors, the database augmented and the queries expanded. */
  expanded: EvaluationResult;
  expansion: { dba: DatabaseAugmentation; qe: QueryExpansion };
  /** Finished updates of the ranking, fewer than `config.steps` where nothing was left to learn. */
  steps: number;
  exported: ExportManifest;
  verified: Verification[];
  /** Of each stage. */
  seconds: Record<string, number>;
}

/** The rows of the result table: name and figures of each state, one step more in each. */
export function resultRows({ meta, config, ...measured }: DemoResult): {
  columns: string[];
  rows: string[][];
} {
  const pooling = { mac: 'MAC', spoc: 'SPoC', gem: 'GeM', rmac: 'R-MAC', cls: 'class token' }[meta.pooling.kind];
  const own = meta.whitening === undefined ? '' : ' with its own whitening';
  const { offTheShelf, classified, whitened, fineTuned, expanded } = measured;
  const loss = config.loss === 'triplet' ? 'triplets' : `the ${config.loss} loss`;
  const states: [string, EvaluationResult | undefined][] = [
    [`off the shelf, ${pooling}${own}`, offTheShelf],
    ['fine-tuned by classification', classified],
    ['+ whitening', whitened],
    [`${classified === undefined ? 'fine-tuned' : '+ ranking'} by ${loss}`, fineTuned],
    ['+ database augmentation and query expansion', expanded],
  ];
  return {
    columns: ['', 'mAP', 'P@1', 'recall@10'],
    rows: states.flatMap(([name, state]) => {
      if (state === undefined) return [];
      const figures = [state.map, state.precisionAt1, state.recallAt.get(10) ?? Number.NaN];
      return [[name, ...figures.map((value) => value.toFixed(3))]];
    }),
  };
}

/** The result in a sentence. */
export function resultSentence({ testKind, offTheShelf, fineTuned }: DemoResult): string {
  const share = ({ precisionAt1 }: EvaluationResult) => `${Math.round(100 * precisionAt1)} %`;
  return (
    `The first photograph found is right for ${share(fineTuned)} of the queries after fine-tuning, and was for ` +
    `${share(offTheShelf)} before: ${testKind}`
  );
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
  const { offTheShelf, classified, whitened, fineTuned, expanded, expansion, report, steps } = result;
  return {
    offTheShelf: figures(offTheShelf),
    ...(classified && { classified: figures(classified) }),
    ...(whitened && { whitened: figures(whitened) }),
    fineTuned: { ...figures(fineTuned), steps },
    expanded: { ...figures(expanded), dba: expansionText(expansion.dba), qe: expansionText(expansion.qe) },
    report,
    queries: fineTuned.queries.length,
    database: fineTuned.databaseSize,
    seconds: Math.round(seconds),
    stages: result.seconds,
  };
}
