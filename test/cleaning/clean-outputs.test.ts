import { expect, test } from 'vitest';
import type { Cleaned } from '../../src/cleaning/clean.js';
import { keptRecords } from '../../src/cleaning/clean-outputs.js';

test('what a manifest says of a photograph beyond our keys is in clean.jsonl, too', () => {
  const records = [
    { id: 'a', path: 'a.jpg', landmark: 'old', fields: { author: 'Ann' } },
    { id: 'b', path: 'b.jpg', landmark: 'old', fields: { author: 'Bob' } },
  ];
  const decisions = [{ landmark: 'new' }, { reason: 'alone' }];
  expect(keptRecords({ records, decisions, boxes: [[1, 2, 5, 8], undefined] } as unknown as Cleaned)).toEqual([
    {
      id: 'a',
      path: 'a.jpg',
      landmark: 'new',
      box: { x: 2, y: 1, width: 6, height: 4 },
      fields: { author: 'Ann' },
    },
  ]);
});
