/**
 * @file Settings that every trainer has: how long, by which optimizer and schedule, and what is kept. Defaults differ, and so do the
 * published values: they are beside the defaults in each trainer's file.
 */
import type { z } from 'zod';
import { numberFrom, oneOf, wholeNumber } from '../config.js';
import { decays, type ScheduleOptions } from './schedule.js';

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
    /** Updates of the weights. */
    steps: wholeNumber(1).default(defaults.steps),
    learningRate: numberFrom(0, { open: true }).default(defaults.learningRate),
    /** `constant`, `step`, `exponential`, `linear` or `cosine`: see src/train/schedule.ts. */
    learningRateDecay: oneOf(decays).default(defaults.learningRateDecay),
    /** Updates between two decays of `step` or in which `exponential` decays once, and what they multiply with. */
    decayEvery: wholeNumber(1).default(defaults.decayEvery),
    decayFactor: numberFrom(0, { open: true, max: 1 }).default(0.1),
    /** First updates over which the rate rises linearly. 0 = none. */
    warmup: wholeNumber(0).default(0),
    /** `sgd` with momentum, or `adam`: see src/train/optimizer.ts. */
    optimizer: oneOf(['sgd', 'adam']).default('sgd'),
    /** Of `sgd`. */
    momentum: numberFrom(0, { max: 0.9999 }).default(0.9),
    /** S2 (Gordo et al., ECCV 2016): 5e-5. */
    weightDecay: numberFrom(0).default(5e-5),
    /** `all` = every trained weight, as in Caffe; `kernels` = weights of two or more axes only: no bias, shift, batch-norm weight or pooling exponent. */
    weightDecayOn: oneOf(['all', 'kernels']).default('all'),
    /** Upper bound of the gradient's norm over all trained weights. 0 = no clipping. */
    clipGradientNorm: numberFrom(0).default(0),
    /** Updates between two checkpoints. One is also written at the start and at the end. */
    checkpointEvery: wholeNumber(1).default(defaults.checkpointEvery),
    /** Updates between two measurements on --val, besides one at the start and one at the end. 0 = only those. */
    validateEvery: wholeNumber(0).default(defaults.validateEvery),
    /** Checkpoints that stay on disk, the newest. */
    keepCheckpoints: wholeNumber(1).default(2),
    seed: wholeNumber(0).default(0),
  } satisfies Record<string, z.ZodType>;
}

export type TrainingConfig = z.output<z.ZodObject<ReturnType<typeof trainingSettings>>>;

/** Keys that may change when a run is resumed: they decide how long and how it is kept, not what is computed. */
export const changeableTraining = ['steps', 'checkpointEvery', 'validateEvery', 'keepCheckpoints'] as const;
