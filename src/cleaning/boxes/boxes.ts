/**
 * @file Boxes of one image as four numbers, and what an affine map does to them.
 *
 * A box is `[yMin, xMin, yMax, xMax)` in px between pixel edges: (0, 0) is the image's top left corner. Points, and the maps fitted to
 * them, have (0, 0) at the top left pixel's centre, half a pixel further in.
 */

/** `[yMin, xMin, yMax, xMax)`, px. */
export type BoxPx = readonly [number, number, number, number];

/** Six numbers [a, b, tx, c, d, ty]: x' = a x + b y + tx, y' = c x + d y + ty. */
export type AffineNumbers = ArrayLike<number>;

export interface Size {
  width: number;
  height: number;
}

/** From a pixel's centre to its outer edge. */
const half = 0.5;

/** Smallest box around points, [N, 2] as x, y. At least one. */
export function boxAroundPoints(points: ArrayLike<number>): BoxPx {
  if (points.length < 2) throw new Error('boxAroundPoints: expected at least one point.');
  let [yMin, xMin, yMax, xMax] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    xMin = Math.min(xMin, points[i]);
    xMax = Math.max(xMax, points[i]);
    yMin = Math.min(yMin, points[i + 1]);
    yMax = Math.max(yMax, points[i + 1]);
  }
  return [yMin + half, xMin + half, yMax + half, xMax + half];
}

/** Bounding box of the four mapped corners; a rotation by other than quarter turns makes it larger than the object. */
export function mapBox(map: AffineNumbers, [yMin, xMin, yMax, xMax]: BoxPx): BoxPx {
  const corners: number[] = [];
  for (const y of [yMin - half, yMax - half]) {
    for (const x of [xMin - half, xMax - half]) {
      corners.push(map[0] * x + map[1] * y + map[2], map[3] * x + map[4] * y + map[5]);
    }
  }
  return boxAroundPoints(corners);
}

/** The part of `box` inside the image; undefined if that is less than one pixel wide or high. */
export function clipBox([yMin, xMin, yMax, xMax]: BoxPx, { width, height }: Size): BoxPx | undefined {
  const clipped: BoxPx = [Math.max(0, yMin), Math.max(0, xMin), Math.min(height, yMax), Math.min(width, xMax)];
  return clipped[2] - clipped[0] >= 1 && clipped[3] - clipped[1] >= 1 ? clipped : undefined;
}

/** Intersection over union, 0 to 1. */
export function boxOverlap(a: BoxPx, b: BoxPx): number {
  const height = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const width = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const shared = height * width;
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return union > 0 ? shared / union : 0;
}
