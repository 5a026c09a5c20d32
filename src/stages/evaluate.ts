/** @file Measures retrieval: mAP and per-query AP of a model, a published system, descriptors or rankings under a named protocol. */
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { InputError, UsageError } from '../errors.js';
import { regionsText } from '../models/region-source.js';
import { evaluationReport } from '../report/evaluation-report.js';
import { RegionOutlines } from '../report/region-outlines.js';
import { sizingFor } from '../retrieval/describe.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { expansionText } from '../retrieval/expansion.js';
import { firstFew } from '../retrieval/ground-truth.js';
import { mainGroundTruth, openTruth, type Truth } from '../retrieval/protocols/open-truth.js';
import { checkTruthSource, truthPath } from '../retrieval/protocols/truth-source.js';
import {
  figureLines,
  type NamedResult,
  type ProtocolFigures,
  protocolFigures,
  publishedNote,
} from '../retrieval/protocols/protocol-figures.js';
import { scaleFigures } from '../retrieval/similarity-scale.js';
import { type StageContext, silentView } from './context.js';
import { type MeasuredRetrieval, measureRetrieval, type MeasureRetrievalOptions } from './measure-retrieval.js';
import { areRowsAlone, knownIds, readMeasuredSources } from './measured-sources.js';
import { checkPreset, presetSummary } from './open-preset.js';

export interface EvaluateStageOptions extends MeasureRetrievalOptions {
  /** Resamples of the landmarks for a percentile interval of the mAP. Default: no interval. */
  bootstrap?: number;
  /** Of the resamples. Default 0. */
  seed?: number;
  /** JSON that another evaluation gave: the difference is tested on the same queries. */
  against?: string;
  /** HTML page to write: figures, queries with their first results and the regions pooled. */
  report?: string;
  /** Queries shown in it, evenly from the best to the worst. Default 8. */
  reportQueries?: number;
  /** Replace an existing page. */
  overwrite?: boolean;
}

/** The figures of the protocol, and every query's. */
export type EvaluateStageResult = Awaited<ReturnType<typeof evaluate>>;

/** Results shown of each query. */
const shownResults = 6;

/** @throws UsageError for options that do not go together, InputError where there is nothing to measure. */
export async function evaluate(options: EvaluateStageOptions, context: StageContext = {}) {
  checkEvaluation(options);
  if (options.report !== undefined) assertWritable(options.report, options);
  const ordering = areRowsAlone(options) ? await openTruth(options, { images: false }) : undefined;
  const sources = await readMeasuredSources(options, ordering && mainGroundTruth(ordering), context);
  const truth =
    ordering ??
    (await openTruth(options, {
      images: options.model !== undefined || options.preset !== undefined,
      ids: options.data === undefined ? knownIds(sources, options) : sources.database?.ids,
    }));
  const top = options.report === undefined ? 0 : shownResults + 1; // one may be the query itself
  return measureRetrieval(truth, sources, { ...options, top }, context, (measured) =>
    figuresOf(truth, measured, sources.distractors?.length ?? 0, options, context),
  );
}

async function figuresOf(
  truth: Truth,
  measured: MeasuredRetrieval,
  distractors: number,
  options: EvaluateStageOptions,
  { view = silentView }: Pick<StageContext, 'view'>,
) {
  const { results, failures, ready, rerankCurve, size } = measured;
  const { rerank, localization, localizedQe = 0, report } = options;
  const named = truth.settings.map(({ name }, i) => ({ name, result: results[i] }));
  const { result: main } = named.find(({ name }) => name === truth.main) ?? named[0];
  if (main.queries.length === 0) {
    throw new InputError(`None of the queries that have positives could be described; ${failures[0]?.error ?? ''}`);
  }
  if (truth.benchmark !== undefined) {
    assertComplete(options.protocol, measured);
    const note = publishedNote(truth.benchmark.protocol, main, distractors);
    if (note !== undefined) view.note(note);
  }
  const { figures, notes } = await protocolFigures(named, truth.main, { ...options, measuredAt: size });
  for (const note of notes) view.note(note);
  if (report !== undefined) {
    view.note('Writing the report.');
    const html = await pageOf(truth, { named, main, figures }, measured, options);
    await writeFileAtomic(report, html, options);
  }
  return {
    ...mainFigures(main, options),
    failures,
    ...(main.unrelated && { unrelated: { pairs: main.unrelated.length, ...scaleFigures(main.unrelated) } }),
    ...(report !== undefined && { report }),
    ...(size !== undefined && { imageSize: size }),
    ...(rerank && { rerank: { ...rerank, localizedQe, ...localization, curve: rerankCurve } }),
    ...(ready && { preset: presetSummary(ready) }),
    ...figures,
  };
}

function mainFigures(result: EvaluationResult, { protocol, qe, dba }: EvaluateStageOptions) {
  return {
    protocol,
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
    qe: expansionText(qe),
    dba: expansionText(dba),
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
  };
}

/** A benchmark's figures are of all its queries. */
function assertComplete(protocol: string, { results, failures }: MeasuredRetrieval): void {
  const lost = [...new Set(results.flatMap(({ withoutDescriptor }) => withoutDescriptor))];
  if (lost.length === 0) return;
  const reason = failures.find(({ id }) => lost.includes(id))?.error;
  throw new InputError(
    `${protocol}: no result for ${lost.length} queries (${firstFew(lost)})${reason === undefined ? '' : `: ${reason}`}`,
  );
}

/** The page. Regions are drawn where a model that pools R-MAC is given: descriptors do not know theirs. */
async function pageOf(
  truth: Truth,
  { named, main, figures }: { named: readonly NamedResult[]; main: EvaluationResult; figures: ProtocolFigures },
  { described, opened, size, rerankCurve }: MeasuredRetrieval,
  options: EvaluateStageOptions,
): Promise<string> {
  const { protocol, model, preset, descriptors, ranks, reportQueries = 8 } = options;
  const draws = opened?.model.meta.pooling.kind === 'rmac';
  return evaluationReport(
    { groundTruth: mainGroundTruth(truth), results: named, main, described },
    {
      title: `Retrieval: ${protocol} of ${truthPath(options) || descriptors || ranks || ''}`,
      settings: [
        model === undefined ? ['ranked by', preset ?? descriptors ?? ranks ?? ''] : ['model', model],
        ...(size === undefined ? [] : [['image size', size] as const]),
        ...(draws ? [['regions', regionsText(opened.regions)] as const] : []),
      ],
      notes: figureLines(figures),
      queries: reportQueries,
      rerankCurve,
      shown: shownResults,
      ...(draws && {
        outlines: new RegionOutlines(opened.model, { ...opened, sizing: sizingFor(opened.model.meta, options) }),
      }),
    },
  );
}

function checkEvaluation(options: EvaluateStageOptions): void {
  const { model, preset, descriptors, queries, ranks, pooling, size, snap, regions } = options;
  const { qe, dba, distractors } = options;
  const given = (...values: readonly unknown[]) => values.some((value) => value !== undefined);
  checkTruthSource(options, given(model, preset));
  if ([model, preset, descriptors, ranks].filter((value) => value !== undefined).length !== 1) {
    throw new UsageError('Give either --model FILE or --preset NAME or --descriptors DIR or --ranks PATH.');
  }
  checkPreset(options);
  if (preset !== undefined && given(pooling, regions, qe, dba)) {
    throw new UsageError('--pooling, --regions, --qe and --dba do not go with --preset, which sets them.');
  }
  checkRerank(options);
  if (queries !== undefined && descriptors === undefined) throw new UsageError('--queries goes with --descriptors.');
  if (ranks !== undefined && given(distractors, qe, dba)) {
    throw new UsageError('--distractors, --qe and --dba go with --model or --descriptors; ranked lists are done.');
  }
  if (!given(model, preset) && given(pooling, size, snap, regions)) {
    throw new UsageError(
      '--pooling, --size, --snap and --regions go with --model; descriptors are evaluated as they are.',
    );
  }
}

function checkRerank({ rerank, localization, localizedQe, model, regions }: EvaluateStageOptions): void {
  if (localizedQe !== undefined && (rerank === undefined || rerank.kind === 'cross-match')) {
    throw new UsageError('--localized-qe goes with --rerank aml or aml-rmac: it expands by what was localised.');
  }
  if (localization !== undefined && rerank === undefined) throw new UsageError('--localization goes with --rerank.');
  if (rerank === undefined) return;
  if (model === undefined)
    throw new UsageError('--rerank looks into activation maps; it goes with --model, not with --descriptors.');
  if (regions !== undefined && regions.proposals > 0) throw new UsageError('--rerank goes with --regions grid.');
}
