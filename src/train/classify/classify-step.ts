/**
 * @file The gradient of one batch in passes of a few images. Statistics of batch norms are constants and dropout belongs to the image, so
 * an image's scores do not depend on its neighbours, and the sum over passes is the gradient of the batch's mean loss exactly.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { RgbImage } from '../../data/rgb-image.js';
import { crossEntropy } from '../../losses/cross-entropy.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import { type GradientAccumulator, namedGradients } from '../gradients.js';
import { NotFiniteError } from '../not-finite.js';
import type { ClassifierHead } from './classifier-head.js';
import { stackImages } from './crops.js';

/** What classification needs of a model. */
export type ClassifiableModel = Pick<DescriptorModel, 'meta' | 'prefix' | 'mapFromPrefix' | 'trainableTrunk'>;

export interface LabelledCrop {
  id: string;
  image: RgbImage;
  label: number;
  /** What its dropout is drawn from. */
  seed: number;
}

export interface PassOptions {
  model: ClassifiableModel;
  head: ClassifierHead;
  freeze: string;
}

/** Trained weights of trunk and head by name. */
export function trainedVariables({ model, head, freeze }: PassOptions): Map<string, tf.Variable> {
  return new Map([...model.trainableTrunk(freeze), ...head.variables]);
}

/**
 * Adds the gradient of sum over the pass of loss / `batchSize` to `accumulator`. Returns that sum, and the images whose class
 * has the highest score. Throws `NotFiniteError` naming an image whose scores are not finite.
 */
export async function classifyPass(
  crops: readonly LabelledCrop[],
  { model, head, freeze }: PassOptions,
  {
    variables,
    accumulator,
    batchSize,
    labelSmoothing,
  }: {
    variables: ReadonlyMap<string, tf.Variable>;
    accumulator: GradientAccumulator;
    batchSize: number;
    labelSmoothing: number;
  },
): Promise<{ loss: number; right: number }> {
  const { value, scores } = tf.tidy(() => {
    const input = model.prefix(stackImages(crops.map(({ image }) => image)), freeze);
    const labels = tf.tensor1d(
      crops.map(({ label }) => label),
      'int32',
    );
    let rows: tf.Tensor2D | undefined;
    const { value: loss, gradients } = namedGradients(() => {
      rows = head.scores(
        model.mapFromPrefix(input, freeze),
        crops.map(({ seed }) => seed),
      );
      tf.keep(rows);
      return crossEntropy(rows, labels, { labelSmoothing }).mul<tf.Scalar>(crops.length / batchSize);
    }, variables);
    accumulator.add(gradients);
    return { value: loss, scores: rows as tf.Tensor2D };
  });
  try {
    const [loss] = await value.data(); // computes the sums too
    const read = await scores.data<'float32'>();
    assertFinite(read, crops);
    const right = ranksOf(
      read,
      crops.map(({ label }) => label),
    ).filter((rank) => rank === 0).length;
    return { loss, right };
  } finally {
    tf.dispose([value, scores]);
  }
}

/** How many classes score at least as high as the right one, itself not counted. scores [N, K]. */
export function ranksOf(scores: Float32Array, labels: readonly number[]): number[] {
  const classes = scores.length / labels.length;
  return labels.map((label, i) => {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    let above = -1;
    for (const score of row) if (score >= row[label]) above++;
    return above;
  });
}

function assertFinite(scores: Float32Array, crops: readonly LabelledCrop[]): void {
  const at = scores.findIndex((score) => !Number.isFinite(score));
  if (at < 0) return;
  const { id } = crops[Math.floor((at * crops.length) / scores.length)];
  throw new NotFiniteError(
    `the class scores of ${id} are NaN or infinite`,
    crops.map((crop) => crop.id),
  );
}
