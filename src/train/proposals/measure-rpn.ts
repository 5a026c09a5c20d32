/** @file Recall of a region proposal network on photographs with boxes. */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../errors.js';
import type { RpnHead } from '../../rpn/head.js';
import { propose } from '../../rpn/propose.js';
import { averageRecall, bestOverlap, boxRecallAt } from '../../rpn/recall.js';
import type { BoxedRecord } from '../../data/manifest.js';
import type { BoxedImages } from './boxed-images.js';

export interface ProposalRecall {
  /** Mean recall over overlaps of 0.5 to 0.95. */
  recall: number;
  recall50: number;
  recall70: number;
  valUnreadable: number;
  [figure: string]: number;
}

/** Undefined when `signal` ended it. Throws `InputError` when no photograph can be read. */
export async function measureRpn(
  head: RpnHead,
  images: BoxedImages,
  records: readonly BoxedRecord[],
  {
    stride,
    proposals,
    signal,
    onProgress,
  }: { stride: number; proposals: number; signal?: AbortSignal; onProgress?: (done: number, total: number) => void },
): Promise<ProposalRecall | undefined> {
  const overlaps: number[] = [];
  let firstError: InputError | undefined;
  let done = 0;
  for await (const loaded of images.load(records.map((record) => ({ record, flip: false })))) {
    if (signal?.aborted) return undefined;
    if ('error' in loaded) firstError ??= loaded.error;
    else {
      const { values, shape, image, box } = loaded.map;
      const map = tf.tensor4d(values, shape);
      const { boxes } = propose(head, map, { image, stride, count: proposals });
      map.dispose();
      overlaps.push(bestOverlap(box, boxes));
    }
    onProgress?.(++done, records.length);
  }
  if (overlaps.length === 0) throw firstError ?? new InputError('No photograph to measure proposals on.');
  return {
    recall: averageRecall(overlaps),
    recall50: boxRecallAt(overlaps, 0.5),
    recall70: boxRecallAt(overlaps, 0.7),
    valUnreadable: records.length - overlaps.length,
  };
}
