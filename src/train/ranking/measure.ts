/** @file mAP of a model while it trains. */
import { readManifest } from '../../data/manifest.js';
import { InputError } from '../../errors.js';
import { describeGroundTruth } from '../../retrieval/describe-ground-truth.js';
import type { Describer } from '../../retrieval/describe.js';
import { evaluateDescriptors } from '../../retrieval/evaluate.js';
import { type GroundTruth, labelsGroundTruth, readGroundTruth } from '../../retrieval/ground-truth.js';

/** `--val`: a ground truth (.json), or a manifest (.jsonl) whose labels say what is right. */
export async function readValidation(file: string): Promise<GroundTruth> {
  const groundTruth = file.endsWith('.jsonl')
    ? labelsGroundTruth(await readManifest(file))
    : await readGroundTruth(file);
  if (!groundTruth.queries.some(({ positives }) => positives.length > 0)) {
    throw new InputError(`${file}: no query has positives, so there is nothing to measure.`);
  }
  return groundTruth;
}

/**
 * mAP (trapezoid) at the training's image size; sides are snapped to the stride as in training, so that no image shape is added.
 * Undefined when interrupted.
 */
export async function measureMap(
  model: Describer & { stride: number },
  groundTruth: GroundTruth,
  { imageSize, signal, onProgress }: { imageSize: number; signal?: AbortSignal; onProgress?: (done: number) => void },
): Promise<number | undefined> {
  const { database, queries, failures } = await describeGroundTruth(model, groundTruth, {
    sizing: { longest: imageSize, multipleOf: model.stride },
    signal,
    onProgress,
  });
  if (signal?.aborted) return undefined;
  const map = database.ids.length === 0 ? Number.NaN : (await evaluateDescriptors(groundTruth, database, queries)).map;
  if (Number.isNaN(map)) {
    throw new InputError(
      `No query of the validation set could be measured; the first problem: ${failures[0]?.error ?? 'none'}`,
    );
  }
  return map;
}
