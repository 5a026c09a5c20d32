/** @file From scores and deltas of all anchors to a few boxes: decode, cut, drop the small, sort, suppress, take the best. */
import { decodeBoxes } from './box-coder.js';
import { type BoxRows, clipRows, type ImageSides } from './box-rows.js';
import { suppressOverlapping } from './non-maximum-suppression.js';

export interface ProposalOptions {
  /** Boxes returned at most. Ren et al.: 300 for testing, 2000 for training a detector; Gordo et al.: 16 to 256. Default 300. */
  count?: number;
  /** Boxes that enter the suppression. Default 6000. */
  candidates?: number;
  /** Overlap above which the worse of two boxes is dropped. Default 0.7. */
  overlap?: number;
  /** Boxes with a shorter side below this are dropped, px. Default 16. */
  smallestSide?: number;
}

/** py-faster-rcnn's for testing. */
export const proposalDefaults = { count: 300, candidates: 6000, overlap: 0.7, smallestSide: 16 } as const;

export interface Proposals {
  /** [K, 4] rows, best first. */
  boxes: Float32Array;
  /** [K] as they were given. */
  scores: Float32Array;
}

/**
 * At most `count` proposals, as many as there are when suppression and the smallest side leave fewer (none at all included).
 * Equal scores keep the order of the anchors. A score or delta that is not a number drops its anchor.
 */
export function selectProposals(
  { anchors, scores, deltas }: { anchors: BoxRows; scores: ArrayLike<number>; deltas: BoxRows },
  image: ImageSides,
  {
    count = proposalDefaults.count,
    candidates = proposalDefaults.candidates,
    overlap = proposalDefaults.overlap,
    smallestSide = proposalDefaults.smallestSide,
  }: ProposalOptions = {},
): Proposals {
  const all = clipRows(decodeBoxes(anchors, deltas), image);
  const large: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    // written so that NaN is dropped
    const tall = all[4 * i + 2] - all[4 * i] >= smallestSide;
    const wide = all[4 * i + 3] - all[4 * i + 1] >= smallestSide;
    if (tall && wide && !Number.isNaN(scores[i])) large.push(i);
  }
  large.sort((a, b) => scores[b] - scores[a] || a - b);
  const best = large.slice(0, candidates);
  const rows = gatherRows(all, best);
  const kept = suppressOverlapping(rows, { threshold: overlap, most: count });
  return { boxes: gatherRows(rows, kept), scores: Float32Array.from(kept, (i) => scores[best[i]]) };
}

function gatherRows(rows: Float32Array, positions: ArrayLike<number>): Float32Array {
  const gathered = new Float32Array(4 * positions.length);
  for (let i = 0; i < positions.length; i++) gathered.set(rows.subarray(4 * positions[i], 4 * positions[i] + 4), 4 * i);
  return gathered;
}
