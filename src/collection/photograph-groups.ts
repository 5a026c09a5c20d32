/**
 * @file Photographs that show one thing. A verified pair may agree on what lies behind the things, a printed page on the table or
 * the logo of a series, and chains of such pairs would join everything; so two groups become one only where many of the pairs between
 * them are verified (average linkage), the pairs that agree on most of a picture first.
 */
import type { CollectionGraph } from '../cleaning/graph/collection-graph.js';
import { connectedComponents } from '../cleaning/graph/match-graph.js';

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
  /** Share of the pairs between two groups that are verified where they are joined; 0: one is enough. */
  linkage: number;
}

/** Groups of photographs 0 to `count` - 1. Copies count as one photograph: alone they are no group. */
export function photographGroups(
  count: number,
  { edges, duplicates }: Pick<CollectionGraph, 'edges' | 'duplicates'>,
  { minInliers, linkage }: GroupingOptions,
): PhotographGroups {
  const copyOf = new Map(
    duplicates.flatMap(([first, ...others]) => others.map((other): [number, number] => [other, first])),
  );
  const original = (node: number) => copyOf.get(node) ?? node;
  const strong = edges
    .filter(({ inliers }) => inliers >= minInliers)
    .toSorted((x, y) => y.coverage - x.coverage || y.inliers - x.inliers)
    .map((edge) => ({ ...edge, a: original(edge.a), b: original(edge.b) }))
    .filter(({ a, b }) => a !== b);
  const joined = new Clusters(count, strong);
  for (const { a, b } of strong) joined.join(a, b, linkage);
  const together = (links: readonly { a: number; b: number }[]) => {
    const copies = [...copyOf].map(([a, b]) => ({ a, b }));
    return connectedComponents(
      count,
      [...links, ...copies].map((link) => ({ ...link, inliers: 0 })),
    );
  };
  const groups = together(joined.links()).filter((nodes) => nodes.filter((node) => !copyOf.has(node)).length > 1);
  const sites: number[] = [];
  for (const [site, nodes] of together(strong).entries()) for (const node of nodes) sites[node] = site;
  return { groups, copyOf, sites };
}

/** Photographs in clusters, at first each alone, and how many verified pairs there are between two clusters. */
class Clusters {
  readonly #of: number[];
  readonly #members: number[][];
  readonly #between: Map<number, number>[];

  constructor(count: number, pairs: readonly { a: number; b: number }[]) {
    this.#of = Array.from({ length: count }, (_, node) => node);
    this.#members = this.#of.map((node) => [node]);
    this.#between = this.#of.map(() => new Map());
    // Copies may bring a pair twice.
    for (const { a, b } of pairs) {
      this.#between[a].set(b, 1);
      this.#between[b].set(a, 1);
    }
  }

  /** Joins the clusters of two photographs where at least `share` of the pairs between them are verified. */
  join(a: number, b: number, share: number): void {
    const [x, y] = [this.#of[a], this.#of[b]];
    if (x === y) return;
    const [large, small] = this.#members[x].length >= this.#members[y].length ? [x, y] : [y, x];
    const verified = this.#between[large].get(small) ?? 0;
    if (verified < share * this.#members[large].length * this.#members[small].length) return;
    for (const node of this.#members[small]) {
      this.#of[node] = large;
      this.#members[large].push(node);
    }
    this.#members[small] = [];
    this.#between[large].delete(small);
    for (const [other, pairs] of this.#between[small]) {
      this.#between[other].delete(small);
      if (other === large) continue;
      const all = pairs + (this.#between[large].get(other) ?? 0);
      this.#between[large].set(other, all);
      this.#between[other].set(large, all);
    }
    this.#between[small].clear();
  }

  /** Pairs that connect the photographs of each cluster. */
  links(): { a: number; b: number }[] {
    return this.#members.flatMap(([first, ...others]) => others.map((other) => ({ a: first, b: other })));
  }
}
