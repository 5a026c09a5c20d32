/**
 * @file The loop of every trainer, flat, yielding plain log records: measure, checkpoint, stop?, prepare, gradient, update, again.
 * Everything random comes from one stream, and whatever the next update depends on is in the state, so that a run that was stopped
 * continues bit for bit.
 */
import * as tf from '@tensorflow/tfjs-core';
import { sha256Of } from '../data/sha256.js';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import { firstFew } from '../retrieval/ground-truth.js';
import type { RunState } from '../run/checkpoint.js';
import type { RunRecord, StopReason } from '../run/run-records.js';
import { singleProcess } from './collective.js';
import { GradientAccumulator } from './gradients.js';
import { NotFiniteError } from './not-finite.js';
import { Optimizer, type OptimizerOptions } from './optimizer.js';
import { ProcessGroup } from './process-group.js';
import type { RandomState } from './random.js';
import { learningRateAt } from './schedule.js';
import { broadcastVariables, sumOverRanks } from './sum-over-ranks.js';
import type { Trainer } from './trainer.js';
import type { TrainingConfig } from './training-config.js';
import { WeightAverage } from './weight-average.js';

/** Settings of the loop, and where it starts, is kept and ends. */
export interface LoopOptions {
  config: TrainingConfig & Pick<OptimizerOptions, 'biasLearningRateFactor'>;
  /** A checkpoint to continue from; the trainer has its weights and its own part of the state already. */
  resume?: { state: RunState; momentum: NamedArrays } | undefined;
  /** Where the run is kept. Default: nowhere. */
  store?: RunStore;
  /** Ends the run after a checkpoint; the update in hand is dropped. */
  signal?: AbortSignal | undefined;
  /** The same, when the time given to the run is over. */
  timeout?: AbortSignal | undefined;
  /** The processes that train together, with their endings in the place of these two. Default: this one. */
  group?: ProcessGroup | undefined;
}

/** What keeps the states of a run. */
export interface RunStore {
  /** Stores a complete state: called at the start, every `checkpointEvery` updates and at the end. */
  save(state: RunState, momentum: () => Promise<NamedArrays>): Promise<void>;
  /** Called when the model as it is was measured as the best so far. */
  best?(): Promise<void>;
  /** Called at the end of a run whose weights are averaged: the model as it is, which is in no state, is what the run came to. */
  averaged?(): Promise<void>;
}

const wayOut =
  "Start a new run from this one's model.safetensors (--init) with a lower learningRate or with clipGradientNorm.";

/**
 * Trains until `steps` updates are done, nothing is left to learn or a signal stops it. Throws `InputError` when a loss or
 * gradient is not finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* runLoop(
  trainer: Trainer,
  { config, resume, store, signal, timeout, group = new ProcessGroup(singleProcess, { signal, timeout }) }: LoopOptions,
): AsyncGenerator<RunRecord> {
  const { criterion, random, unreadable } = trainer;
  const { ending } = group;
  const stateAfter = (done: Pick<RunState, 'step' | 'measuredStep' | 'best'>): RunState => ({
    ...done,
    random: random.state(),
    unreadable: [...unreadable],
    ...trainer.state(),
  });
  const sums = new GradientAccumulator();
  const optimizer = new Optimizer(trainer.variables, config);
  try {
    if (resume !== undefined) {
      optimizer.restore(resume.momentum, 'checkpoint');
      random.restore(resume.state.random);
      for (const id of resume.state.unreadable) unreadable.add(id);
    }
    await broadcastVariables(trainer.variables, group.collective);
    const average =
      config.averageDecay > 0 ? await WeightAverage.start(trainer.variables, config.averageDecay) : undefined;
    if (resume !== undefined) average?.restore(resume.momentum, 'checkpoint');
    const asAveraged = <T>(work: () => Promise<T>) => (average === undefined ? work() : average.during(work));
    const kept = async () => new Map([...(await optimizer.state()), ...(average?.state() ?? [])]);
    let loss: number | undefined;
    let state = resume?.state ?? stateAfter({ step: 0, measuredStep: -1 });
    let saved = resume !== undefined;
    let exhausted = false;
    for (;;) {
      const { step } = state;
      await group.agree(placeOf(step, random.state(), loss));
      const last = step >= config.steps || exhausted;
      if (trainer.measure && state.measuredStep < step && (last || isDue(step, config.validateEvery))) {
        const startedAt = performance.now();
        const measured = await asAveraged(async () => {
          const found = await trainer.measure?.(ending);
          if (found === undefined) return undefined;
          const best = state.best === undefined || found.value > state.best[criterion.key];
          if (best) await store?.best?.();
          return { ...found, best };
        });
        if (measured !== undefined) {
          const { best } = measured;
          const found = { [criterion.key]: measured.value };
          state = { ...state, measuredStep: step, ...(best && { best: { step, ...found } }) };
          saved = false; // the state on disk does not know the measurement
          const ms = performance.now() - startedAt;
          yield { ...found, ...measured.figures, event: 'measure', step, best, ms };
        }
      }
      const ends = last || ending.aborted;
      if (!saved && (ends || isDue(step, config.checkpointEvery))) {
        await store?.save(state, kept);
        saved = true;
      }
      if (ends) {
        if (last && average !== undefined) {
          average.assign();
          await store?.averaged?.();
        }
        break;
      }

      if (trainer.prepare && (yield* trainer.prepare({ step, signal: ending, group })) === 'exhausted') {
        exhausted = true;
        continue;
      }
      if (ending.aborted) continue;
      const startedAt = performance.now();
      const update = await trainer.gradient({ step, signal: ending, group }, sums).catch((error: unknown) => {
        if (!(error instanceof NotFiniteError)) throw error;
        throw new InputError(`Update ${step + 1}: ${error.message} (images ${firstFew(error.ids)}). ${wayOut}`);
      });
      if (update === undefined) continue; // interrupted
      await sumOverRanks(sums, trainer.variables, group.collective);
      ({ loss } = update.figures);

      const learningRate = learningRateAt(step, {
        ...config,
        kind: config.learningRateDecay,
        every: config.decayEvery,
        factor: config.decayFactor,
      });
      const gradientNorm = await optimizer.update(sums, learningRate, step);
      if (!Number.isFinite(gradientNorm)) {
        throw new InputError(
          `Update ${step + 1}: the gradient is not finite (images ${firstFew(update.ids)}). ${wayOut}`,
        );
      }
      await average?.add(step + 1);
      state = stateAfter({ step: step + 1, measuredStep: state.measuredStep, ...(state.best && { best: state.best }) });
      saved = false;
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
      };
    }
    yield { event: 'stop', step: state.step, reason: reasonOf(state.step) };
  } finally {
    sums.dispose();
    optimizer.dispose();
  }

  function reasonOf(step: number): StopReason {
    if (step >= config.steps) return 'finished';
    if (group.signal.aborted) return 'interrupted';
    return group.timeout.aborted ? 'out of time' : 'nothing left to learn';
  }
}

/** Where a run is, in words that are others wherever another random number was drawn or another loss computed. */
function placeOf(step: number, random: RandomState, loss: number | undefined): string {
  const drawn = sha256Of([Buffer.from(JSON.stringify(random))]);
  return `update ${step}, draws ${drawn.slice(0, 8)}, loss ${loss ?? 'none yet'}`;
}

/** Whether something done every `period` units is done after `step` of them. 0 = only at the start. */
function isDue(step: number, period: number): boolean {
  return step === 0 || (period > 0 && step % period === 0);
}
