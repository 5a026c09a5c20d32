/** @file The log's pairs of contents as a graph of a manifest's photographs, and the sets of copies among them. */
import { type AffineMap, identityMap, invertMap } from '../matching/affine-map.js';
import { allCells, parseCells } from '../matching/coverage.js';
import { type BoxPx, boxAroundPoints } from '../boxes/boxes.js';
import { type ComparedPair, type MatchLog, pairKey } from './match-log.js';
import { nearDuplicateSets } from '../features/near-duplicates.js';
import type { PhotographFacts } from '../features/describe-photographs.js';

/** A verified pair of photographs, positions in the list; a < b. */
export interface PhotographEdge {
  a: number;
  b: number;
  matches: number;
  inliers: number;
  /** Inliers on what was laid over both, not counted in `inliers`. */
  overlay: number;
  /** From a's px to b's and back. */
  aToB: AffineMap;
  bToA: AffineMap;
  /** Boxes of the inliers, px. */
  boxA: BoxPx;
  boxB: BoxPx;
  /** Cells on which the inliers lie (coverage.ts). */
  cellsA: bigint;
  cellsB: bigint;
}

export interface CollectionGraph {
  edges: PhotographEdge[];
  /** Sets of near-duplicates, the one to keep first. */
  duplicates: number[][];
  /** Pairs compared; of them with nothing verified, and with an overlay taken off. */
  compared: number;
  unverified: number;
  overlays: number;
}

/** Edges in the order of the list. Pairs that were not compared (other labels, copies) are passed over. */
export function collectionGraph(
  facts: readonly PhotographFacts[],
  pairs: Iterable<readonly [number, number]>,
  log: Pick<MatchLog, 'pairs'>,
): CollectionGraph {
  const edges: PhotographEdge[] = [];
  let [compared, unverified, overlays] = [0, 0, 0];
  for (const [i, j] of pairs) {
    const [a, b] = i < j ? [i, j] : [j, i];
    const [one, other] = [facts[a], facts[b]];
    if (one.error !== undefined || other.error !== undefined) continue;
    if (one.image === other.image) {
      edges.push(copyEdge(a, b, one));
      continue;
    }
    const pair = log.pairs.get(pairKey(one.image, other.image));
    if (pair === undefined) continue;
    compared++;
    if ((pair.overlay ?? 0) > 0) overlays++;
    const edge = edgeOf(a, b, pair, pair.pair[0] === one.image);
    if (edge === undefined) unverified++;
    else edges.push(edge);
  }
  edges.sort((x, y) => x.a - y.a || x.b - y.b);
  return { edges, duplicates: duplicatesOf(facts), compared, unverified, overlays };
}

function edgeOf(a: number, b: number, pair: ComparedPair, forward: boolean): PhotographEdge | undefined {
  if (pair.verified === undefined) return undefined;
  const { aToB: map, boxA, boxB } = pair.verified;
  const [cellsA, cellsB] = [parseCells(pair.verified.cellsA), parseCells(pair.verified.cellsB)];
  const inverse = invertMap(map);
  if (inverse === null) return undefined;
  const { matches, inliers, overlay = 0 } = pair;
  const common = { a, b, matches, inliers, overlay };
  return forward
    ? { ...common, aToB: map, bToA: inverse, boxA, boxB, cellsA, cellsB }
    : { ...common, aToB: inverse, bToA: map, boxA: boxB, boxB: boxA, cellsA: cellsB, cellsB: cellsA };
}

/** Two files of equal bytes: everything agrees. */
function copyEdge(
  a: number,
  b: number,
  { width, height, keypoints }: PhotographFacts & { error?: undefined },
): PhotographEdge {
  const whole = boxAroundPoints([-0.5, -0.5, width - 0.5, height - 0.5]);
  const common = { a, b, matches: keypoints, inliers: keypoints, overlay: 0, cellsA: allCells, cellsB: allCells };
  return { ...common, aToB: identityMap, bToA: identityMap, boxA: whole, boxB: whole };
}

function duplicatesOf(facts: readonly PhotographFacts[]): number[][] {
  const usable = facts.flatMap((fact, node) => (fact.error === undefined ? [{ fact, node }] : []));
  const sets = nearDuplicateSets(
    usable.map(({ fact: { image, width, height, signature } }) => ({
      image,
      width,
      height,
      signature: Uint8Array.from(Buffer.from(signature, 'base64')),
    })),
  );
  return sets.map((set) => set.map((i) => usable[i].node));
}
