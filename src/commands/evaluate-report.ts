/** @file `rmac evaluate --report`: the page, with the model's regions drawn over query and results. */
import { type RegionSource, regionsText } from '../models/region-source.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { ProposalDescriber } from '../rpn/proposal-describer.js';
import { say } from './console.js';
import { type ExtraMeasures, measureLines, type NamedResult } from './evaluate-measures.js';
import { type ModelOptions, openModel } from './open-model.js';

/** Results shown of each query. */
export const shownResults = 6;

interface ReportOptions extends ModelOptions {
  model?: string;
  descriptors?: string;
  ranks?: string;
  preset?: string;
  regions?: RegionSource;
  protocol: string;
  reportQueries: number;
  overwrite?: boolean;
}

interface ReportContext {
  groundTruth: GroundTruth;
  results: readonly NamedResult[];
  /** The result whose queries are shown. */
  main: EvaluationResult;
  described: GroundTruthDescriptors | undefined;
  rerankCurve?: readonly (readonly [depth: number, map: number])[];
  extra: ExtraMeasures;
  source: string;
  size: string | undefined;
}

/** Writes the page. Regions are drawn where a model that pools R-MAC is given: descriptors do not know theirs. */
export async function writeEvaluationReport(
  file: string,
  { groundTruth, results, main, described, rerankCurve, extra, source, size }: ReportContext,
  options: ReportOptions,
): Promise<void> {
  const { writeFileAtomic } = await import('../data/files.js');
  const { evaluationReport } = await import('../report/evaluation-report.js');
  say('Writing the report.');
  const model = options.model === undefined ? undefined : await openModel(options.model, options);
  const draws = model?.meta.pooling.kind === 'rmac';
  const regions = options.regions ?? model?.meta.regions;
  const proposals = model && draws ? await proposalsOf(model, regions) : undefined;
  try {
    const html = await evaluationReport(
      { groundTruth, results, main, described },
      {
        title: `Retrieval: ${options.protocol} of ${source}`,
        settings: [
          options.model === undefined
            ? ['ranked by', options.preset ?? options.descriptors ?? options.ranks ?? '']
            : ['model', options.model],
          ...(size === undefined ? [] : [['image size', size] as const]),
          ...(draws ? [['regions', regionsText(regions)] as const] : []),
        ],
        notes: measureLines(extra),
        queries: options.reportQueries,
        rerankCurve,
        shown: shownResults,
        ...(model && draws && { outlines: await outlinesOf(model, proposals, { ...options, regions }) }),
      },
    );
    await writeFileAtomic(file, html, options);
  } finally {
    proposals?.dispose();
    model?.dispose();
  }
}

async function proposalsOf(
  model: DescriptorModel,
  regions: RegionSource | undefined,
): Promise<ProposalDescriber | undefined> {
  if (regions === undefined || regions.proposals === 0) return undefined;
  const { ProposalDescriber } = await import('../rpn/proposal-describer.js');
  return new ProposalDescriber(model, regions);
}

async function outlinesOf(model: DescriptorModel, proposals: ProposalDescriber | undefined, options: ReportOptions) {
  const { RegionOutlines } = await import('../report/region-outlines.js');
  const { sizingFor } = await import('../retrieval/describe.js');
  const sizing = sizingFor(model.meta, options);
  const [strong, most] = [3, 64];
  const outlines = new RegionOutlines(model, { sizing, strong, most, ...(proposals && { proposals }) });
  return {
    of: outlines.of.bind(outlines),
    text:
      `Rectangles: the regions that are pooled (${regionsText(options.regions)}; at most ${most}). Yellow: the ${strong} that add ` +
      "most to the similarity with the query, on the query itself to its own descriptor's length; the pointer shows how much.",
  };
}
