/** @file `--rerank` and `--localized-qe`: a second look at the top of every ranking, in the images' activation maps. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { DescribeGroundTruthOptions, GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { EvaluateOptions } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { defaultRerankDepth, type RerankKind, rerankKinds } from '../retrieval/localization/rerank.js';
import { positiveInteger } from './console.js';

export interface Rerank {
  kind: RerankKind;
  depth: number;
}

export interface RerankFlags {
  rerank?: Rerank;
  localizedQe?: number;
}

/** Adds `--rerank` and `--localized-qe`. */
export function addRerankOptions(command: Command): Command {
  return command
    .option(
      '--rerank <kind>',
      `re-rank the first images (default: ${defaultRerankDepth}) by what looks like the query in them: aml, aml-rmac or cross-match, with :N for another number`,
      rerankOption,
    )
    .option(
      '--localized-qe <k>',
      'rank those images once more by the mean of the query and what was localised in the best k',
      positiveInteger,
    );
}

/** commander parser: "aml", "aml-rmac:200". */
export function rerankOption(text: string): Rerank {
  const [name, number, ...rest] = text.split(':');
  const kind = rerankKinds.find((known) => known === name);
  const depth = number === undefined ? defaultRerankDepth : Number(number);
  if (kind === undefined || rest.length > 0 || !/^\d+$/.test(number ?? '0') || !(depth >= 1 && depth <= 1e6)) {
    throw new UsageError(
      `--rerank: expected ${rerankKinds.join(', ')}, with :N for N images, such as aml:200, got "${text}".`,
    );
  }
  return { kind, depth };
}

/** @throws UsageError where the flags do not go together. `model`: one is given; `proposals`: it describes by those. */
export function checkRerank({ rerank, localizedQe }: RerankFlags, model: boolean, proposals: boolean): void {
  if (localizedQe !== undefined && (rerank === undefined || rerank.kind === 'cross-match')) {
    throw new UsageError('--localized-qe goes with --rerank aml or aml-rmac: it expands by what was localised.');
  }
  if (rerank === undefined) return;
  if (!model)
    throw new UsageError('--rerank looks into activation maps; it goes with --model, not with --descriptors.');
  if (proposals) throw new UsageError('--rerank goes with --regions grid.');
}

/** Describes a ground truth with its maps; `rerank` looks into them for as long as the model lives. */
export async function describeForRerank(
  model: DescriptorModel,
  groundTruth: GroundTruth,
  settings: DescribeGroundTruthOptions,
  { rerank, localizedQe }: RerankFlags,
): Promise<{ described: GroundTruthDescriptors; rerank: EvaluateOptions['rerank'] }> {
  const { describeGroundTruthMaps } = await import('../retrieval/localization/describe-maps.js');
  const { groundTruthReranker } = await import('../retrieval/localization/ground-truth-reranker.js');
  const { modelRegions } = await import('../retrieval/localization/model-regions.js');
  const { kind, depth } = rerank!;
  const regions = kind === 'aml' ? undefined : modelRegions(model);
  const found = await describeGroundTruthMaps(model, groundTruth, { ...settings, regions });
  const rerankOptions = { kind, depth, model: regions, expansion: localizedQe };
  return {
    described: found.described,
    rerank: groundTruthReranker(groundTruth, found, rerankOptions),
  };
}

/** The flags in words. */
export function rerankText({ rerank, localizedQe }: RerankFlags): string {
  const expansion = localizedQe === undefined ? '' : `, expanded by the best ${localizedQe}`;
  return `the first ${rerank!.depth} by ${rerank!.kind}${expansion}`;
}
