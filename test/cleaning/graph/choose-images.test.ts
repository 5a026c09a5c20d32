import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseImages, type GraphFacts } from '../../../src/cleaning/graph/choose-images.js';

type Partly = Partial<Omit<GraphFacts, 'edges' | 'photographs'>>;

/** Photographs by label, edges as [a, b, inliers = 20]. */
function facts(
  labels: string,
  edges: (readonly [number, number] | readonly [number, number, number])[],
  more: Partly = {},
) {
  return {
    photographs: labels.split('').map((landmark, i) => ({ id: `${landmark}${i}`, landmark })),
    edges: edges.map(([a, b, inliers = 20]) => ({ a, b, inliers })),
    broken: new Map(),
    featureless: new Set<number>(),
    duplicates: [],
    excluded: new Map(),
    ...more,
  };
}

const short = ({ decisions }: ReturnType<typeof chooseImages>) =>
  decisions.map(({ landmark, reason }) => landmark ?? reason);

test('the largest component of every label stays; the rest is counted by reason', () => {
  const graph = facts(
    'aaaaaaabb',
    [
      [0, 1],
      [1, 2],
      [3, 4],
      [0, 3, 14],
      [7, 8],
    ],
    { featureless: new Set([6]) },
  );
  expect(short(chooseImages(graph))).toEqual([
    'a',
    'a',
    'a',
    'other-component',
    'other-component',
    'no-match',
    'no-features',
    'too-few',
    'too-few',
  ]);
  expect(short(chooseImages(graph, { minInliers: 14, minImages: 2 })).slice(0, 5)).toEqual(['a', 'a', 'a', 'a', 'a']);
});

test('all profiles: views of one landmark are labels of one group', () => {
  const { decisions } = chooseImages(
    facts('aaaaaa', [
      [0, 1],
      [1, 2],
      [3, 4],
      [4, 5],
    ]),
    { profiles: 'all' },
  );
  expect(decisions.map(({ landmark }) => landmark)).toEqual(['a/1', 'a/1', 'a/1', 'a/2', 'a/2', 'a/2']);
  expect(decisions.every(({ group }) => group === 'a')).toBe(true);
});

test('a landmark of one photograph, and one where nothing matches', () => {
  expect(short(chooseImages(facts('abbb', [])))).toEqual(['no-match', 'no-match', 'no-match', 'no-match']);
});

test('of copies the first of a set stays, unless all are wanted', () => {
  const graph = facts(
    'aaaab',
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [0, 3],
    ],
    { duplicates: [[3, 0, 4]] },
  );
  const chosen = chooseImages(graph);
  expect(short(chosen)).toEqual(['near-duplicate', 'a', 'a', 'a', 'no-match']);
  expect(chosen.decisions[0].detail).toBe('a3');
  expect(short(chooseImages(graph, { dropDuplicates: false })).slice(0, 4)).toEqual(['a', 'a', 'a', 'a']);
});

test('of copies the best connected one stays, whatever its size', () => {
  const graph = facts(
    'aaaa',
    [
      [0, 1],
      [1, 2],
      [0, 2],
    ].map(([a, b]): [number, number] => [a, b]),
    { duplicates: [[3, 0]] },
  );
  expect(short(chooseImages(graph))).toEqual(['a', 'a', 'a', 'near-duplicate']);
});

test('copies alone make no component: three copies of a banner are one photograph', () => {
  const graph = facts(
    'aaa',
    [
      [0, 1],
      [1, 2],
      [0, 2],
    ],
    { duplicates: [[0, 1, 2]] },
  );
  expect(short(chooseImages(graph))).toEqual(['no-match', 'near-duplicate', 'near-duplicate']);
});

test('a verified pair across labels makes the labels share a group, or joins them', () => {
  const edges = [
    [0, 1],
    [1, 2],
    [3, 4],
    [4, 5],
    [2, 3, 40],
    [6, 7],
    [7, 8],
    [2, 6, 14],
  ] as const;
  const graph = facts('aaabbbccc', [...edges]);
  const { decisions, conflicts } = chooseImages(graph);
  expect(conflicts).toEqual([{ a: 2, b: 3, kind: 'match', inliers: 40 }]);
  expect(decisions.map(({ landmark }) => landmark).join('')).toBe('aaabbbccc');
  expect(decisions.map(({ group }) => group)).toEqual([...Array(6).fill('a'), undefined, undefined, undefined]);
  const merged = chooseImages(graph, { mergeOverlapping: true });
  expect(merged.decisions.map(({ landmark }) => landmark).join('')).toBe('aaaaaaccc');
  expect(merged.conflicts).toEqual([]);
});

test('groups that the manifest had go on, and are joined where labels overlap', () => {
  const graph = facts('aaabbbccc', [
    [0, 1],
    [1, 2],
    [3, 4],
    [4, 5],
    [6, 7],
    [7, 8],
    [0, 3],
  ]);
  graph.photographs = graph.photographs.map((photograph, i) => ({
    ...photograph,
    ...(i < 3 && { group: 'hill' }),
    ...(i >= 6 && { group: 'hill' }),
  }));
  const { decisions } = chooseImages(graph);
  expect(decisions.map(({ group }) => group)).toEqual(Array(9).fill('hill'));
});

test('copies under two labels are a conflict though no pair was verified', () => {
  const graph = facts(
    'aaabbb',
    [
      [0, 1],
      [1, 2],
      [3, 4],
      [4, 5],
    ],
    { duplicates: [[1, 4]] },
  );
  expect(chooseImages(graph).conflicts).toEqual([{ a: 1, b: 4, kind: 'near-duplicate', inliers: 0 }]);
});

test('what overlaps the excluded set goes with its whole component', () => {
  const graph = facts(
    'aaaaaa',
    [
      [0, 1],
      [1, 2],
      [2, 5],
      [3, 4],
    ],
    { excluded: new Map([[1, 'q7']]) },
  );
  const { decisions } = chooseImages(graph, { minImages: 2 });
  expect(decisions.map(({ reason }) => reason)).toEqual([
    'excluded',
    'excluded',
    'excluded',
    undefined,
    undefined,
    'excluded',
  ]);
  expect(decisions[2].detail).toBe('q7');
});

test('a copy that overlaps the excluded set does not hide behind one that was not compared with it', () => {
  const graph = facts(
    'aaa',
    [
      [0, 1],
      [1, 2],
    ],
    { duplicates: [[0, 2]], excluded: new Map([[2, 'q']]) },
  );
  expect(short(chooseImages(graph, { minImages: 1 }))).toEqual(['near-duplicate', 'excluded', 'excluded']);
});

test('without labels the components are the landmarks', () => {
  const graph = facts('abcdefg', [
    [0, 6],
    [6, 3],
    [1, 2],
    [2, 4],
  ]);
  expect(short(chooseImages(graph, { unlabelled: true }))).toEqual([
    'object-0001',
    'object-0002',
    'object-0002',
    'object-0001',
    'object-0002',
    'no-match',
    'object-0001',
  ]);
});

test('every photograph is kept or has a reason, whatever the graph and the order of its edges', () => {
  const node = fc.nat(9);
  const edge = fc.tuple(node, node, fc.integer({ min: 8, max: 30 })).filter(([a, b]) => a !== b);
  const sets = fc.uniqueArray(fc.nat(9), { minLength: 2, maxLength: 4 }).map((set) => [set]);
  const options = fc.record({
    profiles: fc.constantFrom('largest' as const, 'all' as const),
    minImages: fc.integer({ min: 1, max: 4 }),
    mergeOverlapping: fc.boolean(),
    dropDuplicates: fc.boolean(),
    unlabelled: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(edge, { maxLength: 20 }),
      sets,
      fc.uniqueArray(node, { maxLength: 2 }),
      options,
      (edges, duplicates, out, choose) => {
        const more = { duplicates, excluded: new Map(out.map((n) => [n, 'q'])), broken: new Map([[9, 'broken']]) };
        const live = edges.filter(([a, b]) => a !== 9 && b !== 9);
        const forward = chooseImages(facts('aaaabbbccc', live, more), choose);
        for (const { landmark, reason } of forward.decisions)
          expect((landmark === undefined) !== (reason === undefined)).toBe(true);
        for (const n of out) if (n !== 9) expect(forward.decisions[n].landmark).toBeUndefined();
        const backward = chooseImages(facts('aaaabbbccc', live.toReversed(), more), choose);
        expect(backward.decisions).toEqual(forward.decisions);
      },
    ),
  );
});
