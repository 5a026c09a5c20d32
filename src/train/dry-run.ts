/** @file What a run would do and cost, measured on a few of its own images. Writes nothing, and leaves the weights as they are. */
import type { ImageRecord } from '../data/manifest.js';
import type { InputError } from '../errors.js';
import { measurementsOf, secondTime, updateBytes } from './estimate.js';
import { GradientAccumulator } from './gradients.js';
import type { RpnHead } from '../rpn/head.js';
import { bytesOf, plain, type TrunkInput } from './image-inputs.js';
import { countTriplets, numberLabels } from './ranking/mining.js';
import { imageSource, observe } from './ranking/ranking-source.js';
import { replay, replayInBlocks } from './replay.js';
import { RandomStream } from './random.js';
import type { TrainableModel } from './trainable-model.js';
import { imagesPerUpdate, minesPools, type TripletConfig } from './ranking/triplet-config.js';

export interface DryRun {
  images: number;
  landmarks: number;
  /** Landmarks with one photograph: negatives only. */
  landmarksWithOnePhoto: number;
  possibleTriplets: number;
  /** Numbers in all trained weights. */
  trainedParameters: number;
  /** Estimated peak of the process. */
  memoryBytes: number;
  /** Of it, decoded images or outputs of frozen stages. */
  cacheBytes: number;
  /** Measured per image: decode and frozen stages; describe; describe and backpropagate. */
  loadMs: number;
  describeMs: number;
  replayMs: number;
  msPerUpdate: number;
  /** 0 where nothing is mined. */
  msPerMining: number;
  etaSeconds: number;
}

/** Images measured, and images tried until so many could be read. */
const probed = 3;
const candidates = 12;

/** Counts what the set holds; no image is read. */
export function summarizeSet(
  records: readonly ImageRecord[],
): Pick<DryRun, 'images' | 'landmarks' | 'landmarksWithOnePhoto' | 'possibleTriplets'> {
  const { possible, single } = countTriplets(numberLabels(records));
  return {
    images: records.length,
    landmarks: new Set(records.map(({ landmark }) => landmark)).size,
    landmarksWithOnePhoto: single,
    possibleTriplets: possible,
  };
}

/**
 * Runs one small forward and backward pass. `validationImages`: images described per measurement. Throws the image's error if none of
 * a dozen can be read.
 */
export async function dryRun(
  model: TrainableModel,
  records: readonly ImageRecord[],
  { config, validationImages, head }: { config: TripletConfig; validationImages: number; head?: RpnHead | undefined },
): Promise<DryRun> {
  const { poolSize, steps, remineEvery, cacheMegabytes, freeze, imageSize } = config;
  const random = new RandomStream(config.seed);
  const anchors = config.rpnWeight > 0 ? random : undefined;
  const source = imageSource(model, { freeze, imageSize, cacheBytes: 0, head, anchors });
  const variables = new Map([...model.trainable(freeze), ...((anchors && head?.variables) || [])]);
  const accumulator = new GradientAccumulator();
  const probes: TrunkInput[] = [];
  let error: InputError | undefined;
  let [loadMs, describeMs, replayMs] = [0, 0, 0];
  try {
    for (const item of random.shuffle(records).slice(0, candidates).map(plain)) {
      let input: TrunkInput | undefined;
      for await (const loaded of source.load([item])) {
        if ('error' in loaded) error ??= loaded.error;
        else input = loaded.input;
      }
      if (input === undefined) continue;
      const readable = input;
      probes.push(readable);
      loadMs += await secondTime(async () => {
        for await (const _ of source.load([item]));
      });
      describeMs += await secondTime(() => observe(source, readable, item));
      const observed = await observe(source, readable, item);
      const upstream = new Float32Array(model.dimension + (observed.own === undefined ? 0 : 1)).fill(1);
      const replayOne = () =>
        (config.recomputeActivations ? replayInBlocks : replay)(observed.replay, readable, {
          upstream,
          variables,
          accumulator,
        });
      await replayOne(); // the first pass adds to nothing: another graph
      replayMs += await secondTime(replayOne);
      if (probes.length === probed) break;
    }
  } finally {
    accumulator.dispose();
  }
  if (probes.length === 0) throw error as InputError;
  loadMs /= probes.length;
  describeMs /= probes.length;
  replayMs /= probes.length;

  const size = probes.reduce((sum, input) => sum + bytesOf(input), 0) / probes.length;
  const cacheBytes = Math.min(cacheMegabytes * 1e6, records.length * size);
  const misses = 1 - cacheBytes / (records.length * size);
  const perUpdate = Math.min(imagesPerUpdate(config), records.length);
  const msPerUpdate = perUpdate * (describeMs + replayMs + 2 * misses * loadMs);
  const msPerMining = minesPools(config) ? Math.min(poolSize, records.length) * (describeMs + misses * loadMs) : 0;
  const minings = Math.ceil(steps / remineEvery);
  const firstLoads = records.length * (1 - misses) * loadMs;
  const whitening = config.whitenDimension > 0 && model.meta.whitening === undefined ? config.whitenImages : 0;
  const trainedParameters = [...variables.values()].reduce((sum, variable) => sum + variable.size, 0);
  return {
    ...summarizeSet(records),
    trainedParameters,
    memoryBytes: process.memoryUsage.rss() + cacheBytes + updateBytes(trainedParameters, config),
    cacheBytes,
    loadMs,
    describeMs,
    replayMs,
    msPerUpdate,
    msPerMining,
    etaSeconds:
      (steps * msPerUpdate +
        minings * msPerMining +
        firstLoads +
        (measurementsOf(config) * validationImages + Math.min(whitening, records.length)) * (describeMs + loadMs)) /
      1000,
  };
}
