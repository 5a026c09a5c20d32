/** @file The anchors of an image that one update learns from (Ren et al. 2015, section 3.1.3). */

export interface SampleOptions {
  /** Anchors per image. Default 256. */
  count?: number;
  /** Of these, positives at most. Default 128. */
  positives?: number;
}

/** Anything that draws whole numbers from 0 to below `count`. */
export interface Draws {
  below(count: number): number;
}

/**
 * Positions of the drawn anchors, positives first. What is missing to `positives` is filled with negatives; an image with few
 * anchors gives fewer than `count`, one without positives gives negatives alone.
 */
export function sampleAnchors(
  labels: Int8Array,
  random: Draws,
  { count = 256, positives = 128 }: SampleOptions = {},
): Int32Array {
  const drawn = draw(positionsOf(labels, 1), Math.min(positives, count), random);
  return Int32Array.from([...drawn, ...draw(positionsOf(labels, 0), count - drawn.length, random)]);
}

function positionsOf(labels: Int8Array, label: number): number[] {
  const positions: number[] = [];
  for (let i = 0; i < labels.length; i++) if (labels[i] === label) positions.push(i);
  return positions;
}

/** At most `count` of `positions`, uniformly without replacement: the first steps of a Fisher-Yates shuffle. */
function draw(positions: number[], count: number, random: Draws): number[] {
  if (positions.length <= count) return positions;
  for (let i = 0; i < count; i++) {
    const j = i + random.below(positions.length - i);
    [positions[i], positions[j]] = [positions[j], positions[i]];
  }
  return positions.slice(0, count);
}
