/**
 * @file What every trainer's loop does, as one flat loop that yields plain log records: measure, checkpoint, stop?, prepare,
 * gradient, update, again. Everything random comes from one stream, and whatever the next update depends on is in the
 * state, so that a run that was stopped continues bit for bit.
 */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import { firstFew } from '../retrieval/ground-truth.js';
import type { GradientAccumulator } from './gradients.js';
import { NotFiniteError } from './not-finite.js';
import type { RandomState, RandomStream } from './random.js';
import { Optimizer, type OptimizerOptions } from './optimizer.js';
import { learningRateAt } from './schedule.js';
import type { TrainingConfig } from './training-config.js';

/**
 * Everything besides the weights and the momentum that the next update depends on, JSON-ready. `Criterion` names the figure that
 * chooses the best model, the higher the better.
 */
export interface LoopState<Criterion extends string> {
  /** Finished updates. */
  step: number;
  random: RandomState;
  /** Ids of images that could not be read so far: never drawn again. */
  unreadable: string[];
  /** The last measurement's update, and the best one so far. */
  measuredStep: number;
  best?: Best<Criterion>;
}

export type Best<Criterion extends string> = { step: number } & Record<Criterion, number>;

export type StopReason = 'finished' | 'interrupted' | 'out of time' | 'nothing left to learn';

/** Beside what the trainer says of the update. */
export interface UpdateFigures {
  learningRate: number;
  gradientNorm: number;
  msPerStep: number;
  /** Images run forward, and again with a tape, per second of the update. */
  imagesPerSecond: number;
  unreadable: number;
  rssBytes: number;
  numTensors: number;
}

export type UpdateRecord<Figures> = { event: 'update'; step: number } & Figures & UpdateFigures;
export type MeasureRecord<Criterion extends string> = { event: 'measure'; step: number } & Record<Criterion, number> & {
    best: boolean;
    ms: number;
  };
export interface StopRecord {
  event: 'stop';
  step: number;
  reason: StopReason;
}

/** What one update is made of; its gradient lies in the accumulator. */
export interface Gradient<Figures> {
  figures: Figures;
  /** Ids of its images, for errors. */
  ids: readonly string[];
  /** Images run forward, and again with a tape. */
  images: number;
  /** Puts into the state what the trainer itself needs for the next update; called when the weights have changed. */
  commit: () => void;
}

/** What makes a trainer of the loop. */
export interface Trainer<Record, Figures> {
  /** What is due before the update (mining), with its log records. `exhausted`: there is nothing left to learn. */
  prepare?: () => AsyncGenerator<Record, 'ready' | 'exhausted'>;
  /** Leaves one update's gradient in the accumulator; undefined, and nothing in it, when interrupted. */
  gradient: () => Promise<Gradient<Figures> | undefined>;
}

/** What the loop is given from outside a trainer. */
export interface LoopHooks<State, Criterion extends string> {
  /** Figures of the model as it is; undefined when interrupted. `onBest` is called when it is the best so far. */
  measure?: () => Promise<Record<Criterion, number> | undefined>;
  onBest?: () => Promise<void>;
  /** Stores a complete state: called at the start, every `checkpointEvery` updates and at the end. */
  save: (state: State, momentum: () => Promise<NamedArrays>) => Promise<void>;
  /** Ends the run after a checkpoint; the update in hand is dropped. */
  signal?: AbortSignal;
  /** The same, when the time given to the run is over. */
  timeout?: AbortSignal;
}

export interface LoopParts<State, Criterion extends string> extends LoopHooks<State, Criterion> {
  config: TrainingConfig & Pick<OptimizerOptions, 'biasLearningRateFactor'>;
  criterion: Criterion;
  /** Changed in place. */
  state: State;
  /** The checkpoint that the state comes from, which then need not be written again. */
  resume?: { momentum: NamedArrays };
  random: RandomStream;
  unreadable: ReadonlySet<string>;
  /** What is trained, by our names. */
  variables: ReadonlyMap<string, tf.Variable>;
  /** Disposed of at the end. */
  accumulator: GradientAccumulator;
}

const wayOut =
  "Start a new run from this one's model.safetensors (--init) with a lower learningRate or with clipGradientNorm.";

/** Whether a run is to end after the update in hand. */
export function isStopped({ signal, timeout }: { signal?: AbortSignal; timeout?: AbortSignal }): boolean {
  return signal?.aborted === true || timeout?.aborted === true;
}

/**
 * Trains until `steps` updates are done, nothing is left to learn or a signal stops it. Throws `InputError` when a loss or
 * gradient is not finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* runLoop<
  Criterion extends string,
  State extends LoopState<Criterion>,
  Figures extends object,
  Extra = never,
>(
  trainer: Trainer<Extra, Figures>,
  parts: LoopParts<State, Criterion>,
): AsyncGenerator<LoopRecord<Criterion, Figures, Extra>> {
  const { resume, variables, accumulator } = parts;
  const optimizer = new Optimizer(variables, parts.config);
  try {
    if (resume !== undefined) optimizer.restore(resume.momentum, 'checkpoint');
    yield* updates(trainer, parts, optimizer);
  } finally {
    accumulator.dispose();
    optimizer.dispose();
  }
}

type LoopRecord<Criterion extends string, Figures extends object, Extra> =
  | Extra
  | UpdateRecord<Figures>
  | MeasureRecord<Criterion>
  | StopRecord;

async function* updates<
  Criterion extends string,
  State extends LoopState<Criterion>,
  Figures extends object,
  Extra = never,
>(
  { prepare, gradient }: Trainer<Extra, Figures>,
  parts: LoopParts<State, Criterion>,
  optimizer: Optimizer,
): AsyncGenerator<LoopRecord<Criterion, Figures, Extra>> {
  const { config, criterion, state, random, unreadable, accumulator } = parts;
  let savedStep = parts.resume === undefined ? -1 : state.step;
  const save = async () => {
    if (savedStep === state.step) return;
    await parts.save(structuredClone(state), () => optimizer.state());
    savedStep = state.step;
  };
  let exhausted = false;
  for (;;) {
    const last = state.step >= config.steps || exhausted;
    if (
      parts.measure !== undefined &&
      state.measuredStep < state.step &&
      (last || isDue(state.step, config.validateEvery))
    ) {
      const startedAt = performance.now();
      const value = (await parts.measure())?.[criterion];
      if (value !== undefined) {
        const found = { [criterion]: value } as Record<Criterion, number>;
        const best = state.best === undefined || value > state.best[criterion];
        if (best) state.best = { step: state.step, ...found };
        if (best) await parts.onBest?.();
        state.measuredStep = state.step;
        savedStep = Math.min(savedStep, state.step - 1); // the state on disk does not know the measurement
        const ms = performance.now() - startedAt;
        yield { event: 'measure', step: state.step, ...found, best, ms } as Awaited<MeasureRecord<Criterion>>;
      }
    }
    if (last || isStopped(parts) || isDue(state.step, config.checkpointEvery)) await save();
    if (last || isStopped(parts)) break;

    if (prepare !== undefined && (yield* prepare()) === 'exhausted') {
      exhausted = true;
      continue;
    }
    if (isStopped(parts)) continue;
    const startedAt = performance.now();
    const update = await gradient();
    if (update === undefined) continue; // interrupted

    const learningRate = learningRateAt(state.step, {
      learningRate: config.learningRate,
      kind: config.learningRateDecay,
      every: config.decayEvery,
      factor: config.decayFactor,
      warmup: config.warmup,
      steps: config.steps,
    });
    const gradientNorm = await optimizer.update(accumulator, learningRate, state.step);
    if (!Number.isFinite(gradientNorm)) {
      throw new InputError(
        `Update ${state.step + 1}: the gradient is not finite (images ${firstFew(update.ids)}). ${wayOut}`,
      );
    }
    state.step++;
    state.random = random.state();
    update.commit();
    state.unreadable = [...unreadable];
    const ms = performance.now() - startedAt;
    yield {
      event: 'update',
      step: state.step,
      ...update.figures,
      learningRate,
      gradientNorm,
      msPerStep: ms,
      imagesPerSecond: (1000 * update.images) / ms,
      unreadable: unreadable.size,
      rssBytes: process.memoryUsage.rss(),
      numTensors: tf.memory().numTensors,
    } as Awaited<UpdateRecord<Figures>>;
  }
  yield { event: 'stop', step: state.step, reason: reasonOf(state.step) };

  function reasonOf(step: number): StopReason {
    if (step >= config.steps) return 'finished';
    if (parts.signal?.aborted === true) return 'interrupted';
    return parts.timeout?.aborted === true ? 'out of time' : 'nothing left to learn';
  }
}

/** A loss that is not finite as an error that names the update and its images; any other error as it is. */
export function namingUpdate(error: unknown, { step, ids }: { step: number; ids: readonly string[] }): unknown {
  if (!(error instanceof NotFiniteError)) return error;
  return new InputError(`Update ${step + 1}: ${error.message} (images ${firstFew(ids)}). ${wayOut}`);
}

/** Whether something done every `period` units is done after `step` of them. 0 = only at the start. */
export function isDue(step: number, period: number): boolean {
  return step === 0 || (period > 0 && step % period === 0);
}
