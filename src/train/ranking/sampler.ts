/** @file Which of the mined triplets an update trains on. Draws come from the given stream; the position is plain data, so that a run resumes. */
import type { MinedTriplets } from './mining.js';
import type { RandomStream } from '../random.js';

/**
 * - `ijcv`: a query uniformly among those with a loss, then one of its kept (hardest) triplets uniformly (Gordo et al. 2017).
 * - `eccv`: any kept triplet with a probability proportional to its loss. The 2016 paper says only that triplets with a
 *   large loss are sampled; this is our reading, with the kept triplets of each query as candidates.
 * - `hardest`: no randomness: every query's hardest triplet, by falling loss, then every query's second, and so on, around
 *   again at the end.
 *
 * `random` is the baseline without any mining: see random-tuples.ts.
 */
export const samplings = ['ijcv', 'eccv', 'hardest', 'random'] as const;
export type Sampling = (typeof samplings)[number];
export type MinedSampling = Exclude<Sampling, 'random'>;

/** Positions in `mined.triplets` (units of triplets) of the next `count` samples. `drawn` = samples taken since the mining. */
export function sampleTriplets(
  mined: MinedTriplets,
  sampling: MinedSampling,
  { count, drawn, random }: { count: number; drawn: number; random: RandomStream },
): number[] {
  const total = mined.losses.length;
  if (total === 0) return [];
  const samples = Array.from({ length: count });
  if (sampling === 'ijcv') {
    return samples.map(() => {
      const query = random.below(mined.offsets.length - 1);
      const first = mined.offsets[query];
      return first + random.below(mined.offsets[query + 1] - first);
    });
  }
  if (sampling === 'eccv') {
    const cumulative = new Float64Array(total);
    let sum = 0;
    for (let i = 0; i < total; i++) cumulative[i] = sum += mined.losses[i];
    return samples.map(() => firstAbove(cumulative, random.next() * sum));
  }
  const order = orderByRankThenLoss(mined);
  return samples.map((_, i) => order[(drawn + i) % total]);
}

/** First index whose cumulative value exceeds `value`. */
function firstAbove(cumulative: Float64Array, value: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cumulative[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function orderByRankThenLoss({ offsets, losses }: MinedTriplets): number[] {
  const rank = new Int32Array(losses.length);
  for (let q = 0; q + 1 < offsets.length; q++) {
    for (let i = offsets[q]; i < offsets[q + 1]; i++) rank[i] = i - offsets[q];
  }
  return [...losses.keys()].sort((a, b) => rank[a] - rank[b] || losses[b] - losses[a] || a - b);
}
