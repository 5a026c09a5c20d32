import { expect, test } from 'vitest';
import { RandomStream } from '../../src/train/random.js';

test('a stored state continues the stream, also through JSON, and is not changed by later draws', () => {
  const stream = new RandomStream(7);
  for (let i = 0; i < 5; i++) stream.next();
  const state = stream.state();
  const expected = [stream.next(), stream.next(), stream.below(10)];
  const again = new RandomStream(JSON.parse(JSON.stringify(state)) as typeof state);
  expect([again.next(), again.next(), again.below(10)]).toEqual(expected);
});

test('seeds give different streams', () => {
  expect(new RandomStream(1).next()).not.toBe(new RandomStream(2).next());
});

test('shuffle keeps every item and leaves its input alone', () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = new RandomStream(3).shuffle(items);
  expect(shuffled).not.toEqual(items);
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(items);
  expect(items).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
