/** @file Top-1 and top-5 of a classifier on the centres of labelled images. */
import * as tf from '@tensorflow/tfjs-core';
import type { ImageRecord } from '../../data/manifest.js';
import { runAhead } from '../../data/run-ahead.js';
import { InputError } from '../../errors.js';
import { alone, type ProcessGroup } from '../process-group.js';
import type { ClassifyConfig } from './classify-config.js';
import { type PassOptions, ranksOf } from './classify-step.js';
import { centreCrop, decodeCrop, stackImages } from './crops.js';

export type ClassAccuracy = {
  /** Shares of the readable images whose class has the highest score, or one of the five highest. A tie counts against. */
  top1: number;
  top5: number;
  /** Mean cross-entropy, without label smoothing. */
  valLoss: number;
  valUnreadable: number;
};

/** Each rank of `group` measures its share. Undefined when interrupted. Throws `InputError` if not one image can be read. */
export async function measureClasses(
  { model, head }: Pick<PassOptions, 'model' | 'head'>,
  { records, labels }: { records: readonly ImageRecord[]; labels: Int32Array },
  {
    config,
    signal,
    group = alone,
    onProgress,
  }: {
    config: Pick<ClassifyConfig, 'validationSide' | 'cropSize' | 'imagesPerPass'>;
    signal?: AbortSignal;
    group?: ProcessGroup;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<ClassAccuracy | undefined> {
  const { cropSize, imagesPerPass } = config;
  const found = { top1: 0, top5: 0, loss: 0, count: 0, unreadable: 0 };
  let pass: { image: Awaited<ReturnType<typeof decodeCrop>>; label: number }[] = [];
  let firstError: string | undefined;
  const run = async () => {
    if (pass.length === 0) return;
    // The last pass repeats its last image: one graph for all of them.
    const whole = Array.from({ length: imagesPerPass }, (_, i) => pass[Math.min(i, pass.length - 1)].image);
    const scores = tf.tidy(() => head.scores(model.mapFromPrefix(model.prefix(stackImages(whole), 'none'), 'none')));
    const classes = scores.shape[1];
    const read = (await scores.data<'float32'>()).subarray(0, pass.length * classes);
    scores.dispose();
    const passLabels = pass.map(({ label }) => label);
    for (const [i, rank] of ranksOf(read, passLabels).entries()) {
      if (rank < 1) found.top1++;
      if (rank < 5) found.top5++;
      found.loss += lossOf(read.subarray(i * classes, (i + 1) * classes), passLabels[i]);
      found.count++;
    }
    pass = [];
  };
  const all = records.map((record, i) => ({ crop: centreCrop(record, config), label: labels[i] }));
  const items = group.shareOf(all);
  const decode = ({ crop }: (typeof all)[number]) => decodeCrop(crop, cropSize);
  for await (const outcome of runAhead(items, decode, Math.max(4, imagesPerPass))) {
    if (signal?.aborted) break;
    if ('error' in outcome) {
      if (!(outcome.error instanceof InputError)) throw outcome.error;
      firstError ??= outcome.error.message;
      found.unreadable++;
    } else {
      pass.push({ image: outcome.value, label: outcome.item.label });
      if (pass.length === imagesPerPass) await run();
    }
    onProgress?.(found.count + pass.length + found.unreadable, items.length);
  }
  if (!signal?.aborted) await run();
  const shares = await group.gather({ ...found, firstError, interrupted: signal?.aborted === true });
  if (shares.some(({ interrupted }) => interrupted)) return undefined;
  const total = (key: keyof typeof found) => shares.reduce((sum, share) => sum + share[key], 0);
  const count = total('count');
  if (count === 0) {
    const problem = shares.find((share) => share.firstError !== undefined)?.firstError;
    throw new InputError(`No validation image can be read; the first problem: ${problem ?? 'none'}`);
  }
  return {
    top1: total('top1') / count,
    top5: total('top5') / count,
    valLoss: total('loss') / count,
    valUnreadable: total('unreadable'),
  };
}

/** -log softmax(scores)[label]. */
function lossOf(scores: Float32Array, label: number): number {
  const highest = scores.reduce((a, b) => Math.max(a, b));
  const sum = scores.reduce((total, score) => total + Math.exp(score - highest), 0);
  return Math.log(sum) + highest - scores[label];
}
