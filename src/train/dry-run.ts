/** @file What a run would do and cost, measured on a few of its own images. Writes nothing, and leaves the weights as they are. */
import { runsOverExamples } from '../backend/index.js';
import type { ImageRecord } from '../data/manifest.js';
import type { InputError } from '../errors.js';
import { firstAndSecond, measurementsOf, updateBytes } from './estimate.js';
import { countShapes, eigenMs, type SavedModel, savesOf, updateAndSaveMs } from './estimate-parts.js';
import { GradientAccumulator } from './gradients.js';
import type { RpnHead } from '../rpn/head.js';
import { bytesOf, plain, type TrunkInput } from './image-inputs.js';
import { countTriplets, numberLabels } from './ranking/mining.js';
import { imageSource, observe } from './ranking/ranking-source.js';
import { replay, replayInBlocks } from './replay.js';
import { RandomStream } from './random.js';
import { describeTogether, replayTogether } from './together.js';
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
  /** Measured: the optimizer's part of an update, storing a state, and the compiled graphs of one image shape. */
  optimizeMs: number;
  saveMs: number;
  compileMs: number;
  /** Image shapes of the set. */
  shapes: number;
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
 * Runs the passes of a few images as an update does, an update at the rate 0 and the storing of a state. `validationImages`: images
 * described per measurement. Throws the image's error if none of a dozen can be read.
 */
export async function dryRun(
  model: TrainableModel & SavedModel & { readonly channels: number },
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
  const together = 'observe' in source || !runsOverExamples() ? undefined : source.examples;
  let [loadMs, describeMs, replayMs, compileMs] = [0, 0, 0, 0];
  let rest: Awaited<ReturnType<typeof updateAndSaveMs>>;
  try {
    for (const item of random.shuffle(records).slice(0, candidates).map(plain)) {
      let input: TrunkInput | undefined;
      const load = async () => {
        for await (const loaded of source.load([item])) {
          if ('error' in loaded) error ??= loaded.error;
          else input = loaded.input;
        }
      };
      const loading = await firstAndSecond(load);
      if (input === undefined) continue;
      const readable = input;
      probes.push(readable);
      const describing = await firstAndSecond(() => observe(source, readable, item));
      const observed = await observe(source, readable, item);
      const upstream = new Float32Array(model.dimension + (observed.own === undefined ? 0 : 1)).fill(1);
      const replayOne = () =>
        together !== undefined && !config.recomputeActivations
          ? replayTogether(together, [readable], { upstreams: [upstream], variables, accumulator })
          : (config.recomputeActivations ? replayInBlocks : replay)(observed.replay, readable, {
              upstream,
              variables,
              accumulator,
            });
      if (accumulator.sums.size === 0) await replayOne(); // the first pass may add to nothing: another graph
      const replaying = await firstAndSecond(replayOne);
      const again = together && (await firstAndSecond(() => describeTogether(together, [readable])));
      loadMs += loading.ms;
      describeMs += (again ?? describing).ms;
      replayMs += replaying.ms;
      const compiled = [loading, describing, replaying, ...(again ? [again] : [])];
      // an image of a shape that was seen before compiles nothing
      compileMs = Math.max(
        compileMs,
        compiled.reduce((sum, { compileMs: ms }) => sum + ms, 0),
      );
      if (probes.length === probed) break;
    }
    if (probes.length === 0) throw error as InputError;
    rest = await updateAndSaveMs(model, variables, { accumulator, config });
  } finally {
    accumulator.dispose();
  }
  loadMs /= probes.length;
  describeMs /= probes.length;
  replayMs /= probes.length;
  const { updateMs: optimizeMs, saveMs } = rest;
  const shapes = await countShapes(
    random.shuffle(records).map(({ path }) => path),
    { imageSize, stride: model.stride },
  );

  const size = probes.reduce((sum, input) => sum + bytesOf(input), 0) / probes.length;
  const cacheBytes = Math.min(cacheMegabytes * 1e6, records.length * size);
  const misses = 1 - cacheBytes / (records.length * size);
  const perUpdate = Math.min(imagesPerUpdate(config), records.length);
  const msPerUpdate = perUpdate * (describeMs + replayMs + 2 * misses * loadMs) + optimizeMs;
  const msPerMining = minesPools(config) ? Math.min(poolSize, records.length) * (describeMs + misses * loadMs) : 0;
  const minings = Math.ceil(steps / remineEvery);
  const [draws, drawn] = minesPools(config) ? [minings, Math.min(poolSize, records.length)] : [steps, perUpdate];
  const firstLoads = imagesMet(records.length, drawn, draws) * (1 - misses) * loadMs;
  const whitens = config.whitenDimension > 0 && model.meta.whitening === undefined;
  const whitening = whitens ? config.whitenImages : 0;
  // with a fresh whitening the model is measured without it, too
  const measurements = measurementsOf(config) + (whitens ? 1 : 0);
  const trainedParameters = [...variables.values()].reduce((sum, variable) => sum + variable.size, 0);
  return {
    ...summarizeSet(records),
    trainedParameters,
    memoryBytes: process.memoryUsage.rss() + cacheBytes + updateBytes(trainedParameters, config),
    cacheBytes,
    loadMs,
    describeMs,
    replayMs,
    optimizeMs,
    saveMs,
    compileMs,
    shapes,
    msPerUpdate,
    msPerMining,
    etaSeconds:
      (steps * msPerUpdate +
        minings * msPerMining +
        firstLoads +
        shapes * compileMs +
        savesOf(config) * saveMs +
        (whitens ? eigenMs(model.channels) : 0) +
        (measurements * validationImages + Math.min(whitening, records.length)) * (describeMs + loadMs)) /
      1000,
  };
}

/** Different images among `draws` samples of `drawn` of `all`, expected. */
function imagesMet(all: number, drawn: number, draws: number): number {
  return all * (1 - (1 - drawn / all) ** draws);
}
