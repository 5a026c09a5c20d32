/** @file How much of a picture its matches lie on: a printed page at the border has as many as the thing in the middle. */
import type { Size } from '../boxes/boxes.js';

/** Cells of a side. */
const side = 8;

/** Share of the cells of an 8 x 8 grid over the image that have at least one of `points` ([K, 2]: x, y in px). */
export function coveredShare(points: ArrayLike<number>, { width, height }: Size): number {
  const cell = (at: number, length: number) => Math.min(side - 1, Math.max(0, Math.floor((side * at) / length)));
  const covered = new Set<number>();
  for (let i = 0; i < points.length; i += 2) {
    covered.add(cell(points[i + 1], height) * side + cell(points[i], width));
  }
  return covered.size / (side * side);
}
