/** @file The random pool that mining describes: enough photographs of each landmark in it that queries have positives. */
import type { RandomStream } from '../random.js';

/** Photographs of a landmark in a pool, on average at least: below it most queries would meet one or two positives. */
const photographsPerLandmark = 4;

/**
 * Positions of `size` of the images, seeded. All of them when there are no more. Otherwise as many landmarks as
 * `size / 4` allows are drawn, each gives two photographs (where it has them), and the rest of the pool is filled uniformly with
 * their other photographs, so that landmarks weigh about as in the set, and those with one photograph serve as negatives.
 */
export function drawPool(landmarks: Int32Array, size: number, random: RandomStream): number[] {
  const positions = [...landmarks.keys()];
  if (positions.length <= size) return positions;
  const byLandmark = new Map<number, number[]>();
  for (const i of random.shuffle(positions)) {
    const members = byLandmark.get(landmarks[i]);
    if (members === undefined) byLandmark.set(landmarks[i], [i]);
    else members.push(i);
  }
  // Landmarks in random order; the first ones are the pool's, more of them only if their photographs do not fill it.
  const order = random.shuffle(byLandmark.values());
  const wanted = Math.max(2, Math.floor(size / photographsPerLandmark));
  let chosen = 0;
  let available = 0;
  while (chosen < order.length && (chosen < wanted || available < size)) available += order[chosen++].length;
  const members = order.slice(0, chosen);
  const pairs = members
    .flatMap((photographs) => (photographs.length > 1 ? photographs.slice(0, 2) : []))
    .slice(0, size);
  const others = members.flatMap((photographs) => (photographs.length > 1 ? photographs.slice(2) : photographs));
  return [...pairs, ...random.shuffle(others).slice(0, size - pairs.length)].sort((a, b) => a - b);
}
