/**
 * @file Boxes as rows of a flat array, [N, 4]: `[yMin, xMin, yMax, xMax)` in px between pixel edges. The height of a row is
 * yMax - yMin, so that py-faster-rcnn's inclusive corners with their "+ 1" (x2 = xMax - 1, width = x2 - x1 + 1) give the same
 * widths, overlaps and regression targets as these do without one.
 */
import type { Box } from '../data/manifest.js';

/** Flat rows of four. */
export type BoxRows = ArrayLike<number>;

export interface ImageSides {
  height: number;
  width: number;
}

/** Intersection over union of row `i` of `a` and row `j` of `b`, 0 to 1; 0 where either is empty or inverted. */
export function rowOverlap(a: BoxRows, i: number, b: BoxRows, j: number): number {
  const [p, q] = [4 * i, 4 * j];
  const heightA = a[p + 2] - a[p];
  const widthA = a[p + 3] - a[p + 1];
  const heightB = b[q + 2] - b[q];
  const widthB = b[q + 3] - b[q + 1];
  if (!(heightA > 0 && widthA > 0 && heightB > 0 && widthB > 0)) return 0;
  const height = Math.min(a[p + 2], b[q + 2]) - Math.max(a[p], b[q]);
  const width = Math.min(a[p + 3], b[q + 3]) - Math.max(a[p + 1], b[q + 1]);
  if (!(height > 0 && width > 0)) return 0;
  const shared = height * width;
  return shared / (heightA * widthA + heightB * widthB - shared);
}

/** The rows cut to the image; one that lies outside becomes empty at its edge. */
export function clipRows(rows: BoxRows, { height, width }: ImageSides): Float32Array {
  const clipped = new Float32Array(rows.length);
  for (let i = 0; i < rows.length; i++) clipped[i] = Math.min(Math.max(rows[i], 0), i % 2 === 0 ? height : width);
  return clipped;
}

/**
 * A manifest's box, in px of the image as it is on disk, in px of the same image resized to `resized`, cut to it. Undefined
 * for a box without a finite area of at least one px inside the image: empty, inverted, not a number, or elsewhere.
 */
export function boxInImage(
  box: Box,
  original: ImageSides,
  resized: ImageSides,
  flip = false,
): Float32Array | undefined {
  const left = flip ? original.width - box.x - box.width : box.x;
  const [sy, sx] = [resized.height / original.height, resized.width / original.width];
  const row = [box.y * sy, left * sx, (box.y + box.height) * sy, (left + box.width) * sx];
  if (!row.every(Number.isFinite)) return undefined;
  const clipped = clipRows(row, resized);
  return clipped[2] - clipped[0] >= 1 && clipped[3] - clipped[1] >= 1 ? clipped : undefined;
}
