/**
 * @file Settings of classification training. Defaults suit a network fine-tuned on a desktop's CPU; what is known of the published
 * training (S2 = Gordo et al., ECCV 2016, section 4.1: "C-Full") is in the comments. Recipes list only what differs, with the reason.
 */
import { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../../config.js';
import { UsageError } from '../../errors.js';

const autoOrShare = 'auto or a number of at least 0 and at most 0.95';
const share = z.number(autoOrShare).min(0, autoOrShare).max(0.95, autoOrShare);
const trueOrFalse = z.boolean('true or false');

export const classifyConfigSchema = z.strictObject({
  /** Updates of the weights. S2: about five days; the number is not stated. */
  steps: wholeNumber(1).default(300),
  /** Images whose mean gradient makes one update. */
  batchSize: wholeNumber(1).default(32),
  /** Images run at once: a batch is the exact sum over its passes. More need more memory. */
  imagesPerPass: wholeNumber(1).default(8),
  /** Side of the square crops, px. S2: 224. */
  cropSize: wholeNumber(16).default(224),
  /** An image's shorter side is drawn between these, px, before the crop; smaller images are enlarged. S2: 256 and 512. */
  shortestSideMin: wholeNumber(16).default(256),
  shortestSideMax: wholeNumber(16).default(512),
  /** Shorter side of an image that is measured, px; the crop is its centre. */
  validationSide: wholeNumber(16).default(256),
  /** Mirror every second crop. Wrong where left and right matter (writing on products). */
  flip: trueOrFalse.default(true),
  /** Brightness and each channel change by at most this factor, ±. 0 = none. */
  colour: numberFrom(0, { max: 0.9 }).default(0),
  /** `natural` = every image once per epoch, shuffled; `balanced` = a class, then one of its images, both uniformly. */
  sampling: oneOf(['natural', 'balanced']).default('natural'),
  /**
   * `fc` = the network's own fully connected layers fc6 and fc7 (VGG, AlexNet), then the classes; `pooled` = the classes on
   * the average of the feature map; `auto` = `fc` where the network has such layers.
   */
  head: oneOf(['auto', 'fc', 'pooled']).default('auto'),
  /** Share of fc6's and fc7's outputs that is dropped; of the pooled feature with `head: pooled`. `auto` = 0.5 and 0. */
  dropout: z.union([z.literal('auto'), share], autoOrShare).default('auto'),
  /** Share of the target spread evenly over all classes. */
  labelSmoothing: numberFrom(0, { max: 0.9 }).default(0),
  /** S2 states 1e-3 for the ranking, nothing for the classification. */
  learningRate: numberFrom(0, { open: true }).default(1e-2),
  /** `constant`, `step` or `cosine` (towards 0 over the run). */
  learningRateDecay: oneOf(['constant', 'step', 'cosine']).default('cosine'),
  /** Updates between two decays of `step`, and what it multiplies with. */
  decayEvery: wholeNumber(1).default(100),
  decayFactor: numberFrom(0, { open: true, max: 1 }).default(0.1),
  /** First updates over which the rate rises linearly. 0 = none. */
  warmup: wholeNumber(0).default(0),
  momentum: numberFrom(0, { max: 0.9999 }).default(0.9),
  /** S2: 5e-5 for the ranking. */
  weightDecay: numberFrom(0).default(5e-5),
  /** `all` = every trained weight, as in Caffe; `kernels` = convolutions and fully connected layers only, no bias, shift or batch-norm weight. */
  weightDecayOn: oneOf(['all', 'kernels']).default('all'),
  /** Upper bound of the gradient's norm over all trained weights. 0 = no clipping. */
  clipGradientNorm: numberFrom(0).default(0),
  /** The last stage whose weights stay as they are (it and all before it), `none`, or `all` (only the head learns). */
  freeze: z.string('the name of a stage, none or all').min(1, 'the name of a stage, none or all').default('none'),
  /** Updates between two checkpoints. One is also written at the start and at the end. */
  checkpointEvery: wholeNumber(1).default(50),
  /** Updates between two measurements on --val, besides one at the start and one at the end. 0 = only those. */
  validateEvery: wholeNumber(0).default(50),
  /** Checkpoints that stay on disk, the newest. */
  keepCheckpoints: wholeNumber(1).default(2),
  seed: wholeNumber(0).default(0),
});

export type ClassifyConfig = z.output<typeof classifyConfigSchema>;

/** Keys that may change when a run is resumed: they decide how long and how it is kept, not what is computed. */
export const changeableOnResume: readonly (keyof ClassifyConfig)[] = [
  'steps',
  'checkpointEvery',
  'validateEvery',
  'keepCheckpoints',
];

/** Throws `UsageError` where the sides do not fit together. */
export function assertSides({
  cropSize,
  shortestSideMin,
  shortestSideMax,
  validationSide,
}: Pick<ClassifyConfig, 'cropSize' | 'shortestSideMin' | 'shortestSideMax' | 'validationSide'>): void {
  if (shortestSideMin > shortestSideMax) {
    throw new UsageError(`shortestSideMin ${shortestSideMin} exceeds shortestSideMax ${shortestSideMax}.`);
  }
  for (const [key, side] of Object.entries({ shortestSideMin, validationSide })) {
    if (side < cropSize) {
      throw new UsageError(`${key} ${side} is below cropSize ${cropSize}: the crop would not fit into the image.`);
    }
  }
}
