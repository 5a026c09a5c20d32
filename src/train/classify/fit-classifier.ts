/** @file Training a trunk by classification (Gordo et al. 2016, "C-Full", "C-Clean"): what the loop of all trainers (loop.ts) does for an update. */
import type { RgbImage } from '../../data/rgb-image.js';
import type { ImageRecord } from '../../data/manifest.js';
import { runAhead } from '../../data/run-ahead.js';
import { InputError } from '../../errors.js';
import type { NamedArrays } from '../../models/safetensors.js';
import { fingerprintOf, labelsOf } from '../classes.js';
import { beginEpochs, ClassSampler, type EpochStart, type EpochState } from '../epochs.js';
import type { ClassifierHead } from './classifier-head.js';
import { type ClassifiableModel, classifyPass, type LabelledCrop, trainedVariables } from './classify-step.js';
import type { ClassifyConfig } from './classify-config.js';
import { type Crop, decodeCrop, drawCrop } from './crops.js';
import { GradientAccumulator } from '../gradients.js';
import {
  isStopped,
  type LoopHooks,
  type MeasureRecord,
  namingUpdate,
  runLoop,
  type StopRecord,
  type UpdateRecord,
} from '../loop.js';
import { RandomStream } from '../random.js';
import { append } from '../../extremes.js';

/** The loop's state, and where the epoch stands. */
export type ClassifyState = EpochState<'top1'>;

/** Of one update. */
export interface ClassifyFigures {
  /** Mean of the batch, with label smoothing. */
  loss: number;
  /** Share of the batch whose class had the highest score, before the update and with dropout. */
  top1: number;
  /** Images drawn since the start, in units of the manifest. */
  epoch: number;
}

export type ClassifyRecord = UpdateRecord<ClassifyFigures> | MeasureRecord<'top1'> | StopRecord;

export interface FitClassifierOptions extends LoopHooks<ClassifyState, 'top1'>, EpochStart<'top1'> {
  model: ClassifiableModel;
  head: ClassifierHead;
  records: readonly ImageRecord[];
  config: ClassifyConfig;
  /** Where an earlier run stopped; model and head have its weights already. */
  resume?: { state: ClassifyState; momentum: NamedArrays };
}

/** A drawn crop and its class. */
interface Draw {
  position: number;
  crop: Crop;
  seed: number;
}

/**
 * Trains `model` and `head` in place. Throws `InputError` when no image can be read, the manifest is not the run's, or a score
 * or gradient is not finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* fitClassifier(options: FitClassifierOptions): AsyncGenerator<ClassifyRecord> {
  const { model, head, records, config } = options;
  const labels = labelsOf(records, head.layout.classes, 'The manifest');
  const state = beginEpochs<'top1'>(fingerprintOf(records), options);
  const random = new RandomStream(state.random);
  const unreadable = new Set(state.unreadable);
  const sampler = new ClassSampler(labels, config.sampling, state.epoch);
  const variables = trainedVariables({ model, head, freeze: config.freeze });
  const accumulator = new GradientAccumulator();
  yield* runLoop<'top1', ClassifyState, ClassifyFigures>(
    { gradient },
    {
      ...options,
      criterion: 'top1',
      state,
      random,
      unreadable,
      variables,
      accumulator,
    },
  );

  /** Everything random about `count` images, drawn before any of them is read. */
  function draw(count: number): Draw[] {
    const draws: Draw[] = [];
    for (let i = 0; i < count; i++) {
      const position = sampler.next(random, (candidate) => !unreadable.has(records[candidate].id));
      if (position === undefined) break;
      draws.push({ position, crop: drawCrop(records[position], random, config), seed: random.below(2 ** 31) });
    }
    return draws;
  }

  async function gradient() {
    const ids: string[] = [];
    let pass: LabelledCrop[] = [];
    let [loss, right] = [0, 0];
    const run = async () => {
      append(
        ids,
        pass.map(({ id }) => id),
      );
      const part = await classifyPass(
        pass,
        { model, head, freeze: config.freeze },
        { ...config, variables, accumulator },
      ).catch((error: unknown) => {
        throw namingUpdate(error, { step: state.step, ids: pass.map(({ id }) => id) });
      });
      loss += part.loss;
      right += part.right;
      pass = [];
    };
    let firstError: Error | undefined;
    for (let missing = config.batchSize; missing > 0; ) {
      const draws = draw(missing);
      if (draws.length === 0) {
        throw new InputError(`No image of the manifest can be read${firstError ? `: ${firstError.message}` : ''}`);
      }
      const decode = ({ crop }: Draw): Promise<RgbImage> => decodeCrop(crop, config.cropSize);
      for await (const outcome of runAhead(draws, decode, Math.max(4, config.imagesPerPass))) {
        if (isStopped(options)) {
          accumulator.reset();
          return undefined;
        }
        const { position, seed } = outcome.item;
        const { id } = records[position];
        if ('error' in outcome) {
          // Left out, and another one drawn in its place.
          if (!(outcome.error instanceof InputError)) throw outcome.error;
          firstError ??= outcome.error;
          unreadable.add(id);
          continue;
        }
        missing--;
        pass.push({ id, image: outcome.value, label: labels[position], seed });
        if (pass.length === config.imagesPerPass || missing === 0) await run();
      }
    }
    return {
      figures: {
        loss,
        top1: right / config.batchSize,
        epoch: ((state.step + 1) * config.batchSize) / records.length,
      },
      ids,
      images: config.batchSize,
      commit: () => {
        const { position } = sampler;
        if (position !== undefined) state.epoch = position;
      },
    };
  }
}
