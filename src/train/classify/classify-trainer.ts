/** @file The trainer of a trunk by classification (Gordo et al. 2016, "C-Full", "C-Clean"): the gradient of a batch of crops. */
import type { StorableModel } from '../../data/model-file.js';
import { runAhead } from '../../data/run-ahead.js';
import { InputError } from '../../errors.js';
import { ClassSampler, epochState, readableImages, readEpochState } from '../epochs.js';
import type { GradientAccumulator } from '../gradients.js';
import { RandomStream } from '../random.js';
import type { Criterion, Gradient, NextUpdate, Trainer } from '../trainer.js';
import type { TrainingRecord } from '../views/training-record.js';
import type { ViewGenerator } from '../views/view-generator.js';
import { fingerprintOf, labelsOf } from './classes.js';
import { classifierFile, encodeClassifier } from './classifier-file.js';
import type { ClassifierHead } from './classifier-head.js';
import type { ClassifyConfig } from './classify-config.js';
import { type ClassifiableModel, ClassifyPasses, type LabelledCrop } from './classify-step.js';
import { type Crop, decodeCrop, drawCrop } from './crops.js';

export interface ClassifyOptions {
  /** Trained in place, as is the head. The caller keeps owning them. */
  model: ClassifiableModel & StorableModel;
  head: ClassifierHead;
  records: readonly TrainingRecord[];
  /** Needed where there are records to generate. */
  views?: ViewGenerator | undefined;
  config: ClassifyConfig;
  /** The stream of a new run, after the head was drawn from it. Default: at the seed. */
  random?: RandomStream;
  measure?: Trainer['measure'];
}

/** A drawn crop, and what its dropout is drawn from. */
interface Draw {
  position: number;
  crop: Crop;
  seed: number;
}

export const topOne: Criterion = { key: 'top1', name: 'top-1' };

/** Trains the trunk of a model by telling landmarks apart (Gordo et al. 2016, section 4.1). */
export class ClassifyTrainer implements Trainer {
  readonly criterion = topOne;
  readonly variables: Trainer['variables'];
  readonly random: RandomStream;
  readonly unreadable = new Set<string>();
  readonly model: StorableModel;
  readonly measure: Trainer['measure'];
  private readonly passes: ClassifyPasses;
  private readonly labels: Int32Array;
  private readonly fingerprint: string;
  private sampler: ClassSampler;

  /** Throws `InputError` where a landmark is none of the head's classes. */
  constructor(private readonly options: ClassifyOptions) {
    const { model, head, records, config, random, measure } = options;
    this.labels = labelsOf(records, head.layout.classes, 'The manifest');
    this.fingerprint = fingerprintOf(records);
    this.sampler = new ClassSampler(this.labels, config.sampling, undefined);
    this.passes = new ClassifyPasses({ ...config, model, head });
    this.variables = this.passes.variables;
    this.random = random ?? new RandomStream(config.seed);
    this.model = model;
    this.measure = measure;
  }

  async files(): Promise<Map<string, Uint8Array>> {
    const { head } = this.options;
    return new Map([[classifierFile, encodeClassifier(head.layout, await head.toArrays())]]);
  }

  async gradient({ step, signal, group }: NextUpdate, accumulator: GradientAccumulator): Promise<Gradient | undefined> {
    const { records, config } = this.options;
    const { batchSize, imagesPerPass } = config;
    const ids: string[] = [];
    let pass: LabelledCrop[] = [];
    let [loss, right] = [0, 0];
    const crops = readableImages(batchSize, {
      draw: (count) => this.draw(count),
      load: (draws) => this.load(draws),
      unreadable: this.unreadable,
      signal,
      group,
      problem: 'No image of the manifest can be read',
    });
    const run = async () => {
      if (pass.length === 0) return;
      const part = await this.passes.run(pass, accumulator);
      loss += part.loss;
      right += part.right;
      pass = [];
    };
    for await (const crop of crops) {
      ids.push(crop.id);
      pass.push(crop);
      if (pass.length === imagesPerPass) await run();
    }
    if (signal.aborted) return undefined;
    await run();
    const shares = await group.gather({ loss, right });
    const total = (key: 'loss' | 'right') => shares.reduce((sum, share) => sum + share[key], 0);
    return {
      figures: {
        // Mean of the batch, with label smoothing.
        loss: total('loss'),
        // Share of the batch whose class had the highest score, before the update and with dropout.
        top1: total('right') / batchSize,
        // Images drawn since the start, in units of the manifest.
        epoch: ((step + 1) * batchSize) / records.length,
      },
      ids,
      images: batchSize,
    };
  }

  state(): ReturnType<typeof epochState> {
    return epochState(this.fingerprint, this.sampler);
  }

  restore(state: unknown): void {
    const epoch = readEpochState(state, this.fingerprint);
    this.sampler = new ClassSampler(this.labels, this.options.config.sampling, epoch);
  }

  /** Everything random about `count` images, drawn before any of them is read. */
  private draw(count: number): Draw[] {
    const { random, unreadable } = this;
    const { records, config } = this.options;
    const draws: Draw[] = [];
    for (let i = 0; i < count; i++) {
      const position = this.sampler.next(random, (candidate) => !unreadable.has(records[candidate].id));
      if (position === undefined) break;
      draws.push({ position, crop: drawCrop(records[position], random, config), seed: random.below(2 ** 31) });
    }
    return draws;
  }

  /** Crops decoded ahead. */
  private async *load(draws: readonly Draw[]): AsyncGenerator<LabelledCrop | { id: string; error: InputError }> {
    const { records, config, views } = this.options;
    const decode = ({ crop }: Draw) => decodeCrop(crop, config.cropSize, views);
    for await (const outcome of runAhead(draws, decode, Math.max(4, config.imagesPerPass))) {
      const { position, seed } = outcome.item;
      const { id } = records[position];
      if (!('error' in outcome)) yield { id, image: outcome.value, label: this.labels[position], seed };
      else if (outcome.error instanceof InputError) yield { id, error: outcome.error };
      else throw outcome.error;
    }
  }
}
