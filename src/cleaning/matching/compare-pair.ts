/** @file What one pair of images has in common, as the match graph keeps it. */
import type { AffineMap } from './affine-map.js';
import { findOverlay, inStrip, type Overlay } from './banners.js';
import { coveredCells } from './coverage.js';
import { boxAroundPoints, type BoxPx } from '../boxes/boxes.js';
import { descriptorLength, type Features, frameLength } from '../features/features.js';
import { matchFeatures, type MatchOptions } from './matching.js';
import { type VerifiedMatches, verify, type VerificationOptions } from './verification.js';

export interface CompareOptions {
  match?: MatchOptions;
  verify?: VerificationOptions;
}

export interface PairResult {
  /** Tentative matches. */
  matches: number;
  /** Matches on one affine map; 0 where the pair is not verified. */
  inliers: number;
  /** Inliers on what was laid over both photographs, counted apart: the rest is the result without their features. */
  overlay?: number;
  verified?: {
    aToB: AffineMap;
    /** Boxes of the inliers, px. */
    boxA: BoxPx;
    boxB: BoxPx;
    /** Cells on which the inliers lie (coverage.ts). */
    cellsA: bigint;
    cellsB: bigint;
  };
}

/** Overlays that are taken off one pair at most: a strip at the top, one at the bottom, a mark. */
const maxOverlays = 3;

/** Matches and verifies a pair; `correlation`: that of the two pictures as a whole (near-duplicates.ts). */
export function comparePair(a: Features, b: Features, correlation: number, options: CompareOptions = {}): PairResult {
  return examinePair(a, b, matchAndVerify(a, b, options), correlation, options);
}

/**
 * What a pair's `first` verification is worth. Where its inliers are an overlay's, the overlay's features are left out and the pair is
 * matched again.
 */
export function examinePair(
  a: Features,
  b: Features,
  first: VerifiedMatches & { matches: number },
  correlation: number,
  options: CompareOptions = {},
): PairResult {
  let [left, right] = [a, b];
  let verification = first;
  let overlay = 0;
  for (let round = 0; ; round++) {
    const { matches, count, affine, inliers } = verification;
    const common = { matches, ...(overlay > 0 && { overlay }) };
    if (affine === null) return { ...common, inliers: 0 };
    const from = positions(left, inliers, 0);
    const to = positions(right, inliers, 1);
    const found = findOverlay({ from, to, affine, sizeA: a, sizeB: b, correlation });
    if (found === undefined) {
      const boxes = { boxA: boxAroundPoints(from), boxB: boxAroundPoints(to) };
      const verified = { aToB: affine, ...boxes, cellsA: coveredCells(from, a), cellsB: coveredCells(to, b) };
      return { ...common, inliers: count, verified };
    }
    overlay += count;
    if (round === maxOverlays) return { ...common, overlay, inliers: 0 };
    left = withoutOverlay(left, found, verification, 0);
    right = withoutOverlay(right, found, verification, 1);
    verification = matchAndVerify(left, right, options);
  }
}

function matchAndVerify(a: Features, b: Features, { match, verify: verifying }: CompareOptions) {
  const matches = matchFeatures(a, b, match);
  return { matches: matches.count, ...verify(a, b, matches, verifying) };
}

function positions({ frames }: Features, inliers: Uint32Array, side: 0 | 1): Float64Array {
  const points = new Float64Array(inliers.length);
  for (let i = 0; i < inliers.length; i += 2) {
    points[i] = frames[inliers[i + side] * frameLength];
    points[i + 1] = frames[inliers[i + side] * frameLength + 1];
  }
  return points;
}

/** The features that do not lie on the overlay: its strip, or the places of its inliers. */
function withoutOverlay(features: Features, overlay: Overlay, { inliers }: VerifiedMatches, side: 0 | 1): Features {
  const { count, frames, responses, descriptors } = features;
  const places = new Set<string>();
  const placeOf = (i: number) => `${frames[i * frameLength]} ${frames[i * frameLength + 1]}`;
  for (let i = 0; i < inliers.length; i += 2) places.add(placeOf(inliers[i + side]));
  const kept: number[] = [];
  for (let i = 0; i < count; i++) {
    const [x, y] = [frames[i * frameLength], frames[i * frameLength + 1]];
    const covered = overlay.kind === 'mark' ? places.has(placeOf(i)) : inStrip(x, y, features, overlay.side);
    if (!covered) kept.push(i);
  }
  const without: Features = {
    ...features,
    count: kept.length,
    frames: new Float32Array(kept.length * frameLength),
    responses: new Float32Array(kept.length),
    descriptors: new Uint8Array(kept.length * descriptorLength),
  };
  kept.forEach((i, k) => {
    without.frames.set(frames.subarray(i * frameLength, (i + 1) * frameLength), k * frameLength);
    without.responses[k] = responses[i];
    without.descriptors.set(
      descriptors.subarray(i * descriptorLength, (i + 1) * descriptorLength),
      k * descriptorLength,
    );
  });
  return without;
}
