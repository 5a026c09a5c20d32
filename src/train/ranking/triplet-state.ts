/** @file The state of a triplet run as it lies in a checkpoint. */
import { z } from 'zod';
import type { NamedArrays } from '../../models/safetensors.js';
import { loopStateShape, parseState, readCheckpoint } from '../../run/checkpoint.js';
import type { TripletState } from './fit-triplets.js';

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
  .strictObject({ pool: z.array(z.string()), triplets: minedSchema, drawn: count })
  .refine(({ pool, triplets: { triplets, losses, offsets } }) => {
    const rising = offsets.every((offset, i) => offset <= losses.length && (i === 0 || offset > offsets[i - 1]));
    const whole = triplets.length === 3 * losses.length && offsets[0] === 0 && offsets.at(-1) === losses.length;
    return rising && whole && triplets.every((position) => position < pool.length);
  }, 'its triplets do not fit together');

const stateSchema = z.strictObject({
  ...loopStateShape,
  mining: miningSchema.optional(),
  best: z.strictObject({ step: count, map: z.number() }).optional(),
});

/** Parses what `encodeState` wrote of a triplet run. Throws `InputError` for anything else. */
export function parseTripletState(text: string, source: string): TripletState {
  return parseState(text, source, stateSchema);
}

/** State and momentum of a triplet run's checkpoint. */
export function readTripletCheckpoint(checkpoint: string): Promise<{ state: TripletState; momentum: NamedArrays }> {
  return readCheckpoint(checkpoint, stateSchema);
}
