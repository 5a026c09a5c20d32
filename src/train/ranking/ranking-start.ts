/** @file The model a run starts from: the weights given, sized and whitened as the configuration asks. */
import type { ImageRecord } from '../../data/manifest.js';
import { readModelFile } from '../../data/model-file.js';
import { namingFile, UsageError } from '../../errors.js';
import { DescriptorModel } from '../../models/descriptor.js';
import type { ModelMeta } from '../../models/meta.js';
import { parseRegions } from '../../models/region-source.js';
import { withWhitening } from '../../models/whitening.js';
import { describeRegions, sizingFor } from '../../retrieval/describe.js';
import { learnWhitening, sampleOf } from '../../retrieval/learn-whitening.js';
import { RpnHead } from '../../rpn/head.js';
import { assertProposals, ProposalDescriber } from '../../rpn/proposal-describer.js';
import { assertFinalDimension } from '../finish-config.js';
import { alone, type ProcessGroup } from '../process-group.js';
import { shareWork } from '../share-work.js';
import type { TripletConfig } from './triplet-config.js';

/** Loads a model file for training at `imageSize` and with `regions`, which become those stored in it. */
export async function loadForTraining(
  file: string,
  config: Pick<
    TripletConfig,
    'imageSize' | 'freeze' | 'whitenDimension' | 'finalWhitenDimension' | 'regions' | 'rpnWeight'
  >,
): Promise<DescriptorModel> {
  const { imageSize, freeze, whitenDimension } = config;
  const stored = await readModelFile(file);
  const model = namingFile(file, () => {
    const meta = withRegions(stored.meta, config.regions);
    if (meta.regions !== undefined || config.rpnWeight > 0) assertProposals(meta);
    return DescriptorModel.create({ ...meta, imageSize }, stored.weights);
  });
  try {
    const learning = model.trainable(freeze); // throws on an unknown stage
    if (learning.size === 0 && whitenDimension === 0) {
      throw new UsageError(
        `With freeze: ${freeze} nothing of ${file} is left to train; freeze less, or set whitenDimension.`,
      );
    }
    if (whitenDimension > model.channels) {
      throw new UsageError(`whitenDimension ${whitenDimension} exceeds the ${model.channels} channels of ${file}.`);
    }
    assertFinalDimension(config, { channels: model.channels, file });
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** `regions` as in the settings of triplet training. */
function withRegions(meta: ModelMeta, text: string): ModelMeta {
  if (text === 'model') return meta;
  const { regions: _, ...rest } = meta;
  const regions = parseRegions(text);
  return regions === undefined || regions.proposals === 0 ? rest : { ...rest, regions };
}

/** The model's network of proposals where training needs it: they are pooled, or learn. The caller disposes of it. */
export function headFor(
  { meta, channels, rpnWeights }: DescriptorModel,
  { rpnWeight }: Pick<TripletConfig, 'rpnWeight'>,
): RpnHead | undefined {
  const { rpn, regions } = meta;
  const needed = regions !== undefined || rpnWeight > 0;
  return rpn !== undefined && needed ? new RpnHead(rpn, channels, rpnWeights) : undefined;
}

/** Images whose region vectors, some 160 KB of each, a rank keeps before all are told of them. */
const imagesPerRound = 16;

/**
 * The same model with a PCA-whitening learned from the training set's region vectors, as shift + FC, and what is doubtful about
 * it: each rank of `group` describes its share of the images, the first one learns. Takes `model` over: it is disposed of. Throws
 * `EndedTogether` where the run is to end.
 */
export async function whitened(
  model: DescriptorModel,
  records: readonly ImageRecord[],
  {
    config,
    strength,
    group = alone,
    threads,
    onProgress,
  }: {
    config: Pick<TripletConfig, 'imageSize' | 'whitenDimension' | 'whitenImages' | 'seed'>;
    /** t of an attenuated whitening. Default 1. */
    strength?: number | undefined;
    group?: ProcessGroup;
    /** Of the sums. Default: all. */
    threads?: number | undefined;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<{ model: DescriptorModel; warnings: string[] }> {
  const { regions } = model.meta;
  const describer = regions === undefined ? undefined : new ProposalDescriber(model, regions);
  try {
    const images = sampleOf(records, config.whitenImages, config.seed);
    const sizing = sizingFor(model.meta, { size: config.imageSize, snap: model.stride });
    const describe = (own: readonly ImageRecord[]) =>
      describeRegions(describer ?? model, own, (image) => image, { sizing, signal: group.asked });
    const described = shareWork(images, describe, { group, perRound: imagesPerRound });
    const [whitening] = await group.gather(group.leads ? await learn() : await others());
    const { meta, weights } = withWhitening(model.meta, await model.toArrays(), whitening!);
    return { model: DescriptorModel.create(meta, weights), warnings: whitening!.warnings };

    async function learn() {
      const learned = await learnWhitening(describer ?? model, images, {
        channels: model.channels,
        dimension: config.whitenDimension,
        strength,
        sizing,
        described,
        threads,
        onProgress: (done) => onProgress?.(done, images.length),
        onImagesDone: () => group.assertGoesOn(),
      });
      return learned.whitening;
    }
    async function others() {
      for await (const _ of described);
      group.assertGoesOn();
      return undefined;
    }
  } finally {
    describer?.dispose();
    model.dispose();
  }
}
