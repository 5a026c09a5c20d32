import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNegative, numberLabels } from '../../../src/train/ranking/mining.js';
import { drawTuples } from '../../../src/train/ranking/random-tuples.js';
import { RandomStream } from '../../../src/train/random.js';

const triplets = { count: 20, negatives: 1 };

describe('drawTuples', () => {
  test('every triplet is one, and none is drawn where none is possible', () => {
    const images = fc.array(
      fc.record({
        landmark: fc.constantFrom('a', 'b', 'c'),
        group: fc.option(fc.constantFrom('g', 'h'), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(images, fc.nat(), (records, seed) => {
        const labels = numberLabels(records);
        const all = [...records.keys()];
        const possible = all.some((q) =>
          all.some(
            (p) => p !== q && records[p].landmark === records[q].landmark && all.some((n) => isNegative(labels, q, n)),
          ),
        );
        const drawn = drawTuples(labels, triplets, new RandomStream(seed));
        expect(drawn).toHaveLength(possible ? triplets.count : 0);
        for (const [query, positive, ...negatives] of drawn) {
          expect(positive).not.toBe(query);
          expect(records[positive].landmark).toBe(records[query].landmark);
          expect(negatives).toHaveLength(1);
          expect(isNegative(labels, query, negatives[0])).toBe(true);
        }
      }),
    );
  });

  test('a query uniformly, then its positive, then its negative', () => {
    // a: 3 photographs, b: 2, c: 1 (never a query). Each of the 5 queries has a share of 1/5, split evenly below.
    const labels = numberLabels(['a', 'a', 'a', 'b', 'b', 'c'].map((landmark) => ({ landmark })));
    const count = 60_000;
    const counts = new Map<string, number>();
    for (const tuple of drawTuples(labels, { count, negatives: 1 }, new RandomStream(1))) {
      counts.set(tuple.join(), (counts.get(tuple.join()) ?? 0) + 1);
    }
    // Standard error of a share of 1/20 of 60 000: 0.0009; five of them are allowed.
    const share = (tuple: string) => (counts.get(tuple) ?? 0) / count;
    expect(Math.abs(share('0,1,3') - 1 / 5 / 2 / 3)).toBeLessThan(0.0045);
    expect(Math.abs(share('3,4,5') - 1 / 5 / 1 / 4)).toBeLessThan(0.0045);
    expect(counts.size).toBe(3 * 2 * 3 + 2 * 1 * 4);
  });

  test('negatives of a tuple: no two of one landmark or group, fewer where there are no more', () => {
    const labels = numberLabels([
      { landmark: 'a' },
      { landmark: 'a' },
      { landmark: 'b', group: 'g' },
      { landmark: 'b', group: 'g' },
      { landmark: 'c', group: 'g' },
      { landmark: 'd' },
    ]);
    for (const [query, , ...negatives] of drawTuples(labels, { count: 50, negatives: 5 }, new RandomStream(1))) {
      if (query > 1) continue;
      expect(negatives).toHaveLength(2); // d, and one of b, b and c
      expect(negatives).toContain(5);
    }
  });
});
