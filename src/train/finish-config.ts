/** @file Settings of what a trainer that makes descriptors does when its last update is done: averaging with the start, and whitening. */
import { z } from 'zod';
import { numberFrom, wholeNumber } from '../config.js';
import { UsageError } from '../errors.js';
import { largestImageSize, leastPower } from '../models/meta.js';

const ownOrPower = `0 or a number of at least ${leastPower} and at most 1`;
const autoOrShare = 'auto or a number of at least 0 and at most 1';

/** Keys of a trainer's schema. */
export const finishSettings = {
  averageWithStart: z
    .union([z.literal('auto'), z.number(autoOrShare).min(0, autoOrShare).max(1, autoOrShare)], autoOrShare)
    .default(0)
    .describe(
      "Share of the start's weights in the finished model (WiSE-FT, Wortsman et al. 2022): near the training set 0 is best, away from it more. `auto` = of 0, .25, .5, .75 and 1 the one with the highest mAP on landmarks held back from training.",
    ),
  holdBack: numberFrom(0, { open: true, max: 0.9 })
    .default(0.2)
    .describe(
      'Share of the landmarks (of groups where they have one) that `averageWithStart: auto` holds back from training.',
    ),
  finalWhitenDimension: wholeNumber(0)
    .default(0)
    .describe(
      'Dimension of a PCA whitening of the finished model, learned on the training photographs in the place of any that it has. 0 = none.',
    ),
  finalWhitenStrength: numberFrom(0, { max: 1 })
    .default(1)
    .describe(
      'Of that whitening: directions are divided by the square root of their variance to this power; 1 = whitening, 0 = centred and rotated, between = attenuated (Mukundan et al. 2019).',
    ),
  finalWhitenPower: z
    .union([z.literal(0), z.number(ownOrPower).min(leastPower, ownOrPower).max(1, ownOrPower)], ownOrPower)
    .default(0)
    .describe(
      "Before that whitening, vectors of regions are raised to this power, so that single strong features weigh less (Jégou and Chum 2012: 0.5); 1 = as they are, 0 = the trained model's own.",
    ),
  finalImageSize: z
    .union([z.literal(0), wholeNumber(16, largestImageSize)], `0 or a whole number from 16 to ${largestImageSize}`)
    .default(0)
    .describe(
      'Longest side of an image, px, for which the model is finished: averages are chosen and the whitening is learned at it, and it is stored in the model. 0 = that of the trained model.',
    ),
  whitenImages: wholeNumber(2).default(1000).describe('Training images that a whitening is learned from.'),
} satisfies Record<string, z.ZodType>;

/** The settings of finishing. */
export type FinishConfig = z.output<z.ZodObject<typeof finishSettings>>;

/** Names of the settings that a run inside of another does without. */
export const finishKeys = {
  averageWithStart: true,
  holdBack: true,
  finalWhitenDimension: true,
  finalWhitenStrength: true,
  finalWhitenPower: true,
  finalImageSize: true,
  whitenImages: true,
} as const satisfies Record<keyof FinishConfig, true>;

/** Shares of the start that `auto` tries. */
export const triedShares: readonly number[] = [0, 0.25, 0.5, 0.75, 1];

/** Whether anything is done after the last update. */
export function finishes({ averageWithStart, finalWhitenDimension }: FinishConfig): boolean {
  return averageWithStart !== 0 || finalWhitenDimension > 0;
}

/** Throws `UsageError` where the final whitening is longer than the map has channels. */
export function assertFinalDimension(
  { finalWhitenDimension }: Pick<FinishConfig, 'finalWhitenDimension'>,
  { channels, file }: { channels: number; file: string },
): void {
  if (finalWhitenDimension <= channels) return;
  throw new UsageError(`finalWhitenDimension ${finalWhitenDimension} exceeds the ${channels} channels of ${file}.`);
}

/** Throws `UsageError` where a whitening that is trained has nothing in the start to be averaged with. */
export function assertFinish({
  averageWithStart,
  finalWhitenDimension,
  whitenDimension = 0,
}: FinishConfig & { whitenDimension?: number }): void {
  if (averageWithStart === 0 || whitenDimension === 0 || finalWhitenDimension > 0) return;
  throw new UsageError(
    'averageWithStart: the start has no whitening to average with the one that whitenDimension trains; set finalWhitenDimension, or ' +
      'whitenDimension: 0.',
  );
}
