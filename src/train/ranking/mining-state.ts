/** @file A mining in use, as it lies in a checkpoint. */
import { z } from 'zod';
import type { MinedTriplets } from './mining.js';

export interface MiningState {
  /** Image ids. */
  pool: string[];
  /** Seeds of those that were generated, 0 for the others; missing in states of earlier versions. */
  generated?: number[];
  /** As positions in the pool. */
  triplets: MinedTriplets;
  /** Samples taken since the mining. */
  drawn: number;
}

const count = z.int().min(0);

const minedSchema = z.strictObject({
  triplets: z.array(count).transform((values) => Int32Array.from(values)),
  losses: z.array(z.number()).transform((values) => Float64Array.from(values)),
  offsets: z.array(count).transform((values) => Int32Array.from(values)),
  withLoss: count,
  possible: count,
  single: count,
  hardestSimilarity: z.number(),
});

const miningSchema = z
  .strictObject({
    pool: z.array(z.string()),
    generated: z.array(count).optional(),
    triplets: minedSchema,
    drawn: count,
  })
  .refine(({ pool, generated, triplets: { triplets, losses, offsets } }) => {
    const rising = offsets.every((offset, i) => offset <= losses.length && (i === 0 || offset > offsets[i - 1]));
    const whole = triplets.length === 3 * losses.length && offsets[0] === 0 && offsets.at(-1) === losses.length;
    const seen = generated === undefined || generated.length === pool.length;
    return rising && whole && seen && triplets.every((position) => position < pool.length);
  }, 'its triplets do not fit together');

/** Own state of a ranking. */
export const rankingStateSchema = z.strictObject({ mining: miningSchema.optional() });
