/**
 * @file Affine verification of two images' matches: how many lie on one affine map of the plane.
 *
 * Method 'single': every match alone proposes a map, from its two local frames (Philbin et al. 2007, section 3.4): nothing is drawn
 * at random, and the best matches come first. Method 'ransac': three matches propose a map, drawn with a seed. Either way a better map is
 * refined by least squares on its inliers as long as they grow in number (locally optimised RANSAC, Chum et al. 2003), and what is returned
 * is always the least-squares fit of the inliers that are returned with it, every one within its tolerance.
 *
 * Maps that no camera makes are passed over: reflections, extreme scales and shears, and maps whose inliers lie on a line or in a heap.
 */
import seedrandom from 'seedrandom';
import { type AffineMap, determinant, fitAffine, stretches } from './affine-map.js';
import { type Correspondences, correspondencesOf, inlierSearch, leastSpread } from './correspondences.js';
import { type Features, frameLength } from '../features/features.js';
import type { Matches } from './matching.js';

export interface VerificationOptions {
  /** Where hypotheses come from. Default 'single'. */
  method?: 'single' | 'ransac';
  /** Largest transfer error of an inlier in either image, in pixels of an image whose longest side is 640. Default 8. */
  tolerancePx?: number;
  /** Fewer inliers verify nothing. Default 8. */
  minInliers?: number;
  /** Hypotheses that are tried at most. Default 1000. */
  maxHypotheses?: number;
  /** Largest factor by which lengths may grow or shrink, both images scaled to one longest side. Default 10. */
  maxStretch?: number;
  /** Largest ratio of the factors along two directions. Default 5. */
  maxAnisotropy?: number;
  /** Least standard deviation of the inliers' positions in any direction, px as the tolerance. Default 2. */
  minSpreadPx?: number;
  /** Of 'ransac'. Default 1. */
  seed?: number;
}

export interface VerifiedMatches {
  /** K; 0 where the pair is not verified. */
  count: number;
  /** Index of a feature of a and of one of b, [K, 2], the most distinct match first; no position of either image twice. */
  inliers: Uint32Array;
  /** From a's pixels to b's, the least-squares fit of the inliers; null where the pair is not verified. */
  affine: AffineMap | null;
}

/** Chance that the search stops before a good hypothesis for the map with most inliers has come. */
const missed = 0.001;
/** Share of the inliers whose frames alone give a map near enough to be refined; rather too low than too high. */
const goodFrames = 0.25;
/**
 * A hypothesis is first refined on matches within this many tolerances: a frame that is a few degrees off misses far points
 * by more than one.
 */
const hypothesisSlack = 3;
/** Rounds of least squares at most. */
const maxRefits = 10;

/** The affine map from a to b that explains most matches, and those. Equal input, equal output. */
export function verify(a: Features, b: Features, matches: Matches, options: VerificationOptions = {}): VerifiedMatches {
  const {
    method = 'single',
    tolerancePx = 8,
    minInliers = 8,
    maxHypotheses = 1000,
    maxStretch = 10,
    maxAnisotropy = 5,
    minSpreadPx = 2,
    seed = 1,
  } = options;
  if (!(tolerancePx > 0)) throw new RangeError(`verify: tolerancePx above 0 expected, got ${tolerancePx}.`);
  const points = correspondencesOf(a, b, matches);
  const search = inlierSearch(points);
  const candidates = new Uint32Array(points.count);
  let inliers: Uint32Array = new Uint32Array(0);
  let affine: AffineMap | null = null;

  const plausible = (map: AffineMap) => {
    // Relative to the images' sizes: a thumbnail may match its original.
    const [large, small] = stretches(map).map((factor) => (factor * points.fromUnit) / points.toUnit);
    return determinant(map) > 0 && large <= maxStretch && small * maxStretch >= 1 && large <= maxAnisotropy * small;
  };
  const spread = (found: Uint32Array) =>
    leastSpread(points.from, found) >= minSpreadPx * points.fromUnit &&
    leastSpread(points.to, found) >= minSpreadPx * points.toUnit;
  /** Trials after which `drawn` of `good` matches have surely come together once. */
  const trialsFor = (good: number, drawn = 1) => Math.log(missed) / Math.log1p(-((good / points.count) ** drawn));
  const fit = (indices: Uint32Array) => fitAffine(points.from, points.to, indices);
  /** The map's inliers, refitted as long as they grow in number; none for a map that no camera makes. */
  const grow = (map: AffineMap): Uint32Array => {
    let grown: Uint32Array = new Uint32Array(0);
    let next: AffineMap | null = map;
    for (let refit = 0; refit <= maxRefits && next !== null && plausible(next); refit++) {
      const found = search.find(next, tolerancePx, candidates);
      if (found < grown.length) break;
      const done = found === grown.length;
      grown = candidates.slice(0, found);
      if (done) break;
      next = fit(grown);
    }
    return grown;
  };
  /** Drops what is beyond the tolerance of the others' least-squares map, until that map is the fit of the matches that it explains. */
  const settle = (kept: Uint32Array): { map: AffineMap; kept: Uint32Array } | undefined => {
    const map = fit(kept);
    if (map === null || !plausible(map)) return undefined;
    const found = search.find(map, tolerancePx, candidates, kept);
    if (found < kept.length) return settle(candidates.slice(0, found));
    return spread(kept) ? { map, kept } : undefined;
  };
  const propose = (map: AffineMap) => {
    if (!plausible(map)) return;
    const near = search.find(map, hypothesisSlack * tolerancePx, candidates);
    if (near <= Math.max(inliers.length, 2)) return;
    const fromNear = fit(candidates.subarray(0, near));
    for (const start of fromNear === null ? [map] : [map, fromNear]) {
      const grown = grow(start);
      if (grown.length <= inliers.length) continue;
      const settled = settle(grown);
      if (settled !== undefined && settled.kept.length > inliers.length)
        [affine, inliers] = [settled.map, settled.kept];
    }
  };

  if (points.count >= Math.max(3, minInliers)) {
    if (method === 'single') {
      const limit = Math.min(points.count, maxHypotheses);
      for (let k = 0; k < Math.min(limit, trialsFor(goodFrames * inliers.length)); k++)
        propose(mapOfFrames(a, b, points, k));
    } else {
      const random = seedrandom.alea(`verify ${seed}`);
      const draw = () => Math.floor(random() * points.count);
      for (let trial = 0; trial < Math.min(maxHypotheses, trialsFor(inliers.length, 3)); trial++) {
        const map = fit(Uint32Array.of(draw(), draw(), draw()));
        if (map !== null) propose(map);
      }
    }
  }
  const count = inliers.length;
  if (affine === null || count < minInliers) return { count: 0, inliers: new Uint32Array(0), affine: null };
  const pairs = new Uint32Array(2 * count);
  for (let k = 0; k < count; k++) pairs.set(points.pairs.subarray(2 * inliers[k], 2 * inliers[k] + 2), 2 * k);
  return { count, inliers: pairs, affine };
}

/** The map that takes the frame of a's feature of match k to the frame of b's: A2 A1^-1 about their centres. */
function mapOfFrames(a: Features, b: Features, { pairs }: Correspondences, k: number): AffineMap {
  const i = pairs[2 * k] * frameLength;
  const j = pairs[2 * k + 1] * frameLength;
  const [x1, y1, p, q, r, s] = a.frames.subarray(i, i + frameLength);
  const [x2, y2, e, f, g, h] = b.frames.subarray(j, j + frameLength);
  const det = p * s - q * r;
  const m11 = (e * s - f * r) / det;
  const m12 = (f * p - e * q) / det;
  const m21 = (g * s - h * r) / det;
  const m22 = (h * p - g * q) / det;
  return [m11, m12, x2 - m11 * x1 - m12 * y1, m21, m22, y2 - m21 * x1 - m22 * y1];
}
