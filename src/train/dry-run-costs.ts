/** @file What the trainers' dry runs share: what a run does beside its own passes, measured by doing it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { writeFileAtomic } from '../data/files.js';
import { resizedSides } from '../data/images.js';
import type { StorableModel } from '../data/model-file.js';
import { runAhead } from '../data/run-ahead.js';
import { uprightSize } from '../data/upright-size.js';
import { InputError } from '../errors.js';
import { symmetricEigen } from '../linear/symmetric-eigen.js';
import { writeCheckpoint } from '../run/checkpoint.js';
import { RunObserver } from '../run/observe-run.js';
import { identityView, sizingOf } from './augmentation.js';
import { type FinishConfig, triedShares } from './finish-config.js';
import type { GradientAccumulator } from './gradients.js';
import { Optimizer, type OptimizerOptions } from './optimizer.js';
import type { TrainingConfig } from './training-config.js';

/** Milliseconds of the second call: the first compiles a graph. */
export async function secondTime(work: () => Promise<unknown>): Promise<number> {
  return (await firstAndSecond(work)).ms;
}

/** Milliseconds of the second call, and what the first took beyond them. */
export async function firstAndSecond(work: () => Promise<unknown>): Promise<{ ms: number; compileMs: number }> {
  const startedAt = performance.now();
  await work();
  const againAt = performance.now();
  await work();
  const ms = performance.now() - againAt;
  return { ms, compileMs: Math.max(0, againAt - startedAt - ms) };
}

/** Images tried until as many as needed could be read. */
export const candidates = 12;

/** Measurements on --val: at the start, at the end, and what is due between. */
export function measurementsOf({ steps, validateEvery }: Pick<TrainingConfig, 'steps' | 'validateEvery'>): number {
  return 2 + (validateEvery > 0 ? Math.floor((steps - 1) / validateEvery) : 0);
}

/** Bytes an update takes besides the weights and a backward pass: gradient sums, new weights, and the optimizer's averages, old and new. */
export function updateBytes(parameters: number, { optimizer }: Pick<TrainingConfig, 'optimizer'>): number {
  return 4 * parameters * (optimizer === 'adam' ? 6 : 4);
}

/**
 * Milliseconds in which the optimizer changes the weights, and in which a complete state is stored and shown. The rate is 0, so that the
 * weights stay; what is written lies in the system's temporary folder, and is removed. The gradients are used up.
 */
export async function updateAndSaveMs(
  model: StorableModel,
  variables: ReadonlyMap<string, tf.Variable>,
  { accumulator, config }: { accumulator: GradientAccumulator; config: OptimizerOptions },
): Promise<{ updateMs: number; saveMs: number }> {
  const optimizer = new Optimizer(variables, config);
  const folder = await mkdtemp(join(tmpdir(), 'rmac-estimate-'));
  const observer = new RunObserver(folder, {});
  try {
    const updateMs = await secondTime(() => optimizer.update(accumulator, 0, 0));
    const startedAt = performance.now();
    const weights = await model.toArrays();
    const momentum = await optimizer.state();
    const contents = { meta: model.meta, weights, momentum, state: { step: 0 }, config: {} };
    const bytes = await writeCheckpoint(folder, contents, { keep: 1 });
    await writeFileAtomic(join(folder, 'model.safetensors'), bytes);
    observer.weights(weights, new Set(variables.keys()), 0);
    return { updateMs, saveMs: performance.now() - startedAt };
  } finally {
    observer.close();
    optimizer.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** States stored: at the start, at the end, and what is due between. */
export function savesOf({ steps, checkpointEvery }: { steps: number; checkpointEvery: number }): number {
  return 2 + (checkpointEvery > 0 ? Math.floor((steps - 1) / checkpointEvery) : 0);
}

/** Headers read to count shapes. */
const sampledHeaders = 500;

/** Shapes in which images are seen: each costs compiled graphs. At least one. */
export async function countShapes(
  images: readonly string[],
  { imageSize, stride }: { imageSize: number; stride: number },
): Promise<number> {
  const sizing = sizingOf(identityView, { imageSize, stride });
  const shapes = new Set<string>();
  for await (const outcome of runAhead(images.slice(0, sampledHeaders), uprightSize, 8)) {
    if ('error' in outcome) {
      if (!(outcome.error instanceof InputError)) throw outcome.error;
      continue;
    }
    const { width, height } = resizedSides(outcome.value.width, outcome.value.height, sizing);
    shapes.add(`${width} ${height}`);
  }
  return Math.max(1, shapes.size);
}

/** Milliseconds of the eigenvectors of a covariance of `channels`: work of the third power, measured on less. */
export function eigenMs(channels: number): number {
  const n = Math.min(channels, 384);
  const matrix = Float64Array.from({ length: n * n }, (_, i) => 1 / (1 + Math.abs(Math.floor(i / n) - (i % n))));
  const startedAt = performance.now();
  symmetricEigen(matrix, n);
  return (performance.now() - startedAt) * (channels / n) ** 3;
}

/** Milliseconds of averaging with the start and of whitening: `msPerImage` decodes and describes one at the size of the finished model. */
export function finishMs(
  { averageWithStart, finalWhitenDimension, whitenImages }: FinishConfig,
  {
    trained,
    heldBack,
    validation,
    msPerImage,
    channels,
  }: { trained: number; heldBack: number; validation: number; msPerImage: number; channels: number },
): number {
  const whitenings = finalWhitenDimension > 0 ? 1 : 0;
  const tried = averageWithStart === 'auto' ? triedShares.length : 0;
  if (tried + whitenings === 0 && averageWithStart === 0) return 0;
  const choosing = tried * (heldBack + whitenings * Math.min(whitenImages, trained));
  const ending = whitenings * Math.min(whitenImages, trained + heldBack) + validation;
  return (choosing + ending) * msPerImage + whitenings * (tried + 1) * eigenMs(channels);
}
