/** @file What training proposals would do and cost, measured on a few of its own images. Writes nothing. */
import type { InputError } from '../../errors.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import type { RpnHead } from '../../rpn/head.js';
import type { BoxedRecord } from '../../data/manifest.js';
import { type BoxedImages, type BoxedMap } from './boxed-images.js';
import { GradientAccumulator } from '../gradients.js';
import { RandomStream } from '../random.js';
import type { RpnConfig } from './rpn-config.js';
import { rpnStep, sampleTargets } from './rpn-step.js';
import { largest } from '../../extremes.js';

export interface RpnDryRun {
  images: number;
  /** Records without a box, which are left out. */
  withoutBox: number;
  trainedParameters: number;
  /** Of the trunk's maps if all fit. */
  cacheBytes: number;
  /** Positives among the sampled anchors, mean of the images tried. */
  positives: number;
  /** Measured per image: decode and trunk; losses and gradient. */
  loadMs: number;
  trainMs: number;
  etaSeconds: number;
}

/** Images tried; of each number the median, since the first of a shape compiles a graph. */
const tried = 6;

/** Throws the image's error if none of them can be used. */
export async function rpnDryRun(
  { model, head, images }: { model: DescriptorModel; head: RpnHead; images: BoxedImages },
  records: readonly BoxedRecord[],
  { config, withoutBox }: { config: RpnConfig; withoutBox: number },
): Promise<RpnDryRun> {
  const random = new RandomStream(config.seed);
  const loadMs: number[] = [];
  const trainMs: number[] = [];
  const maps: BoxedMap[] = [];
  let error: InputError | undefined;
  let positives = 0;
  const accumulator = new GradientAccumulator();
  try {
    for (const record of random.shuffle(records).slice(0, tried)) {
      const startedAt = performance.now();
      for await (const loaded of images.load([{ record, flip: false, seed: 0 }])) {
        if ('error' in loaded) {
          error ??= loaded.error;
          continue;
        }
        loadMs.push(performance.now() - startedAt);
        maps.push(loaded.map);
        for (let i = 0; i < 2; i++) {
          const stepAt = performance.now();
          const targets = sampleTargets(
            loaded.map,
            { anchors: head.meta.anchors, stride: model.stride },
            config,
            random,
          );
          await rpnStep(head, loaded.map, { id: record.id, targets, images: 1, accumulator, config });
          trainMs.push(performance.now() - stepAt);
          if (i === 0) positives += targets.positives;
        }
      }
    }
  } finally {
    accumulator.dispose();
  }
  if (maps.length === 0) throw error as InputError;
  const { steps, imagesPerStep } = config;
  const [load, train] = [median(loadMs), median(trainMs)];
  const distinct = Math.min(steps * imagesPerStep, records.length * (config.flip ? 2 : 1));
  const mapBytes = largest(maps.map(({ values }) => values.byteLength));
  const reads = steps * imagesPerStep;
  const kept = Math.min(1, (config.cacheMegabytes * 1e6) / (distinct * mapBytes)); // later reads of which find their map
  return {
    images: records.length,
    withoutBox,
    trainedParameters: [...head.variables.values()].reduce((sum, { size }) => sum + size, 0),
    cacheBytes: distinct * mapBytes,
    positives: positives / maps.length,
    loadMs: load,
    trainMs: train,
    etaSeconds: (reads * train + (distinct + (1 - kept) * (reads - distinct)) * load) / 1000,
  };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
