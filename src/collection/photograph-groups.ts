/**
 * @file Photographs that show one thing. A verified pair may agree on what lies behind the things, a printed page on the table, and
 * chains of such pairs would join everything. A photograph is about what its best pair lies on, the one that covers most of a picture; of its other
 * pairs, those connect that lie on the same cells of the picture.
 */
import type { CollectionGraph } from '../cleaning/graph/collection-graph.js';
import { connectedComponents } from '../cleaning/graph/match-graph.js';
import { coveredShare, sharedCells } from '../cleaning/matching/coverage.js';

export interface PhotographGroups {
  /** Positions of the photographs of each group of at least two, copies among them; the largest first. */
  groups: number[][];
  /** Position of the photograph that each copy is one of; of copies of a picture the largest is kept. */
  copyOf: Map<number, number>;
  /** Of each photograph, the number of what any verified pairs connect it with: those of one number may show the same. [N] */
  sites: number[];
}

export interface GroupingOptions {
  /** Keypoints on one affine map that verify a pair. */
  minInliers: number;
  /** Share of the cells that a pair has in common with the best pairs of both photographs, where it connects them; 0: every pair does. */
  overlap: number;
}

/** Groups of photographs 0 to `count` - 1. Copies count as one photograph: alone they are no group. */
export function photographGroups(
  count: number,
  { edges, duplicates }: Pick<CollectionGraph, 'edges' | 'duplicates'>,
  { minInliers, overlap }: GroupingOptions,
): PhotographGroups {
  const copyOf = new Map(
    duplicates.flatMap(([first, ...others]) => others.map((other): [number, number] => [other, first])),
  );
  const original = (node: number) => copyOf.get(node) ?? node;
  const strong = edges
    .filter(({ inliers }) => inliers >= minInliers)
    .map((edge) => ({ ...edge, a: original(edge.a), b: original(edge.b), coverage: coverageOf(edge) }))
    .filter(({ a, b }) => a !== b)
    .toSorted((x, y) => y.coverage - x.coverage || y.inliers - x.inliers);
  const subjects = new Map<number, bigint>();
  const isAbout = (node: number, cells: bigint) => sharedCells(cells, subjects.get(node) ?? cells) >= overlap;
  const links: { a: number; b: number }[] = [];
  for (const { a, b, cellsA, cellsB } of strong) {
    if (!isAbout(a, cellsA) || !isAbout(b, cellsB)) continue;
    links.push({ a, b });
    if (!subjects.has(a)) subjects.set(a, cellsA);
    if (!subjects.has(b)) subjects.set(b, cellsB);
  }
  const together = (pairs: readonly { a: number; b: number }[]) => {
    const copies = [...copyOf].map(([a, b]) => ({ a, b }));
    return connectedComponents(
      count,
      [...pairs, ...copies].map((link) => ({ ...link, inliers: 0 })),
    );
  };
  const groups = together(links).filter((nodes) => nodes.filter((node) => !copyOf.has(node)).length > 1);
  const sites: number[] = [];
  for (const [site, nodes] of together(strong).entries()) for (const node of nodes) sites[node] = site;
  return { groups, copyOf, sites };
}

/** Of the picture of which the pair covers more. */
function coverageOf({ cellsA, cellsB }: CollectionGraph['edges'][number]): number {
  return Math.max(coveredShare(cellsA), coveredShare(cellsB));
}
