import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { connectedComponents, pruneEdges } from '../../../src/cleaning/graph/match-graph.js';

const edge = (a: number, b: number, inliers = 20) => ({ a, b, inliers });

test('components are sorted by size, their nodes rise, isolated nodes stay', () => {
  expect(connectedComponents(7, [edge(5, 1), edge(1, 3), edge(0, 6)])).toEqual([[1, 3, 5], [0, 6], [2], [4]]);
  expect(connectedComponents(0, [])).toEqual([]);
});

test('of equally large components the one with more inliers comes first', () => {
  expect(connectedComponents(4, [edge(0, 1, 15), edge(2, 3, 90)])).toEqual([
    [2, 3],
    [0, 1],
  ]);
});

test('pruning keeps the threshold itself', () => {
  expect(pruneEdges([edge(0, 1, 14), edge(1, 2, 15)], 15)).toEqual([edge(1, 2, 15)]);
});

test('an edge to a node that is not there is refused', () => {
  expect(() => connectedComponents(2, [edge(0, 2)])).toThrow('edge 0-2 in a graph of 2 nodes');
});

/** Nodes reachable from `start`, by walking: another way to the same answer. */
function reachable(start: number, edges: readonly { a: number; b: number }[]): Set<number> {
  const seen = new Set([start]);
  for (const node of seen) {
    for (const { a, b } of edges) {
      if (a === node) seen.add(b);
      if (b === node) seen.add(a);
    }
  }
  return seen;
}

test('components are what can be reached, whatever the order and direction of the edges', () => {
  const node = fc.nat(11);
  const edges = fc.array(fc.record({ a: node, b: node, inliers: fc.integer({ min: 1, max: 50 }) }), { maxLength: 14 });
  fc.assert(
    fc.property(edges, fc.infiniteStream(fc.nat()), (list, random) => {
      const components = connectedComponents(12, list);
      expect(components.flat().toSorted((x, y) => x - y)).toEqual([...Array(12).keys()]);
      for (const component of components) expect(new Set(component)).toEqual(reachable(component[0], list));
      const key = () => random.next().value as number;
      const shuffled = list
        .map((item) => ({ key: key(), item: key() % 2 === 0 ? item : { ...item, a: item.b, b: item.a } }))
        .toSorted((x, y) => x.key - y.key)
        .map(({ item }) => item);
      expect(connectedComponents(12, shuffled)).toEqual(components);
    }),
  );
});
