/** @file The model a run starts from: the weights given, sized and whitened as the configuration asks. */
import type { ImageRecord } from '../data/manifest.js';
import { readModelFile } from '../data/model-file.js';
import { InputError, messageOf, UsageError } from '../errors.js';
import { DescriptorModel } from '../models/descriptor.js';
import { withWhitening } from '../models/whitening.js';
import { learnWhitening, sampleOf } from '../retrieval/learn-whitening.js';
import type { TripletConfig } from './ranking/triplet-config.js';

/** Loads a model file for training at `imageSize`, which becomes the size stored in it. */
export async function loadForTraining(
  file: string,
  { imageSize, freeze, whitenDimension }: Pick<TripletConfig, 'imageSize' | 'freeze' | 'whitenDimension'>,
): Promise<DescriptorModel> {
  const { meta, weights } = await readModelFile(file);
  let model: DescriptorModel;
  try {
    model = DescriptorModel.create({ ...meta, imageSize }, weights);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
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
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/**
 * The same model with a PCA-whitening learned from the training set's region vectors, as shift + FC. Takes `model` over: it
 * is disposed of.
 */
export async function whitened(
  model: DescriptorModel,
  records: readonly ImageRecord[],
  {
    config,
    signal,
    onProgress,
  }: {
    config: Pick<TripletConfig, 'imageSize' | 'whitenDimension' | 'whitenImages' | 'seed'>;
    signal?: AbortSignal;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<DescriptorModel> {
  try {
    const images = sampleOf(records, config.whitenImages, config.seed);
    const { whitening } = await learnWhitening(model, images, {
      channels: model.channels,
      dimension: config.whitenDimension,
      sizing: { longest: config.imageSize, multipleOf: model.stride },
      signal,
      onProgress: (done) => onProgress?.(done, images.length),
    });
    const { meta, weights } = withWhitening(model.meta, await model.toArrays(), whitening);
    return DescriptorModel.create(meta, weights);
  } finally {
    model.dispose();
  }
}
