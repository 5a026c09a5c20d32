/** @file Fine-tuning by the triplet ranking loss: what the loop of all trainers (loop.ts) does before and for an update. */
import type { ImageRecord } from '../../data/manifest.js';
import { InputError } from '../../errors.js';
import type { NamedArrays } from '../../models/safetensors.js';
import { type DrawnBatch, drawList, drawMined, drawRandom } from './draw-batch.js';
import { GradientAccumulator } from '../gradients.js';
import type { ViewedImage } from '../image-inputs.js';
import type { RpnHead } from '../../rpn/head.js';
import {
  isStopped,
  type LoopHooks,
  type LoopState,
  type MeasureRecord,
  namingUpdate,
  runLoop,
  type StopRecord,
  type UpdateRecord,
} from '../loop.js';
import { minePool, type MiningSummary } from './mine-pool.js';
import { countTriplets, type MinedTriplets, numberLabels, type PoolLabels } from './mining.js';
import { RandomStream } from '../random.js';
import { imageSource } from './ranking-source.js';
import { rankingStep } from './ranking-step.js';
import type { TrainableModel } from '../trainable-model.js';
import { minesPools, type TripletConfig } from './triplet-config.js';

/** The loop's state, and the mining in use. Plain data, JSON-ready. */
export interface TripletState extends LoopState<'map'> {
  /** Image ids of the pool, triplets as positions in it, and how many were drawn from it. */
  mining?: { pool: string[]; triplets: MinedTriplets; drawn: number };
}

/** Of one update. */
export interface TripletFigures {
  loss: number;
  /** Share of the sampled triplets, or of the tuples by a negative, that still had a loss; 1 for lists. */
  active: number;
  /** Of the mining in use. */
  hardestSimilarity?: number;
  /** Share of the update's time that was spent waiting for images to be decoded. */
  waiting: number;
  /** With `rpnWeight`: means over the images with a box. */
  proposalLoss?: number;
  proposalObjectness?: number;
  proposalBoxes?: number;
}

/** `step`: the update that the mining is for. */
export type MiningRecord = { event: 'mine'; step: number } & MiningSummary;

export type FitRecord = MiningRecord | UpdateRecord<TripletFigures> | MeasureRecord<'map'> | StopRecord;

export interface FitTripletsOptions extends Omit<LoopHooks<TripletState, 'map'>, 'measure'> {
  model: TrainableModel;
  /** The model's network of proposals, needed where its regions are proposals or `rpnWeight` is above 0. The caller keeps owning it. */
  head?: RpnHead | undefined;
  records: readonly ImageRecord[];
  config: TripletConfig;
  /** Where an earlier run stopped; the model has its weights already. */
  resume?: { state: TripletState; momentum: NamedArrays };
  /** mAP of the model as it is; undefined when it was interrupted. */
  measure?: () => Promise<number | undefined>;
  /** Called while a pool is described. */
  onMining?: (done: number, total: number) => void;
}

/** Minings in a row without a single triplet with a loss after which training ends. */
const emptyMinings = 3;

/**
 * Trains `model` in place. Throws `InputError` when the set holds no triplet, no image can be read, or a loss or gradient is not
 * finite (naming update and images): the last checkpoint is then the last good state.
 */
export async function* fitTriplets(options: FitTripletsOptions): AsyncGenerator<FitRecord> {
  const { model, head, records, config, resume } = options;
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
  const joint = config.rpnWeight > 0;
  if (joint && !records.some(({ box }) => box !== undefined)) {
    throw new InputError('rpnWeight: no image of the manifest has a "box"; rmac clean writes them into clean.jsonl.');
  }
  const variables = new Map([...model.trainable(config.freeze), ...((joint && head?.variables) || [])]);
  const source = imageSource(model, {
    head,
    freeze: config.freeze,
    imageSize: config.imageSize,
    cacheBytes: config.cacheMegabytes * 1e6,
    ...(joint && { anchors: random }),
  });
  const accumulator = new GradientAccumulator();
  const stopped = () => isStopped(options);
  const { measure } = options;
  let mining: Mining | undefined;

  yield* runLoop<'map', TripletState, TripletFigures, MiningRecord>(
    { prepare: mineIfDue, gradient },
    {
      ...options,
      measure:
        measure &&
        (async () => {
          const map = await measure();
          return map === undefined ? undefined : { map };
        }),
      criterion: 'map',
      state,
      random,
      unreadable,
      variables,
      accumulator,
    },
  );

  /** A new mining where one is due; `exhausted` when pool after pool has no triplet with a loss. */
  async function* mineIfDue(): AsyncGenerator<MiningRecord, 'ready' | 'exhausted'> {
    if (!minesPools(config)) return 'ready';
    mining = state.mining;
    if (mining !== undefined && state.step % config.remineEvery !== 0) return 'ready';
    mining = undefined;
    for (let tries = 0; tries < emptyMinings && !stopped(); tries++) {
      const mined = await minePool(records, {
        source,
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
    return mining === undefined && !stopped() ? 'exhausted' : 'ready';
  }

  async function gradient() {
    const [startedAt, waited] = [performance.now(), source.waitedMs()];
    const update = await drawAndStep();
    if (update === undefined) return undefined;
    return {
      figures: {
        loss: update.loss,
        active: update.active / update.terms,
        ...(mining && { hardestSimilarity: mining.triplets.hardestSimilarity }),
        waiting: (source.waitedMs() - waited) / (performance.now() - startedAt),
        ...(update.own && {
          proposalLoss: update.own.loss,
          proposalObjectness: update.own.objectness,
          proposalBoxes: update.own.boxes,
        }),
      },
      ids: update.ids,
      images: update.described + update.replayed,
      commit: () => {
        if (mining !== undefined) state.mining = { ...mining, drawn: mining.drawn + update.drawn };
      },
    };
  }

  /** What to train on next; `drawn`: samples taken for this update. */
  function draw(candidates: Candidates, drawn: number, stream: RandomStream): DrawnBatch {
    const { loss, sampling } = config;
    const { records: from, labels } = candidates;
    if (loss === 'average-precision') return drawList(from, labels, config, stream);
    if (mining === undefined || sampling === 'random') return drawRandom(from, labels, config, stream);
    const mined = { pool: from, labels, triplets: mining.triplets, drawn: mining.drawn + drawn };
    return drawMined(mined, { ...config, sampling }, stream);
  }

  /**
   * Decodes what the next update begins with while this one computes. It is drawn from a copy of the stream, which the next update
   * will draw from unless images turn out unreadable: a wrong guess costs its decoding.
   */
  function prefetchNext(candidates: Candidates, drawn: number): void {
    const next = state.step + 1;
    if (next >= config.steps || (minesPools(config) && next % config.remineEvery === 0)) return;
    const { batch } = draw(candidates, drawn, new RandomStream(random.state()));
    source.prefetch([...new Set(batch.images)]);
  }

  /** Leaves the gradient of a drawn batch in the accumulator; draws again if an image went missing. */
  async function drawAndStep() {
    const pool = mining?.pool.map((id) => byId.get(id) as ImageRecord);
    for (let drawn = 0; ; ) {
      const from = pool ?? records.filter((record) => !unreadable.has(record.id));
      const candidates = { records: from, labels: numberLabels(from) };
      const { batch, drawn: taken } = draw(candidates, drawn, random);
      if (batch.images.length === 0) throw new InputError('No landmark is left with two photographs that can be read.');
      drawn += taken;
      const drawnNow = drawn;
      const images = new Set(batch.images);
      const ids = [...images].map(nameOf);
      const result = await rankingStep(batch, source, {
        variables,
        accumulator,
        nameOf,
        recomputeActivations: config.recomputeActivations,
        onDescribed: () => prefetchNext(candidates, drawnNow),
        ownWeight: config.rpnWeight,
        reduction: config.lossReduction,
      }).catch((error: unknown) => {
        throw namingUpdate(error, { step: state.step, ids });
      });
      source.forgetOnce(images);
      for (const { item } of result.unreadable) unreadable.add(item.record.id);
      if (stopped()) {
        accumulator.reset();
        return undefined;
      }
      if (result.loss !== undefined) return { ...result, loss: result.loss, ids, drawn };
      if (ids.every((id) => unreadable.has(id)) && from.every(({ id }) => unreadable.has(id))) {
        throw new InputError(`No image of the pool can be read any more: ${result.unreadable[0]?.error.message}`);
      }
    }
  }
}

type Mining = NonNullable<TripletState['mining']>;

/** Images to draw from. */
interface Candidates {
  records: readonly ImageRecord[];
  labels: PoolLabels;
}

const nameOf = ({ record }: ViewedImage) => record.id;

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
