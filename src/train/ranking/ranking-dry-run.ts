/** @file What a ranking run would do and cost, measured on a few of its own images. Writes nothing, and leaves the weights as they are. */
import type { ImageRecord } from '../../data/manifest.js';
import type { StorableModel } from '../../data/model-file.js';
import type { InputError } from '../../errors.js';
import type { RpnHead } from '../../rpn/head.js';
import {
  candidates,
  countShapes,
  eigenMs,
  finishMs,
  firstAndSecond,
  measurementsOf,
  savesOf,
  updateAndSaveMs,
  updateBytes,
} from '../dry-run-costs.js';
import { GradientAccumulator } from '../gradients.js';
import { drawGenerated } from '../augmentation.js';
import { bytesOf, ImageInputs, type TrunkInput, unaugmented, type ViewedImage } from '../image-inputs.js';
import { RandomStream } from '../random.js';
import type { TrainableModel } from '../trainable-model.js';
import type { DescribedImage, ImageSource } from './image-source.js';
import type { TrainingRecord } from '../views/training-record.js';
import type { ViewGenerator } from '../views/view-generator.js';
import { countTriplets, numberLabels } from './mining.js';
import { openSource } from './open-source.js';
import { imagesPerUpdate, minesPools, type TripletConfig } from './triplet-config.js';

export interface RankingDryRun {
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
  /** Averaging with the start and whitening after the last update; 0 where the settings ask for neither. */
  finishMs: number;
  etaSeconds: number;
}

/** Images measured. */
const probed = 3;

/** Counts what the set holds; no image is read. */
export function summarizeSet(
  records: readonly ImageRecord[],
): Pick<RankingDryRun, 'images' | 'landmarks' | 'landmarksWithOnePhoto' | 'possibleTriplets'> {
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
 * described per measurement; `heldBack`: kept out of training to choose a share of the start by. Throws the image's error if none of a dozen can be read.
 */
export async function rankingDryRun(
  model: TrainableModel & StorableModel & { readonly channels: number },
  records: readonly TrainingRecord[],
  {
    config,
    validationImages,
    head,
    heldBack = 0,
    views,
  }: {
    config: TripletConfig;
    validationImages: number;
    head?: RpnHead | undefined;
    heldBack?: number;
    views?: ViewGenerator | undefined;
  },
): Promise<RankingDryRun> {
  const { poolSize, steps, remineEvery, cacheMegabytes, freeze, imageSize, recomputeActivations } = config;
  const random = new RandomStream(config.seed);
  const seen = (record: TrainingRecord) =>
    record.generated ? { record, view: drawGenerated(random) } : unaugmented(record);
  const anchors = config.rpnWeight > 0 ? () => random : undefined;
  // Passes are measured on inputs that are kept, loading on others.
  const [loader, kept] = [0, Infinity].map(
    (cacheBytes) => new ImageInputs(model, { freeze, imageSize, cacheBytes, views }),
  );
  const source = openSource(model, kept, { freeze, imageSize, recomputeActivations, head, anchors });
  const variables = new Map([...model.trainable(freeze), ...((anchors && head?.variables) || [])]);
  const accumulator = new GradientAccumulator();
  const probes: TrunkInput[] = [];
  let error: InputError | undefined;
  let [loadMs, describeMs, replayMs, compileMs] = [0, 0, 0, 0];
  let rest: Awaited<ReturnType<typeof updateAndSaveMs>>;
  try {
    for (const item of random.shuffle(records).slice(0, candidates).map(seen)) {
      const load = (inputs: ImageInputs) => async () => {
        for await (const loaded of inputs.load([item])) {
          if ('error' in loaded) error ??= loaded.error;
          else return loaded.input;
        }
        return undefined;
      };
      const loading = await firstAndSecond(load(loader));
      const input = await load(kept)();
      if (input === undefined) continue;
      probes.push(input);
      const pooling = await firstAndSecond(() => one(source.describePool([item])));
      const describing = await firstAndSecond(() => one(source.describe([item])));
      const { own } = await one(source.describe([item]));
      const upstream = new Float32Array(model.dimension + (own === undefined ? 0 : 1)).fill(1);
      const replay = () => source.replay([item], () => upstream, { variables, accumulator });
      if (accumulator.sums.size === 0) await replay(); // the first pass may add to nothing: another graph
      const replaying = await firstAndSecond(replay);
      loadMs += loading.ms;
      describeMs += describing.ms;
      replayMs += replaying.ms;
      // an image of a shape that was seen before compiles nothing
      const compiled = [loading, pooling, describing, replaying].reduce((sum, { compileMs: ms }) => sum + ms, 0);
      compileMs = Math.max(compileMs, compiled);
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
  const finishing = finishMs(config, {
    trained: records.length,
    heldBack,
    validation: validationImages,
    msPerImage: (describeMs + loadMs) * (config.finalImageSize === 0 ? 1 : (config.finalImageSize / imageSize) ** 2),
    channels: model.channels,
  });
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
    finishMs: finishing,
    etaSeconds:
      (steps * msPerUpdate +
        minings * msPerMining +
        firstLoads +
        shapes * compileMs +
        finishing +
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

/** The one image that is described. */
async function one(images: ReturnType<ImageSource<ViewedImage>['describe']>): Promise<DescribedImage<ViewedImage>> {
  for await (const image of images) {
    if ('error' in image) throw image.error;
    return image;
  }
  throw new Error('one: an image is described');
}
