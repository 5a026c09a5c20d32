/**
 * @file The trainer of a region proposal network on a frozen trunk (Gordo et al. 2016, section 3.3: R-MAC first, then the proposals;
 * joint training was "difficult, unstable"): the gradient of a few images.
 */
import { createHash } from 'node:crypto';
import type { StorableModel } from '../../data/model-file.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import type { RpnHead } from '../../rpn/head.js';
import { ClassSampler, epochState, readableImages, readEpochState } from '../epochs.js';
import type { GradientAccumulator } from '../gradients.js';
import { RandomStream } from '../random.js';
import type { Criterion, Gradient, NextUpdate, Trainer } from '../trainer.js';
import type { BoxedRecord } from '../../data/manifest.js';
import type { BoxedImages, BoxedView, LoadedMap } from './boxed-images.js';
import type { RpnConfig } from './rpn-config.js';
import { rpnStep, sampleTargets } from './rpn-step.js';
import { withProposals } from './with-proposals.js';

export interface ProposalsOptions {
  /** Stays as it is; the run's models have the head beside it. */
  model: StorableModel & Pick<DescriptorModel, 'stride'>;
  /** Trained in place. The caller keeps owning it. */
  head: RpnHead;
  images: BoxedImages;
  records: readonly BoxedRecord[];
  config: RpnConfig;
  /** The stream of a new run, after the head was drawn from it. Default: at the seed. */
  random?: RandomStream;
  measure?: Trainer['measure'];
}

export const recallCriterion: Criterion = { key: 'recall', name: 'average recall' };

/** Trains a region proposal network on the frozen trunk of a model (Gordo et al. 2016, section 3.3). */
export class ProposalsTrainer implements Trainer {
  readonly criterion = recallCriterion;
  readonly variables: Trainer['variables'];
  readonly random: RandomStream;
  readonly unreadable = new Set<string>();
  readonly model: StorableModel;
  readonly measure: Trainer['measure'];
  private readonly fingerprint: string;
  private sampler: ClassSampler;

  constructor(private readonly options: ProposalsOptions) {
    const { model, head, records, config, random, measure } = options;
    this.fingerprint = boxesFingerprint(records);
    this.sampler = this.samplerFrom(undefined);
    this.variables = head.variables;
    this.random = random ?? new RandomStream(config.seed);
    this.model = withProposals(model, head);
    this.measure = measure;
  }

  async gradient({ signal, group }: NextUpdate, accumulator: GradientAccumulator): Promise<Gradient | undefined> {
    const { head, images, model, config } = this.options;
    const anchors = { anchors: head.meta.anchors, stride: model.stride };
    const count = config.imagesPerStep;
    const share = 1 / count;
    const own = { loss: 0, objectness: 0, boxes: 0, positives: 0 };
    const ids: string[] = [];
    const photographs = readableImages<BoxedView, LoadedMap>(count, {
      draw: (missing) => this.draw(missing),
      load: (views) => images.load(views),
      unreadable: this.unreadable,
      signal,
      group,
      problem: 'No image of the manifest can be used',
    });
    for await (const { id, map, seed } of photographs) {
      const targets = sampleTargets(map, anchors, config, new RandomStream(seed));
      const part = await rpnStep(head, map, { id, targets, images: count, accumulator, config });
      ids.push(id);
      own.loss += share * part.loss;
      own.objectness += share * part.objectness;
      own.boxes += share * part.boxes;
      own.positives += share * targets.positives;
    }
    if (signal.aborted) return undefined;
    const shares = await group.gather(own);
    const total = (key: keyof typeof own) => shares.reduce((sum, each) => sum + each[key], 0);
    const figures = {
      loss: total('loss'),
      objectness: total('objectness'),
      boxes: total('boxes'),
      positives: total('positives'),
    };
    return { figures, ids, images: count };
  }

  state(): ReturnType<typeof epochState> {
    return epochState(this.fingerprint, this.sampler);
  }

  restore(state: unknown): void {
    this.sampler = this.samplerFrom(readEpochState(state, this.fingerprint));
  }

  private samplerFrom(epoch: ReturnType<typeof readEpochState>): ClassSampler {
    return new ClassSampler(new Int32Array(this.options.records.length), 'natural', epoch);
  }

  /** The next photographs, drawn before any of them is read. */
  private draw(count: number): BoxedView[] {
    const { random, unreadable } = this;
    const { records, config } = this.options;
    const views: BoxedView[] = [];
    for (let i = 0; i < count; i++) {
      const position = this.sampler.next(random, (candidate) => !unreadable.has(records[candidate].id));
      if (position === undefined) break;
      views.push({ record: records[position], flip: config.flip && random.next() < 0.5, seed: random.below(2 ** 31) });
    }
    return views;
  }
}

/** Changes when a photograph is added, removed or moved, or its box is another. */
function boxesFingerprint(records: readonly BoxedRecord[]): string {
  const hash = createHash('sha256');
  for (const { id, box } of records) hash.update(`${id}\n${box.x},${box.y},${box.width},${box.height}\n`);
  return hash.digest('hex');
}
