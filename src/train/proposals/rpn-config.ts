/**
 * @file Settings of training a region proposal network. Published values: Gordo et al. 2016, section 3.3;
 * Ren et al. 2015 (Faster R-CNN) and py-faster-rcnn. Recipes list only what differs, with the reason.
 */
import { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../../config.js';
import { UsageError } from '../../errors.js';
import { largestImageSize } from '../../models/meta.js';
import { changeableTraining, trainingSettings } from '../training-config.js';

const severalAbove0 = 'a list of 1 to 32 numbers above 0';
const severalPositive = z
  .array(z.number(severalAbove0).positive(severalAbove0), severalAbove0)
  .min(1, severalAbove0)
  .max(32, severalAbove0);

/** The settings of `rmac train rpn`: default, range and published value of each. */
export const rpnConfigSchema = z
  .strictObject({
    ...trainingSettings({
      /** Gordo et al. 2016: 200,000. */
      steps: 2000,
      /** Gordo et al. 2016, Ren et al. 2015: 1e-3, a tenth of it in the second half; weight decay 5e-5, Ren et al. 2015: 5e-4. */
      learningRate: 1e-3,
      learningRateDecay: 'cosine',
      decayEvery: 1000,
      checkpointEvery: 200,
      validateEvery: 200,
    }),
    imagesPerStep: wholeNumber(1)
      .default(1)
      .describe('Images whose mean gradient makes one update. Ren et al. 2015: 1.'),
    imageSize: wholeNumber(16, largestImageSize)
      .default(320)
      .describe(
        "Longest side of an image, px; both sides are snapped to multiples of the network's stride. Gordo et al. 2016: 724.",
      ),
    anchorShares: severalPositive
      .default([0.25, 0.4, 0.63, 1])
      .describe(
        'Sides of the square anchors as shares of imageSize; Gordo et al. 2016 state no numbers, Ren et al. 2015 have 128, 256 and 512 px.',
      ),
    anchorRatios: severalPositive.default([0.5, 1, 2]).describe('Height / width of the anchors.'),
    border: oneOf(['clip', 'drop'])
      .default('clip')
      .describe(
        "Anchors that cross the image's border: `clip` = cut to the image, `drop` = left whole and not trained on (Ren et al. 2015).",
      ),
    channels: wholeNumber(1)
      .default(512)
      .describe('Channels of the 3x3 convolution. Ren et al. 2015: 512 over VGG-16, 256 over ZF.'),
    anchorsPerImage: wholeNumber(1).default(256).describe("Anchors that an image's loss is made of."),
    positivesPerImage: wholeNumber(1).default(128).describe('Positives among them, at most.'),
    negativeOverlap: numberFrom(0, { max: 1 }).default(0.3).describe('Overlap below which an anchor is a negative.'),
    positiveOverlap: numberFrom(0, { max: 1 }).default(0.7).describe('Overlap from which on an anchor is a positive.'),
    sigma: numberFrom(0, { open: true }).default(3).describe('Of the smooth l1.'),
    boxNormalization: oneOf(['sampled', 'cells'])
      .default('sampled')
      .describe(
        'The smooth l1 is divided by the `sampled` anchors (py-faster-rcnn) or the `cells` of the map (the paper, with boxWeight 10).',
      ),
    boxWeight: numberFrom(0).default(1).describe('Weight of the smooth l1.'),
    flip: z.boolean('true or false').default(true).describe('Mirror every second image.'),
    biasLearningRateFactor: numberFrom(0)
      .default(2)
      .describe("The rate of biases in units of the kernels'. py-faster-rcnn: 2 (`lr_mult`), with the same decay."),
    proposals: wholeNumber(1).default(64).describe('Proposals per image that are measured on --val.'),
    cacheMegabytes: wholeNumber(0)
      .default(1000)
      .describe("Megabytes (10^6 bytes) for the trunk's maps, which never change."),
  })
  .describe(
    'Published values: Gordo et al., ECCV 2016, section 3.3; Ren et al. 2015 (Faster R-CNN) and py-faster-rcnn.',
  );

/** Settings of a training of region proposals. */
export type RpnConfig = z.output<typeof rpnConfigSchema>;

/** Keys that may change when a run is resumed. */
export const changeableOnResume: readonly (keyof RpnConfig)[] = [...changeableTraining, 'cacheMegabytes'];

/** Throws `UsageError` where the overlaps do not fit together. */
export function assertOverlaps({ negativeOverlap, positiveOverlap }: RpnConfig): void {
  if (negativeOverlap > positiveOverlap) {
    throw new UsageError(`negativeOverlap ${negativeOverlap} exceeds positiveOverlap ${positiveOverlap}.`);
  }
}
