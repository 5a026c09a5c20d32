/**
 * @file Fine-tuning by the triplet ranking loss, as one flat loop that yields plain log records:
 * measure, checkpoint, stop?, mine, update, again. Everything random comes from one stream, and whatever the next
 * update depends on is in the state, so that a run that was stopped continues bit for bit.
 */
import * as tf from '@tensorflow/tfjs';
import type { ImageRecord } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import { firstFew } from '../retrieval/ground-truth.js';
import { drawView } from './augmentation.js';
import { GradientAccumulator } from './gradients.js';
import { ImageInputs, type ViewedImage } from './image-inputs.js';
import { minePool, type MiningSummary } from './mine-pool.js';
import { countTriplets, type MinedTriplets, numberLabels } from './mining.js';
import { type RandomState, RandomStream } from './random.js';
import { sampleTriplets } from './sampler.js';
import { learningRateAt } from './schedule.js';
import { MomentumSgd } from './sgd.js';
import { NotFiniteError } from './not-finite-error.js';
import { tripletBatch } from './ranking-batches.js';
import { rankingStep } from './ranking-step.js';
import type { TrainableModel } from './trainable-model.js';
import type { TripletConfig } from './triplet-config.js';

/** Everything besides the weights that the next update depends on. Plain data, JSON-ready except for the momentum. */
export interface TripletState {
  /** Finished updates. */
  step: number;
  random: RandomState;
  /** The mining in use: image ids of its pool, triplets as positions in it, and how many were drawn from it. */
  mining?: { pool: string[]; triplets: MinedTriplets; drawn: number };
  /** Ids of images that could not be read so far: never drawn again. */
  unreadable: string[];
  /** The last measurement's update, and the best one so far. */
  measuredStep: number;
  best?: { step: number; map: number };
}

export type FitRecord =
  /** `step`: the update that the mining is for. */
  | ({ event: 'mine'; step: number } & MiningSummary)
  | {
      event: 'update';
      step: number;
      loss: number;
      /** Share of the sampled triplets that still had a loss. */
      active: number;
      hardestSimilarity: number;
      learningRate: number;
      gradientNorm: number;
      msPerStep: number;
      /** Images described and replayed per second of the update. */
      imagesPerSecond: number;
      unreadable: number;
      rssBytes: number;
      numTensors: number;
    }
  | { event: 'measure'; step: number; map: number; best: boolean; ms: number }
  | { event: 'stop'; step: number; reason: StopReason };

export type StopReason = 'finished' | 'interrupted' | 'out of time' | 'nothing left to learn';

export interface FitTripletsOptions {
  model: TrainableModel;
  records: readonly ImageRecord[];
  config: TripletConfig;
  /** Where an earlier run stopped; the model has its weights already. */
  resume?: { state: TripletState; momentum: NamedArrays };
  /** mAP of the model as it is; undefined when it was interrupted. `onBest` is called when it is the best so far. */
  measure?: () => Promise<number | undefined>;
  onBest?: () => Promise<void>;
  /** Called while a pool is described. */
  onMining?: (done: number, total: number) => void;
  /** Stores a complete state: called at the start, every `checkpointEvery` updates and at the end. */
  save: (state: TripletState, momentum: () => Promise<NamedArrays>) => Promise<void>;
  /** Ends the run after a checkpoint; the update in hand is dropped. */
  signal?: AbortSignal;
  /** The same, when the time given to the run is over. */
  timeout?: AbortSignal;
}

/** Minings in a row without a single triplet with a loss after which training ends. */
const emptyMinings = 3;

/**
 * Trains `model` in place. Throws `InputError` when the set holds no triplet, no image can be read, or a loss or gradient is not
 * finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* fitTriplets(options: FitTripletsOptions): AsyncGenerator<FitRecord> {
  const { model, records, config, resume, signal, timeout } = options;
  assertTriplets(records);
  const byId = new Map(records.map((record) => [record.id, record]));
  const lost = resume?.state.mining?.pool.find((id) => !byId.has(id));
  if (lost !== undefined) {
    throw new InputError(
      `The run trains on the image "${lost}", which the manifest lacks; resume it with its own manifest.`,
    );
  }
  const state: TripletState = structuredClone(resume?.state) ?? {
    step: 0,
    random: new RandomStream(config.seed).state(),
    unreadable: [],
    measuredStep: -1,
  };
  const random = new RandomStream(state.random);
  const unreadable = new Set(state.unreadable);
  const variables = model.trainable(config.freeze);
  const inputs = new ImageInputs(model, {
    freeze: config.freeze,
    imageSize: config.imageSize,
    cacheBytes: config.cacheMegabytes * 1e6,
  });
  const source = {
    load: (items: readonly ViewedImage[]) => inputs.load(items),
    describe: inputs.describe.bind(inputs),
    inBlocks: inputs.inBlocks.bind(inputs),
  };
  const accumulator = new GradientAccumulator();
  const optimizer = new MomentumSgd(variables, config);
  const stopped = () => signal?.aborted === true || timeout?.aborted === true;
  let savedStep = resume === undefined ? -1 : state.step;
  const save = async () => {
    if (savedStep === state.step) return;
    await options.save(structuredClone(state), () => optimizer.state());
    savedStep = state.step;
  };

  try {
    if (resume !== undefined) optimizer.restore(resume.momentum, 'checkpoint');
    let exhausted = false;
    for (;;) {
      const last = state.step >= config.steps || exhausted;
      if (
        options.measure !== undefined &&
        state.measuredStep < state.step &&
        (last || isDue(state.step, config.validateEvery))
      ) {
        const startedAt = performance.now();
        const map = await options.measure();
        if (map !== undefined) {
          const best = state.best === undefined || map > state.best.map;
          if (best) state.best = { step: state.step, map };
          if (best) await options.onBest?.();
          state.measuredStep = state.step;
          savedStep = Math.min(savedStep, state.step - 1); // the state on disk does not know the measurement
          yield { event: 'measure', step: state.step, map, best, ms: performance.now() - startedAt };
        }
      }
      if (last || stopped() || isDue(state.step, config.checkpointEvery)) await save();
      if (last || stopped()) break;

      let mining = state.mining;
      if (mining === undefined || state.step % config.remineEvery === 0) {
        mining = undefined;
        for (let tries = 0; tries < emptyMinings && !stopped(); tries++) {
          const mined = await minePool(records, {
            inputs,
            random,
            unreadable,
            config,
            stopped,
            onProgress: options.onMining,
          });
          if (mined === undefined) break; // interrupted
          yield { event: 'mine', step: state.step + 1, ...mined.summary };
          if (mined.triplets.losses.length === 0) continue;
          mining = { pool: mined.pool, triplets: mined.triplets, drawn: 0 };
          break;
        }
        if (mining === undefined) {
          exhausted = !stopped();
          continue;
        }
      }
      const startedAt = performance.now();
      const update = await drawAndStep(mining);
      if (update === undefined) continue; // interrupted

      const learningRate = learningRateAt(state.step, {
        learningRate: config.learningRate,
        kind: config.learningRateDecay,
        every: config.decayEvery,
        factor: config.decayFactor,
        warmup: config.warmup,
        steps: config.steps,
      });
      const gradientNorm = await optimizer.update(accumulator, learningRate);
      if (!Number.isFinite(gradientNorm)) {
        throw new InputError(
          `Update ${state.step + 1}: the gradient is not finite (images ${firstFew(update.ids)}). ${wayOut}`,
        );
      }
      state.step++;
      state.random = random.state();
      state.mining = { ...mining, drawn: mining.drawn + update.drawn };
      state.unreadable = [...unreadable];
      const ms = performance.now() - startedAt;
      yield {
        event: 'update',
        step: state.step,
        loss: update.loss,
        active: update.active / update.terms,
        hardestSimilarity: mining.triplets.hardestSimilarity,
        learningRate,
        gradientNorm,
        msPerStep: ms,
        imagesPerSecond: (1000 * (update.described + update.replayed)) / ms,
        unreadable: unreadable.size,
        rssBytes: process.memoryUsage.rss(),
        numTensors: tf.memory().numTensors,
      };
    }
    yield { event: 'stop', step: state.step, reason: reasonOf(state.step) };
  } finally {
    accumulator.dispose();
    optimizer.dispose();
  }

  function reasonOf(step: number): StopReason {
    if (step >= config.steps) return 'finished';
    if (signal?.aborted === true) return 'interrupted';
    return timeout?.aborted === true ? 'out of time' : 'nothing left to learn';
  }

  /** Samples triplets and leaves their gradient in the accumulator; draws again if an image went missing. */
  async function drawAndStep({ pool, triplets: mined, drawn: before }: Mining) {
    for (let drawn = 0; ; ) {
      const samples = sampleTriplets(mined, config.sampling, {
        count: config.tripletsPerStep,
        drawn: before + drawn,
        random,
      });
      drawn += samples.length;
      const views = new Map<number, ViewedImage>();
      const viewOf = (position: number): ViewedImage => {
        let viewed = views.get(position);
        if (viewed === undefined) {
          viewed = { record: byId.get(pool[position]) as ImageRecord, view: drawView(random, config.augmentation) };
          views.set(position, viewed);
        }
        return viewed;
      };
      const triplets = samples.map((i) => {
        const [q, p, n] = mined.triplets.subarray(3 * i, 3 * i + 3);
        return [viewOf(q), viewOf(p), viewOf(n)] as const;
      });
      const ids = [...views.values()].map(({ record }) => record.id);
      const batch = tripletBatch(triplets, config);
      const result = await rankingStep(batch, source, {
        variables,
        accumulator,
        nameOf,
        recomputeActivations: config.recomputeActivations,
      }).catch((error: unknown) => {
        if (!(error instanceof NotFiniteError)) throw error;
        throw new InputError(`Update ${state.step + 1}: ${error.message} (images ${firstFew(ids)}). ${wayOut}`);
      });
      inputs.forgetOnce(views.values());
      for (const { item } of result.unreadable) unreadable.add(item.record.id);
      if (stopped()) {
        accumulator.reset();
        return undefined;
      }
      if (result.loss !== undefined) return { ...result, loss: result.loss, ids, drawn };
      if (ids.every((id) => unreadable.has(id)) && pool.every((id) => unreadable.has(id))) {
        throw new InputError(`No image of the pool can be read any more: ${result.unreadable[0]?.error.message}`);
      }
    }
  }
}

type Mining = NonNullable<TripletState['mining']>;

const wayOut =
  "Start a new run from this one's model.safetensors (--init) with a lower learningRate or with clipGradientNorm.";

const nameOf = ({ record }: ViewedImage) => record.id;

/** Whether something done every `period` units is done after `step` of them. 0 = only at the start. */
function isDue(step: number, period: number): boolean {
  return step === 0 || (period > 0 && step % period === 0);
}

/** Throws `InputError` if no triplet can be made of the records. */
export function assertTriplets(records: readonly ImageRecord[]): void {
  const { possible, single } = countTriplets(numberLabels(records));
  if (possible > 0) return;
  throw new InputError(
    single === records.length
      ? `No landmark has two photographs (${records.length} images): triplets need a query and a positive of one landmark.`
      : 'No triplet can be made: negatives need a second landmark that is not in the same group.',
  );
}
