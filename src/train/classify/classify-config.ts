/**
 * @file Settings of classification training. Defaults suit a network fine-tuned on a desktop's CPU; what is known of the published
 * training (Gordo et al. 2016, section 4.1: "C-Full") is in the comments. Recipes list only what differs, with the reason.
 */
import { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../../config.js';
import { UsageError } from '../../errors.js';
import { finishSettings } from '../finish-config.js';
import { viewSettingsSchema } from '../views/view-settings.js';
import { changeableTraining, trainingSettings, trueOrFalse } from '../training-config.js';

const autoOrShare = 'auto or a number of at least 0 and at most 0.95';
const share = z.number(autoOrShare).min(0, autoOrShare).max(0.95, autoOrShare);
/** The settings of `rmac train classify`: default, range and published value of each. */
export const classifyConfigSchema = z
  .strictObject({
    ...trainingSettings({
      /** Gordo et al. 2016: about five days; the number is not stated. */
      steps: 300,
      /** Gordo et al. 2016 state 1e-3 for the ranking, nothing for the classification. */
      learningRate: 1e-2,
      learningRateDecay: 'cosine',
      decayEvery: 100,
      checkpointEvery: 50,
      validateEvery: 50,
    }),
    batchSize: wholeNumber(1).default(32).describe('Images whose mean gradient makes one update.'),
    imagesPerPass: wholeNumber(1)
      .default(16)
      .describe('Images of one native run: a batch is the exact sum over its passes. On a GPU more need more memory.'),
    cropSize: wholeNumber(16).default(224).describe('Side of the square crops, px. Gordo et al. 2016: 224.'),
    shortestSideMin: wholeNumber(16)
      .default(256)
      .describe(
        "An image's shorter side is drawn from here to shortestSideMax, px, before the crop; smaller images are enlarged. Gordo et al. 2016: 256 and 512.",
      ),
    shortestSideMax: wholeNumber(16).default(512).describe('See shortestSideMin.'),
    validationSide: wholeNumber(16)
      .default(256)
      .describe('Shorter side of an image that is measured, px; the crop is its centre.'),
    flip: trueOrFalse
      .default(true)
      .describe('Mirror every second crop. Wrong where left and right matter (writing on products).'),
    colour: numberFrom(0, { max: 0.9 })
      .default(0)
      .describe('Brightness and each channel change by at most this factor, ±. 0 = none.'),
    views: viewSettingsSchema
      .optional()
      .describe(
        'Photographs generated from the images, beside these: for landmarks of which there is a single picture. None without this section.',
      ),
    sampling: oneOf(['natural', 'balanced'])
      .default('natural')
      .describe(
        '`natural` = every image once per epoch, shuffled; `balanced` = a class, then one of its images, both uniformly.',
      ),
    head: oneOf(['auto', 'fc', 'pooled', 'cosine'])
      .default('auto')
      .describe(
        "`fc` = the network's own fully connected layers fc6 and fc7 (VGG, AlexNet), then the classes; `pooled` = the classes on the average of the feature map; `cosine` = the same by cosines, each class beginning at the mean of its images; `auto` = `fc` where the network has such layers.",
      ),
    cosineScale: numberFrom(0, { open: true })
      .default(24)
      .describe('What the cosines of `head: cosine` are multiplied with before the softmax.'),
    dropout: z
      .union([z.literal('auto'), share], autoOrShare)
      .default('auto')
      .describe(
        "Share of fc6's and fc7's outputs that is dropped; of the pooled feature with `head: pooled`. `auto` = 0.5 and 0.",
      ),
    labelSmoothing: numberFrom(0, { max: 0.9 })
      .default(0)
      .describe('Share of the target spread evenly over all classes.'),
    freeze: z
      .string('the name of a stage, none or all')
      .min(1, 'the name of a stage, none or all')
      .default('none')
      .describe(
        'The last stage whose weights stay as they are (it and all before it), `none`, or `all` (only the head learns).',
      ),
    ...finishSettings,
  })
  .describe('Published values: Gordo et al., ECCV 2016, section 4.1.');

/** All settings of a training by classification, resolved. */
export type ClassifyConfig = z.output<typeof classifyConfigSchema>;

/** Keys that may change when a run is resumed. */
export const changeableOnResume: readonly (keyof ClassifyConfig)[] = changeableTraining;

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
