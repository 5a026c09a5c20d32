/** @file mAP of a model while it trains. */
import type { ImageSizing } from '../../data/images.js';
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
 * mAP (trapezoid) at `sizing`: with sides snapped to the stride, as in training, no image shape is added. Undefined when
 * interrupted.
 */
export async function measureMap(
  model: Describer,
  groundTruth: GroundTruth,
  { sizing, signal, onProgress }: { sizing: ImageSizing; signal?: AbortSignal; onProgress?: (done: number) => void },
): Promise<number | undefined> {
  const { database, queries, failures } = await describeGroundTruth(model, groundTruth, {
    sizing,
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
