import { describe, expect, test } from 'vitest';
import type { MinedTriplets } from '../../../src/train/ranking/mining.js';
import { RandomStream } from '../../../src/train/random.js';
import { sampleTriplets } from '../../../src/train/ranking/sampler.js';

// Two queries: the first has one triplet, the second three.
const mined: MinedTriplets = {
  triplets: Int32Array.of(0, 1, 2, 3, 4, 5, 3, 4, 6, 3, 4, 7),
  losses: Float64Array.of(0.1, 0.6, 0.2, 0.1),
  offsets: Int32Array.of(0, 1, 4),
  withLoss: 4,
  possible: 9,
  single: 0,
  hardestSimilarity: 0.5,
};

function shares(sampling: 'ijcv' | 'eccv', draws = 40_000): number[] {
  const counts = [0, 0, 0, 0];
  for (const i of sampleTriplets(mined, sampling, { count: draws, drawn: 0, random: new RandomStream(1) })) counts[i]++;
  return counts.map((count) => count / draws);
}

describe('sampleTriplets', () => {
  // Standard error of a share of 40 000 draws: at most 0.0025; four of them are allowed.
  test('ijcv: queries equally often, then their triplets equally often', () => {
    [1 / 2, 1 / 6, 1 / 6, 1 / 6].forEach((share, i) => expect(Math.abs(shares('ijcv')[i] - share)).toBeLessThan(0.01));
  });

  test('eccv: in proportion to the loss', () => {
    [0.1, 0.6, 0.2, 0.1].forEach((share, i) => expect(Math.abs(shares('eccv')[i] - share)).toBeLessThan(0.01));
  });

  test('hardest: first ranks by falling loss, then second ranks, around again', () => {
    const random = new RandomStream(1);
    expect(sampleTriplets(mined, 'hardest', { count: 6, drawn: 0, random })).toEqual([1, 0, 2, 3, 1, 0]);
    expect(sampleTriplets(mined, 'hardest', { count: 2, drawn: 3, random })).toEqual([3, 1]);
    expect(random.next()).toBe(new RandomStream(1).next()); // nothing was drawn
  });
});
