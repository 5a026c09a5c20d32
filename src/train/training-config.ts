/**
 * @file Settings that every trainer has: how long, by which optimizer and schedule, and what is kept. Defaults differ, and so do the
 * published values: they are beside the defaults in each trainer's file.
 */
import { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../config.js';
import { decays, type ScheduleOptions } from './schedule.js';

export const trueOrFalse = z.boolean('true or false');

/** Defaults that suit one trainer. */
export interface TrainingDefaults {
  steps: number;
  learningRate: number;
  learningRateDecay: ScheduleOptions['kind'];
  decayEvery: number;
  checkpointEvery: number;
  validateEvery: number;
}

/** Keys of a trainer's schema. */
export function trainingSettings(defaults: TrainingDefaults) {
  return {
    steps: wholeNumber(1).default(defaults.steps).describe('Updates of the weights.'),
    learningRate: numberFrom(0, { open: true })
      .default(defaults.learningRate)
      .describe('Learning rate before any decay.'),
    learningRateDecay: oneOf(decays)
      .default(defaults.learningRateDecay)
      .describe(
        '`constant`; `step` and `exponential` by decayFactor; `linear` and `cosine` towards 0 over all updates.',
      ),
    decayEvery: wholeNumber(1)
      .default(defaults.decayEvery)
      .describe('Updates between two decays of `step`, or in which `exponential` decays once.'),
    decayFactor: numberFrom(0, { open: true, max: 1 }).default(0.1).describe('What a decay multiplies the rate with.'),
    warmup: wholeNumber(0).default(0).describe('First updates over which the rate rises linearly. 0 = none.'),
    optimizer: oneOf(['sgd', 'adam']).default('sgd').describe('`sgd` with momentum, or `adam`.'),
    momentum: numberFrom(0, { max: 0.9999 })
      .default(0.9)
      .describe('Share of the last step that `sgd` adds to the next.'),
    weightDecay: numberFrom(0)
      .default(5e-5)
      .describe('Added to a gradient: this times the weight. Gordo et al. 2016: 5e-5.'),
    weightDecayOn: oneOf(['all', 'kernels'])
      .default('all')
      .describe(
        '`all` = every trained weight, as in Caffe; `kernels` = weights of two or more axes only: no bias, shift, batch-norm weight or pooling exponent.',
      ),
    clipGradientNorm: numberFrom(0)
      .default(0)
      .describe("Upper bound of the gradient's norm over all trained weights. 0 = no clipping."),
    averageDecay: numberFrom(0, { max: 0.9999 })
      .default(0)
      .describe(
        'The run ends with, and is measured by, the average of its weights over the updates, of which this share is kept at each. 0 = the last weights.',
      ),
    checkpointEvery: wholeNumber(1)
      .default(defaults.checkpointEvery)
      .describe('Updates between two checkpoints. One is also written at the start and at the end.'),
    validateEvery: wholeNumber(0)
      .default(defaults.validateEvery)
      .describe(
        'Updates between two measurements on --val, besides one at the start and one at the end. 0 = only those.',
      ),
    keepCheckpoints: wholeNumber(1).default(2).describe('Checkpoints that stay on disk, the newest.'),
    seed: wholeNumber(0).default(0).describe('Seed of everything random.'),
  } satisfies Record<string, z.ZodType>;
}

/** The settings that every trainer has. */
export type TrainingConfig = z.output<z.ZodObject<ReturnType<typeof trainingSettings>>>;

/** Keys that may change when a run is resumed: they decide how long and how it is kept, not what is computed. */
export const changeableTraining = ['steps', 'checkpointEvery', 'validateEvery', 'keepCheckpoints'] as const;
