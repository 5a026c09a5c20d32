/** @file Which anchors are positives, negatives, or neither (Ren et al. 2015, section 3.1.2, as py-faster-rcnn has it). */
import { type BoxRows, rowOverlap } from './box-rows.js';

export interface AnchorMatchOptions {
  /** An anchor whose best overlap is below this is a negative. Default 0.3. */
  low?: number;
  /** From this overlap on it is a positive. Default 0.7. */
  high?: number;
  /** 1 for anchors that may be labelled at all. Default: all. */
  usable?: Uint8Array;
}

export interface AnchorMatch {
  /** 1 positive, 0 negative, -1 neither. */
  labels: Int8Array;
  /** The box with which each anchor overlaps most, the first of equals; -1 where there is no box. */
  boxes: Int32Array;
}

/**
 * Labels [N] of `anchors` [N, 4] for `boxes` [M, 4]. The anchors that overlap a box most are positives whatever that
 * overlap, all of equals, unless it is 0; positives win over negatives. Without boxes all usable anchors are negatives.
 */
export function matchAnchors(
  anchors: BoxRows,
  boxes: BoxRows,
  { low = 0.3, high = 0.7, usable }: AnchorMatchOptions = {},
): AnchorMatch {
  const [count, boxCount] = [anchors.length / 4, boxes.length / 4];
  const labels = new Int8Array(count).fill(-1);
  const bestBox = new Int32Array(count).fill(-1);
  const overlaps = new Float64Array(count * boxCount);
  const bestOfBox = new Float64Array(boxCount);
  for (let i = 0; i < count; i++) {
    if (usable !== undefined && usable[i] === 0) continue;
    let best = -1;
    for (let j = 0; j < boxCount; j++) {
      const overlap = rowOverlap(anchors, i, boxes, j);
      overlaps[i * boxCount + j] = overlap;
      if (overlap > bestOfBox[j]) bestOfBox[j] = overlap;
      if (overlap > best) {
        best = overlap;
        bestBox[i] = j;
      }
    }
    if (best < low) labels[i] = 0;
    if (best >= high) labels[i] = 1;
  }
  for (let i = 0; i < count; i++) {
    if (usable !== undefined && usable[i] === 0) continue;
    for (let j = 0; j < boxCount; j++) {
      if (bestOfBox[j] > 0 && overlaps[i * boxCount + j] === bestOfBox[j]) labels[i] = 1;
    }
  }
  return { labels, boxes: bestBox };
}
