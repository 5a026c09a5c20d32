/** @file What a classification run would do and cost, measured on one pass of its own images. Writes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import type { StorableModel } from '../../data/model-file.js';
import { InputError } from '../../errors.js';
import { defaultLongestSidePx } from '../../retrieval/describe.js';
import { largest, smallest } from '../../extremes.js';
import {
  candidates,
  finishMs,
  firstAndSecond,
  measurementsOf,
  savesOf,
  secondTime,
  updateAndSaveMs,
  updateBytes,
} from '../dry-run-costs.js';
import { GradientAccumulator } from '../gradients.js';
import { RandomStream } from '../random.js';
import type { TrainingRecord } from '../views/training-record.js';
import type { ViewGenerator } from '../views/view-generator.js';
import type { ClassifierHead } from './classifier-head.js';
import type { ClassifyConfig } from './classify-config.js';
import { type ClassifiableModel, ClassifyPasses, type LabelledCrop } from './classify-step.js';
import { decodeCrop, drawCrop, stackImages } from './crops.js';

export interface ClassifyDryRun {
  images: number;
  classes: number;
  /** Images of the smallest and of the largest class. */
  smallestClass: number;
  largestClass: number;
  /** Numbers in all trained weights, and those of them in the head. */
  trainedParameters: number;
  headParameters: number;
  /** Estimated peak of the process. */
  memoryBytes: number;
  /** Measured per image: decode; scores alone; scores and gradient. */
  loadMs: number;
  scoreMs: number;
  trainMs: number;
  /** Measured: the optimizer's part of an update, and storing a state. */
  optimizeMs: number;
  saveMs: number;
  msPerUpdate: number;
  /** Averaging with the start and whitening after the last update; 0 where the settings ask for neither. */
  finishMs: number;
  epochs: number;
  etaSeconds: number;
}

/** Throws the image's error if none of a dozen can be read. */
export async function classifyDryRun(
  { model, head }: { model: ClassifiableModel & StorableModel & { readonly channels: number }; head: ClassifierHead },
  records: readonly TrainingRecord[],
  {
    config,
    validationImages,
    heldBack = 0,
    views,
  }: {
    config: ClassifyConfig;
    validationImages: number;
    heldBack?: number;
    views?: ViewGenerator | undefined;
  },
): Promise<ClassifyDryRun> {
  const random = new RandomStream(config.seed);
  const crops: LabelledCrop[] = [];
  let loadMs = 0;
  let error: InputError | undefined;
  for (const record of random.shuffle(records).slice(0, candidates)) {
    const startedAt = performance.now();
    try {
      const image = await decodeCrop(drawCrop(record, random, config), config.cropSize, views);
      crops.push({ id: record.id, image, label: 0, seed: crops.length });
      loadMs += performance.now() - startedAt;
    } catch (caught) {
      if (!(caught instanceof InputError)) throw caught;
      error ??= caught;
    }
  }
  if (crops.length === 0) throw error as InputError;
  loadMs /= crops.length;
  const pass = Array.from(
    { length: Math.min(config.imagesPerPass, config.batchSize) },
    (_, i) => crops[i % crops.length],
  );
  const passes = new ClassifyPasses({ ...config, model, head });
  const accumulator = new GradientAccumulator();
  const train = () => passes.run(pass, accumulator).then(() => {});
  const startedAt = performance.now();
  let trainMs: number;
  let rest: Awaited<ReturnType<typeof updateAndSaveMs>>;
  let compileMs: number; // of the passes' one shape
  try {
    await train(); // the first pass adds to nothing: another graph
    const trainAt = performance.now();
    const { ms, compileMs: more } = await firstAndSecond(train);
    trainMs = ms / pass.length;
    compileMs = Math.max(0, trainAt - startedAt - ms) + more;
    rest = await updateAndSaveMs(model, passes.variables, { accumulator, config });
  } finally {
    accumulator.dispose();
  }
  const scoreMs =
    (await secondTime(async () => {
      const scores = tf.tidy(() =>
        head.scores(model.mapFromPrefix(model.prefix(stackImages(pass.map(({ image }) => image)), 'none'), 'none')),
      );
      await scores.data();
      scores.dispose();
    })) / pass.length;

  const { steps, batchSize } = config;
  const { updateMs: optimizeMs, saveMs } = rest;
  const msPerUpdate = batchSize * (trainMs + loadMs) + optimizeMs;
  const side = config.finalImageSize || (model.meta.imageSize ?? defaultLongestSidePx);
  // A photograph of three to four.
  const pixels = (0.75 * side ** 2) / config.cropSize ** 2;
  const finishing = finishMs(config, {
    trained: records.length,
    heldBack,
    validation: 0, // its measure is another
    msPerImage: loadMs + scoreMs * pixels,
    channels: model.channels,
  });
  const sizes = new Map<string, number>();
  for (const { landmark } of records) sizes.set(landmark, (sizes.get(landmark) ?? 0) + 1);
  const size = (all: Iterable<tf.Variable>) => [...all].reduce((sum, variable) => sum + variable.size, 0);
  const trainedParameters = size(passes.variables.values());
  return {
    images: records.length,
    classes: sizes.size,
    smallestClass: smallest(sizes.values()),
    largestClass: largest(sizes.values()),
    trainedParameters,
    headParameters: size(head.variables.values()),
    memoryBytes: process.memoryUsage.rss() + updateBytes(trainedParameters, config),
    loadMs,
    scoreMs,
    trainMs,
    optimizeMs,
    saveMs,
    msPerUpdate,
    finishMs: finishing,
    epochs: (steps * batchSize) / records.length,
    etaSeconds:
      (steps * msPerUpdate +
        savesOf(config) * saveMs +
        compileMs +
        finishing +
        measurementsOf(config) * validationImages * (scoreMs + loadMs)) /
      1000,
  };
}
