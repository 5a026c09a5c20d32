/**
 * @file The gradient of one batch in passes of a few images. Statistics of batch norms are constants and dropout belongs to the image, so
 * an image's scores do not depend on its neighbours, and the sum over passes is the gradient of the batch's mean loss exactly.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ExampleFunctions, type ExampleInput } from '../../backend/index.js';
import type { RgbImage } from '../../data/rgb-image.js';
import { crossEntropy } from '../../losses/cross-entropy.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import { type GradientAccumulator, namedGradients } from '../gradients.js';
import { NotFiniteError } from '../not-finite.js';
import type { ClassifierHead } from './classifier-head.js';
import { stackPixels } from './crops.js';

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
  /** Images of an update. */
  batchSize: number;
  labelSmoothing: number;
}

/** Trained weights of trunk and head by name. */
export function trainedVariables({
  model,
  head,
  freeze,
}: Pick<PassOptions, 'model' | 'head' | 'freeze'>): Map<string, tf.Variable> {
  return new Map([...model.trainableTrunk(freeze), ...head.variables]);
}

/** Gradients of a batch, pass by pass. Passes of as many images are recorded once. */
export class ClassifyPasses {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly functions: ExampleFunctions;

  constructor(private readonly options: PassOptions) {
    this.variables = trainedVariables(options);
    this.functions = new ExampleFunctions(() => trainedVariables({ ...options, freeze: 'none' }).values());
  }

  /**
   * Adds the gradient of sum over the pass of loss / `batchSize` to `accumulator`. Returns that sum, and the images whose class
   * has the highest score. Throws `NotFiniteError` naming an image whose scores are not finite.
   */
  async run(
    crops: readonly LabelledCrop[],
    accumulator: GradientAccumulator,
  ): Promise<{ loss: number; right: number }> {
    const { model, head, freeze, batchSize, labelSmoothing } = this.options;
    const labels = crops.map(({ label }) => label);
    // A device with a memory of its own is quicker with all images at once.
    const [count, images] = this.functions.runsNatively ? [crops.length, 1] : [1, crops.length];
    const start = await this.startOf(crops);
    const masks = head.dropoutMasks(crops.map(({ seed }) => seed));
    const inputs = [start, { values: Float32Array.from(labels), shape: [crops.length] }, ...masks].map(
      ({ values, shape: [, ...rest] }) => ({ values, shape: [images, ...rest] }),
    );
    const { sums, rows } = await this.functions.run(
      inputs[0].shape.join(),
      count,
      inputs,
      (numbers, labelled, ...dropped) => {
        const input = freeze === 'none' ? model.prefix(numbers as tf.Tensor4D, freeze) : (numbers as tf.Tensor4D);
        let scores: tf.Tensor2D | undefined;
        const { value, gradients } = namedGradients(() => {
          scores = tf.keep(head.scores(model.mapFromPrefix(input, freeze), dropped));
          return crossEntropy(scores, (labelled as tf.Tensor1D).toInt(), { labelSmoothing }).mul<tf.Scalar>(
            images / batchSize,
          );
        }, this.variables);
        return { sums: gradients, rows: [value, scores as tf.Tensor2D] };
      },
      accumulator.sums,
    );
    for (const [name, sum] of Object.entries(sums)) accumulator.replace(name, sum);
    const [losses, scores] = rows;
    assertFinite(scores, crops);
    const loss = losses.reduce((sum, each) => sum + each, 0);
    return { loss, right: ranksOf(scores, labels).filter((rank) => rank === 0).length };
  }

  /** What the trained part reads: pixels, or the output of the frozen stages. */
  private async startOf(crops: readonly LabelledCrop[]): Promise<ExampleInput> {
    const { model, freeze } = this.options;
    const pixels = stackPixels(crops.map(({ image }) => image));
    if (freeze === 'none') return pixels;
    const map = tf.tidy(() => model.prefix(tf.tensor4d(pixels.values, pixels.shape), freeze));
    try {
      return { values: await map.data<'float32'>(), shape: map.shape };
    } finally {
      map.dispose();
    }
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
