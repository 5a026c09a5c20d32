/** @file Triplets and tuples drawn at random, whatever their loss: what mining is compared with. Nothing has to be described for them. */
import type { RandomStream } from '../random.js';
import { isNegative, type PoolLabels, tripletsOfQueries } from './mining.js';
import type { Tuple } from './ranking-batches.js';

/**
 * `count` tuples of positions, query, positive, negatives: a query uniformly among those with a positive and a negative,
 * one of its positives uniformly, then `negatives` of its negatives uniformly, no two of one landmark or group (fewer where
 * there are no more). None when the images make no triplet.
 */
export function drawTuples(
  labels: PoolLabels,
  { count, negatives }: { count: number; negatives: number },
  random: RandomStream,
): Tuple<number>[] {
  const { landmarks } = labels;
  const positions = [...landmarks.keys()];
  const possible = tripletsOfQueries(labels);
  const queries = positions.filter((i) => possible[i] > 0);
  if (queries.length === 0) return [];
  const one = (of: readonly number[]) => of[random.below(of.length)];
  return Array.from({ length: count }, (): Tuple<number> => {
    const query = one(queries);
    const positive = one(positions.filter((i) => landmarks[i] === landmarks[query] && i !== query));
    const drawn: number[] = [];
    let left = positions.filter((i) => isNegative(labels, query, i));
    while (drawn.length < negatives && left.length > 0) {
      const negative = one(left);
      drawn.push(negative);
      left = left.filter((i) => isNegative(labels, negative, i));
    }
    return [query, positive, ...drawn];
  });
}
