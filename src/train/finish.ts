/**
 * @file What a run ends with: its weights averaged with those that it started from (WiSE-FT, Wortsman et al. 2022), by a share that is
 * given or chosen on landmarks held back, then a whitening learned on the training photographs. All ranks do it alike.
 */
import type { ImageRecord } from '../data/manifest.js';
import type { StoredModel } from '../data/model-file.js';
import { splitRecords } from '../data/split.js';
import { averageWeights } from '../models/average-weights.js';
import { DescriptorModel } from '../models/descriptor.js';
import { withoutWhitening, withPower } from '../models/whitening.js';
import { defaultLongestSidePx, sizingFor } from '../retrieval/describe.js';
import { type GroundTruth, labelsGroundTruth } from '../retrieval/ground-truth.js';
import { ProposalDescriber } from '../rpn/proposal-describer.js';
import type { FinishSummary, MeasuredShare } from '../run/run-records.js';
import { type FinishConfig, triedShares } from './finish-config.js';
import type { ProcessGroup } from './process-group.js';
import { measureMap } from './ranking/measure.js';
import { whitened } from './ranking/ranking-start.js';

/** The training set of a run, and what is kept out of it to choose by. */
export interface HeldBack {
  train: ImageRecord[];
  heldBack: ImageRecord[];
}

/** Nothing is held back where no share is chosen. @throws InputError where one half would be empty. */
export function holdBack(
  records: ImageRecord[],
  { averageWithStart, holdBack: validation, seed }: FinishConfig & { seed: number },
): HeldBack {
  if (averageWithStart !== 'auto') return { train: records, heldBack: [] };
  const halves = splitRecords(records, { by: 'group', validation, seed });
  return { train: halves.train, heldBack: halves.validation };
}

export interface FinishOptions extends HeldBack {
  trained: StoredModel;
  /** What training started from; needed for shares above 0. */
  start: StoredModel | undefined;
  config: FinishConfig & { seed: number };
  group: ProcessGroup;
  /** Of the whitening's sums. Default: all. */
  threads?: number | undefined;
  /** What was measured before a run was interrupted here. */
  measured: readonly MeasuredShare[];
  /** What the finished model is measured on. */
  validation?: GroundTruth | undefined;
  onShare: (share: MeasuredShare) => void;
  /** Shows work that takes a while. */
  working: (label: string) => (done: number, total: number) => void;
}

/** The model, and how it came about. */
export interface FinishedModel {
  model: StoredModel;
  summary: FinishSummary;
}

/** Undefined when interrupted. @throws InputError where the start is another network, or nothing can be measured. */
export async function finishModel(options: FinishOptions): Promise<FinishedModel | undefined> {
  const { config, group, heldBack, validation } = options;
  const shares: MeasuredShare[] = [];
  let share = config.averageWithStart === 'auto' ? 0 : config.averageWithStart;
  if (config.averageWithStart === 'auto') {
    const groundTruth = labelsGroundTruth(heldBack);
    for (const tried of triedShares) {
      const known = options.measured.find((each) => each.share === tried)?.map;
      const map = known ?? (await measuredShare(tried, options, groundTruth));
      if (map === undefined) return undefined;
      shares.push({ share: tried, map });
      if (known === undefined) options.onShare({ share: tried, map });
    }
    // Of equal ones the smallest: what was trained for.
    ({ share } = shares.reduce((best, each) => (each.map > best.map ? each : best)));
  }
  const images = [...options.train, ...heldBack];
  const { model, warnings } = await openFinished(share, images, options);
  try {
    const map = validation && (await mapOf(model, validation, options, 'measure the finished model'));
    await group.gather(null); // all end, or none
    if (group.ending.aborted) return undefined;
    const summary = {
      share,
      shares,
      dimension: config.finalWhitenDimension,
      warnings,
      ...(map !== undefined && { map }),
    };
    return { model: { meta: model.meta, weights: await model.toArrays() }, summary };
  } finally {
    model.dispose();
  }
}

async function measuredShare(
  share: number,
  options: FinishOptions,
  groundTruth: GroundTruth,
): Promise<number | undefined> {
  const { model } = await openFinished(share, options.train, options);
  try {
    return await mapOf(model, groundTruth, options, `measure a share of ${share}`);
  } finally {
    model.dispose();
  }
}

/** The average with the start, whitened on `images` where the settings ask for it. The caller disposes of it. */
async function openFinished(
  share: number,
  images: readonly ImageRecord[],
  { trained, start, config, group, threads, working }: FinishOptions,
): Promise<{ model: DescriptorModel; warnings: readonly string[] }> {
  const { finalWhitenDimension: dimension, finalWhitenStrength: strength, finalWhitenPower: power } = config;
  const { finalImageSize, whitenImages, seed } = config;
  const mixed = mixOf(trained, start, share);
  const plain = dimension === 0 ? mixed : withoutWhitening(mixed.meta, mixed.weights);
  const { meta, weights } = dimension === 0 || power === 0 ? plain : withPower(plain, power);
  const imageSize = finalImageSize === 0 ? (meta.imageSize ?? defaultLongestSidePx) : finalImageSize;
  const model = DescriptorModel.create({ ...meta, imageSize }, weights);
  if (dimension === 0) return { model, warnings: [] };
  return whitened(model, images, {
    config: { imageSize, whitenDimension: dimension, whitenImages, seed },
    strength,
    group,
    threads,
    onProgress: working('learn the final whitening'),
  });
}

/** `share` of the start's weights and the rest of the trained ones. A whitening that only the start has is left out. */
function mixOf(trained: StoredModel, start: StoredModel | undefined, share: number): StoredModel {
  if (share === 0 || start === undefined) return trained;
  const models = [
    { name: 'the trained model', ...trained, share: 1 - share },
    { name: 'the start', ...start, share },
  ];
  return averageWeights(models);
}

async function mapOf(
  model: DescriptorModel,
  groundTruth: GroundTruth,
  { group, working }: FinishOptions,
  label: string,
): Promise<number | undefined> {
  const { regions } = model.meta;
  const describer = regions === undefined ? undefined : new ProposalDescriber(model, regions);
  const show = working(label);
  try {
    return await measureMap(describer ?? model, groundTruth, {
      sizing: sizingFor(model.meta, { snap: model.stride }),
      signal: group.asked,
      group,
      onProgress: (done) => show(done, groundTruth.database.length),
    });
  } finally {
    describer?.dispose();
  }
}
