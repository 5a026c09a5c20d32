/** @file The trainer of the ranking losses (triplets, tuples, lists): mining before an update, and the gradient of a drawn batch. */

import type { StorableModel } from '../../data/model-file.js';
import { InputError, UsageError } from '../../errors.js';
import type { MappedModel } from '../../retrieval/similarity-map.js';
import type { RpnHead } from '../../rpn/head.js';
import type { MiningRecord, RunRecord } from '../../run/run-records.js';
import type { GradientAccumulator } from '../gradients.js';
import { ImageInputs, type ViewedImage } from '../image-inputs.js';
import type { ProcessGroup } from '../process-group.js';
import { withProposals } from '../proposals/with-proposals.js';
import { RandomStream } from '../random.js';
import type { TrainableModel } from '../trainable-model.js';
import type { Criterion, Gradient, NextUpdate, Trainer } from '../trainer.js';
import type { TrainingRecord } from '../views/training-record.js';
import type { ViewGenerator } from '../views/view-generator.js';
import { type DrawnBatch, drawList, drawMined, drawRandom } from './draw-batch.js';
import type { ImageSource } from './image-source.js';
import { minePool } from './mine-pool.js';
import { minedPictures } from './mined-pictures.js';
import { countTriplets, numberLabels, type PoolLabels } from './mining.js';
import { type MiningState, rankingStateSchema } from './mining-state.js';
import { openSource } from './open-source.js';
import { rankingStep } from './ranking-step.js';
import { SharedSource } from './shared-source.js';
import { minesPools, type TripletConfig } from './triplet-config.js';

export interface RankingOptions {
  /** Trained in place. The caller keeps owning it. */
  model: TrainableModel & StorableModel & MappedModel;
  /** The model's network of proposals, needed where its regions are proposals or `rpnWeight` is above 0. The caller keeps owning it. */
  head?: RpnHead | undefined;
  records: readonly TrainingRecord[];
  /** Needed where there are records to generate. */
  views?: ViewGenerator | undefined;
  config: TripletConfig;
  measure?: Trainer['measure'];
  /** Called while a pool is described. */
  onMining?: ((done: number, total: number) => void) | undefined;
}

/** Images to draw from. */
interface Candidates {
  records: readonly TrainingRecord[];
  labels: PoolLabels;
}

export const meanAveragePrecision: Criterion = { key: 'map', name: 'mAP' };

/** Minings in a row without a single triplet with a loss after which training ends. */
const emptyMinings = 3;

/** Trains a model by a ranking loss over mined triplets, tuples or lists (Gordo et al. 2016, section 3). */
export class RankingTrainer implements Trainer {
  readonly criterion = meanAveragePrecision;
  readonly variables: Trainer['variables'];
  readonly random: RandomStream;
  readonly unreadable = new Set<string>();
  readonly model: StorableModel;
  readonly measure: Trainer['measure'];
  private readonly byId: ReadonlyMap<string, TrainingRecord>;
  private readonly inputs: ImageInputs;
  private readonly source: ImageSource<ViewedImage>;
  private mining: MiningState | undefined;
  /** Of the images of an update, where proposals learn: whichever rank meets an image draws the same anchors. */
  private readonly anchorSeeds = new WeakMap<ViewedImage, number>();

  /** Throws `InputError` where the records hold no triplet, or proposals are to learn and there are none or no boxes. */
  constructor(private readonly options: RankingOptions) {
    const { model, head, records, views, config, measure } = options;
    const { freeze, imageSize, recomputeActivations } = config;
    assertTriplets(records);
    if (views !== undefined && (head !== undefined || config.rpnWeight > 0)) {
      throw new UsageError(
        'views go with regions: grid and rpnWeight: 0: boxes of generated photographs are not known.',
      );
    }
    const joint = config.rpnWeight > 0;
    if (joint && !records.some(({ box }) => box !== undefined)) {
      throw new InputError('rpnWeight: no image of the manifest has a "box"; rmac clean writes them into clean.jsonl.');
    }
    const learning = joint ? head : undefined;
    this.variables = new Map([...model.trainable(freeze), ...(learning?.variables ?? [])]);
    this.model = learning === undefined ? model : withProposals(model, learning);
    this.measure = measure;
    this.random = new RandomStream(config.seed);
    this.byId = new Map(records.map((record) => [record.id, record]));
    this.inputs = new ImageInputs(model, { freeze, imageSize, cacheBytes: config.cacheMegabytes * 1e6, views });
    const anchors = joint ? (item: ViewedImage) => new RandomStream(this.anchorSeeds.get(item)!) : undefined;
    this.source = openSource(model, this.inputs, { freeze, imageSize, recomputeActivations, head, anchors });
  }

  /** A new mining where one is due; `exhausted` when pool after pool has no triplet with a loss. */
  async *prepare({ step, signal, group }: NextUpdate): AsyncGenerator<MiningRecord, 'ready' | 'exhausted'> {
    const { records, config, onMining } = this.options;
    if (!minesPools(config)) return 'ready';
    if (this.mining !== undefined && step % config.remineEvery !== 0) return 'ready';
    for (let tries = 0; tries < emptyMinings && !signal.aborted; tries++) {
      const { random, unreadable } = this;
      const source = this.sourceFor(group);
      const mined = await minePool(records, { source, random, unreadable, config, signal, onProgress: onMining });
      if (mined === undefined) break; // interrupted
      yield { event: 'mine', step: step + 1, ...mined.summary };
      if (mined.triplets.losses.length === 0) continue;
      const { pool, generated, triplets } = mined;
      this.mining = { pool, generated, triplets, drawn: 0 };
      return 'ready';
    }
    return signal.aborted ? 'ready' : 'exhausted';
  }

  /** Of a drawn batch; of another one if an image went missing. */
  async gradient({ step, signal, group }: NextUpdate, sums: GradientAccumulator): Promise<Gradient | undefined> {
    const { inputs, unreadable } = this;
    const { records, config } = this.options;
    const [startedAt, waited] = [performance.now(), inputs.waitedMs];
    const pool = this.mining?.pool.map((id) => this.byId.get(id) as TrainingRecord);
    for (let drawn = 0; ; ) {
      const from = pool ?? records.filter((record) => !unreadable.has(record.id));
      const candidates = { records: from, labels: numberLabels(from) };
      const { batch, drawn: taken } = this.draw(candidates, drawn, this.random);
      if (batch.images.length === 0) throw new InputError('No landmark is left with two photographs that can be read.');
      drawn += taken;
      const drawnNow = drawn;
      const images = new Set(batch.images);
      if (config.rpnWeight > 0) for (const image of images) this.anchorSeeds.set(image, this.random.below(2 ** 31));
      const update = await rankingStep(batch, this.sourceFor(group), {
        variables: this.variables,
        accumulator: sums,
        nameOf,
        onDescribed: () => this.prefetchNext(candidates, drawnNow, { step: step + 1, group }),
        ownWeight: config.rpnWeight,
        reduction: config.lossReduction,
      });
      inputs.forgetOnce(images);
      for (const { item } of update.unreadable) unreadable.add(item.record.id);
      if (signal.aborted) return undefined;
      const ids = [...images].map(nameOf);
      if (update.loss === undefined) {
        if (ids.every((id) => unreadable.has(id)) && from.every(({ id }) => unreadable.has(id))) {
          throw new InputError(`No image of the pool can be read any more: ${update.unreadable[0]?.error.message}`);
        }
        continue;
      }
      const { mining } = this;
      if (mining !== undefined) this.mining = { ...mining, drawn: mining.drawn + drawn };
      const { own } = update;
      const figures = {
        loss: update.loss,
        // Share of the sampled triplets, or of the tuples by a negative, that still had a loss; 1 for lists.
        active: update.active / update.terms,
        ...(mining && { hardestSimilarity: mining.triplets.hardestSimilarity }),
        // Share of the update's time that was spent waiting for images to be decoded.
        waiting: (inputs.waitedMs - waited) / (performance.now() - startedAt),
        ...(own && { proposalLoss: own.loss, proposalObjectness: own.objectness, proposalBoxes: own.boxes }),
      };
      return { figures, ids, images: update.described + update.replayed };
    }
  }

  state(): { mining?: MiningState } {
    return this.mining === undefined ? {} : { mining: this.mining };
  }

  restore(state: unknown): void {
    const { mining } = rankingStateSchema.parse(state);
    const lost = mining?.pool.find((id) => !this.byId.has(id));
    if (lost !== undefined) {
      throw new InputError(
        `The run trains on the image "${lost}", which the manifest lacks; resume it with its own manifest.`,
      );
    }
    this.mining = mining;
  }

  async pictures(record: RunRecord): ReturnType<typeof minedPictures> {
    const { model, config } = this.options;
    if (record.event !== 'mine') return [];
    return minedPictures(record, { model, imageSize: config.imageSize, images: this.byId });
  }

  /** What to train on next; `drawn`: samples taken for this update. */
  private draw({ records, labels }: Candidates, drawn: number, stream: RandomStream): DrawnBatch {
    const { config } = this.options;
    const { loss, sampling } = config;
    const { mining } = this;
    if (loss === 'average-precision') return drawList(records, labels, config, stream);
    if (mining === undefined || sampling === 'random') return drawRandom(records, labels, config, stream);
    const mined = { ...mining, pool: records, labels, drawn: mining.drawn + drawn };
    return drawMined(mined, { ...config, sampling }, stream);
  }

  /**
   * Decodes what the next update begins with while this one computes. It is drawn from a copy of the stream, which the next update
   * will draw from unless images turn out unreadable: a wrong guess costs its decoding.
   */
  private prefetchNext(
    candidates: Candidates,
    drawn: number,
    { step, group }: Pick<NextUpdate, 'step' | 'group'>,
  ): void {
    const { config } = this.options;
    if (step >= config.steps || (minesPools(config) && step % config.remineEvery === 0)) return;
    const { batch } = this.draw(candidates, drawn, new RandomStream(this.random.state()));
    void this.inputs.prefetch(group.shareOf([...new Set(batch.images)]));
  }

  private sourceFor(group: ProcessGroup): ImageSource<ViewedImage> {
    return group.size === 1 ? this.source : new SharedSource(this.source, group);
  }
}

const nameOf = ({ record }: ViewedImage) => record.id;

/** Throws `InputError` if no triplet can be made of the records. */
export function assertTriplets(records: readonly TrainingRecord[]): void {
  const { possible, single } = countTriplets(numberLabels(records));
  if (possible > 0) return;
  throw new InputError(
    single === records.length
      ? `No landmark has two photographs (${records.length} images): triplets need a query and a positive of one landmark. Settings of "views" generate them from single pictures.`
      : 'No triplet can be made: negatives need a second landmark that is not in the same group.',
  );
}
