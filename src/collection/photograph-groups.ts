/** @file Photographs that show one thing: what verified pairs and copies connect. */
import type { CollectionGraph } from '../cleaning/graph/collection-graph.js';
import { connectedComponents } from '../cleaning/graph/match-graph.js';

export interface PhotographGroups {
  /** Positions of the photographs of each group of at least two, copies among them; the largest first. */
  groups: number[][];
  /** Position of the photograph that each copy is one of; of copies of a picture the largest is kept. */
  copyOf: Map<number, number>;
}

/**
 * Groups of photographs 0 to `count` - 1: the components of the graph of pairs with at least `minInliers` on one affine map. Copies
 * count as one photograph: alone they are no group.
 */
export function photographGroups(
  count: number,
  { edges, duplicates }: Pick<CollectionGraph, 'edges' | 'duplicates'>,
  minInliers: number,
): PhotographGroups {
  const copyOf = new Map(
    duplicates.flatMap(([first, ...others]) => others.map((other): [number, number] => [other, first])),
  );
  const strong = edges.filter(({ inliers }) => inliers >= minInliers);
  const copies = [...copyOf].map(([a, b]) => ({ a, b, inliers: 0 }));
  const components = connectedComponents(count, [...strong, ...copies]);
  const groups = components.filter((nodes) => nodes.filter((node) => !copyOf.has(node)).length > 1);
  return { groups, copyOf };
}
