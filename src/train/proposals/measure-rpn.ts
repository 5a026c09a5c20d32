/** @file Recall of a region proposal network on photographs with boxes. */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../errors.js';
import type { RpnHead } from '../../rpn/head.js';
import { propose } from '../../rpn/propose.js';
import { averageRecall, bestOverlap, boxRecallAt } from '../../rpn/recall.js';
import type { BoxedRecord } from '../../data/manifest.js';
import { alone, type ProcessGroup } from '../process-group.js';
import type { BoxedImages } from './boxed-images.js';

export interface ProposalRecall {
  /** Mean recall over overlaps of 0.5 to 0.95. */
  recall: number;
  recall50: number;
  recall70: number;
  valUnreadable: number;
  [figure: string]: number;
}

/** Each rank of `group` measures its share. Undefined when `signal` ended it. Throws `InputError` when no photograph can be read. */
export async function measureRpn(
  head: RpnHead,
  images: BoxedImages,
  records: readonly BoxedRecord[],
  {
    stride,
    proposals,
    signal,
    group = alone,
    onProgress,
  }: {
    stride: number;
    proposals: number;
    signal?: AbortSignal;
    group?: ProcessGroup;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<ProposalRecall | undefined> {
  const own: number[] = [];
  let firstError: string | undefined;
  const share = group.shareOf(records);
  let done = 0;
  for await (const loaded of images.load(share.map((record) => ({ record, flip: false, seed: 0 })))) {
    if (signal?.aborted) break;
    if ('error' in loaded) firstError ??= loaded.error.message;
    else {
      const { values, shape, image, box } = loaded.map;
      const map = tf.tensor4d(values, shape);
      const { boxes } = propose(head, map, { image, stride, count: proposals });
      map.dispose();
      own.push(bestOverlap(box, boxes));
    }
    onProgress?.(++done, share.length);
  }
  const shares = await group.gather({ own, firstError, interrupted: signal?.aborted === true });
  if (shares.some(({ interrupted }) => interrupted)) return undefined;
  const overlaps = shares.flatMap((each) => each.own);
  if (overlaps.length === 0) {
    const problem = shares.find((each) => each.firstError !== undefined)?.firstError;
    throw new InputError(problem ?? 'No photograph to measure proposals on.');
  }
  return {
    recall: averageRecall(overlaps),
    recall50: boxRecallAt(overlaps, 0.5),
    recall70: boxRecallAt(overlaps, 0.7),
    valUnreadable: records.length - overlaps.length,
  };
}
