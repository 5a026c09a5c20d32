/**
 * @file Training a region proposal network on a frozen trunk (Gordo et al. 2016, section 3.3: R-MAC first, then the proposals; joint
 * training was "difficult, unstable"): what the loop of all trainers (loop.ts) does for an update.
 */
import { createHash } from 'node:crypto';
import { InputError } from '../../errors.js';
import type { NamedArrays } from '../../models/safetensors.js';
import type { RpnHead } from '../../rpn/head.js';
import type { BoxedImages, BoxedRecord, BoxedView } from './boxed-images.js';
import { beginEpochs, ClassSampler, type EpochStart, type EpochState } from '../epochs.js';
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
import type { RpnConfig } from './rpn-config.js';
import { rpnStep, sampleTargets } from './rpn-step.js';

/** The loop's state, and where the epoch stands. */
export type RpnState = EpochState<'recall'>;

/** Of one update: means over its images. */
export interface RpnFigures {
  loss: number;
  objectness: number;
  boxes: number;
  positives: number;
}

export type RpnRecord = UpdateRecord<RpnFigures> | MeasureRecord<'recall'> | StopRecord;

export interface FitRpnOptions extends LoopHooks<RpnState, 'recall'>, EpochStart<'recall'> {
  head: RpnHead;
  images: BoxedImages;
  /** Px of the image per cell of the map. */
  stride: number;
  records: readonly BoxedRecord[];
  config: RpnConfig;
  /** Where an earlier run stopped; the head has its weights already. */
  resume?: { state: RpnState; momentum: NamedArrays };
}

/**
 * Trains `head` in place. Throws `InputError` when no photograph can be read, the manifest is not the run's, or a loss or gradient
 * is not finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* fitRpn(options: FitRpnOptions): AsyncGenerator<RpnRecord> {
  const { head, images, stride, records, config } = options;
  const state = beginEpochs<'recall'>(fingerprintOf(records), options);
  const random = new RandomStream(state.random);
  const unreadable = new Set(state.unreadable);
  const sampler = new ClassSampler(new Int32Array(records.length), 'natural', state.epoch);
  const accumulator = new GradientAccumulator();
  yield* runLoop<'recall', RpnState, RpnFigures>(
    { gradient },
    {
      ...options,
      criterion: 'recall',
      state,
      random,
      unreadable,
      variables: head.variables,
      accumulator,
    },
  );

  /** The next photographs, drawn before any of them is read. */
  function draw(count: number): BoxedView[] {
    const views: BoxedView[] = [];
    for (let i = 0; i < count; i++) {
      const position = sampler.next(random, (candidate) => !unreadable.has(records[candidate].id));
      if (position === undefined) break;
      views.push({ record: records[position], flip: config.flip && random.next() < 0.5 });
    }
    return views;
  }

  async function gradient() {
    const figures: RpnFigures = { loss: 0, objectness: 0, boxes: 0, positives: 0 };
    const ids: string[] = [];
    const share = 1 / config.imagesPerStep;
    let firstError: InputError | undefined;
    for (let missing = config.imagesPerStep; missing > 0; ) {
      const views = draw(missing);
      if (views.length === 0) {
        throw new InputError(`No image of the manifest can be used${firstError ? `: ${firstError.message}` : ''}`);
      }
      for await (const loaded of images.load(views)) {
        if (isStopped(options)) {
          accumulator.reset();
          return undefined;
        }
        const { id } = loaded.record;
        if ('error' in loaded) {
          firstError ??= loaded.error;
          unreadable.add(id);
          continue;
        }
        const targets = sampleTargets(loaded.map, { anchors: head.meta.anchors, stride }, config, random);
        const part = await rpnStep(head, loaded.map, {
          id,
          targets,
          images: config.imagesPerStep,
          accumulator,
          config,
        }).catch((error: unknown) => {
          throw namingUpdate(error, { step: state.step, ids: [id] });
        });
        ids.push(id);
        missing--;
        figures.loss += share * part.loss;
        figures.objectness += share * part.objectness;
        figures.boxes += share * part.boxes;
        figures.positives += share * targets.positives;
      }
    }
    return {
      figures,
      ids,
      images: config.imagesPerStep,
      commit: () => {
        const { position } = sampler;
        if (position !== undefined) state.epoch = position;
      },
    };
  }
}

/** Changes when a photograph is added, removed or moved, or its box is another. */
function fingerprintOf(records: readonly BoxedRecord[]): string {
  const hash = createHash('sha256');
  for (const { id, box } of records) hash.update(`${id}\n${box.x},${box.y},${box.width},${box.height}\n`);
  return hash.digest('hex');
}
