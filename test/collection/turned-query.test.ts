import { expect, test } from 'vitest';
import { bestOfTurns, turnedBy } from '../../src/collection/turned-query.js';

test('turnedBy: as it is first, then the turns clockwise', () => {
  const image = { data: Uint8Array.of(1, 1, 1, 2, 2, 2), width: 2, height: 1 };
  const seen = (count: 1 | 2 | 4) =>
    turnedBy(image, count).map(({ turn, image: { data, width } }) => [turn, width, data[0], data[3]]);
  expect(seen(1)).toEqual([[0, 2, 1, 2]]);
  expect(seen(2)).toEqual([
    [0, 2, 1, 2],
    [180, 2, 2, 1],
  ]);
  expect(seen(4)).toEqual([
    [0, 2, 1, 2],
    [90, 1, 1, 2],
    [180, 2, 2, 1],
    [270, 1, 2, 1],
  ]);
});

test('bestOfTurns: every photograph once, at the turn that it is most similar to', () => {
  const found = bestOfTurns([
    {
      turn: 0,
      neighbours: [
        { id: 'a', similarity: 0.5 },
        { id: 'b', similarity: 0.4 },
      ],
    },
    {
      turn: 90,
      neighbours: [
        { id: 'b', similarity: 0.9 },
        { id: 'a', similarity: 0.5 },
        { id: 'c', similarity: 0.1 },
      ],
    },
  ]);
  expect(found).toEqual([
    { id: 'b', similarity: 0.9, turn: 90 },
    { id: 'a', similarity: 0.5, turn: 0 },
    { id: 'c', similarity: 0.1, turn: 90 },
  ]);
});
