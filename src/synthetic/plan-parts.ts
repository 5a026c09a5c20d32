/** @file What the building plans share. */
import type { Random } from './random.js';

/** `count` heights that sum to `total`, each a little different, the lower ones taller. */
export function splitHeights(random: Random, total: number, count: number): number[] {
  const shares = Array.from(
    { length: count },
    (_, i) => (1.25 - (0.35 * i) / Math.max(1, count - 1)) * random.range(0.88, 1.12),
  );
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => (share / sum) * total);
}

/** The middle bays of a front, for the portal. */
export function middleBays(bays: number): number[] {
  return bays % 2 === 1 ? [(bays - 1) / 2] : [bays / 2 - 1, bays / 2];
}
