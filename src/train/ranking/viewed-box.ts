/** @file Where the box of a photograph is in a view of it (src/train/augmentation.ts). */
import { resizedSides } from '../../data/images.js';
import type { Box } from '../../data/manifest.js';
import { boxInImage, clipRows, type ImageSides } from '../../rpn/box-rows.js';
import { type ImageView, sizingOf, windowOrigin, windowSides } from '../augmentation.js';

/**
 * One row in px of the view's pixels, cut to them; undefined where less than a px of the box is seen. `original`: the upright image
 * as it is on disk, in whose px the box is.
 */
export function boxInView(
  box: Box,
  original: ImageSides,
  { view, imageSize, stride }: { view: ImageView; imageSize: number; stride: number },
): Float32Array | undefined {
  const zoomed = resizedSides(original.width, original.height, sizingOf(view, { imageSize, stride }));
  const row = boxInImage(box, original, zoomed);
  if (row === undefined) return undefined;
  const seen = windowSides(zoomed, view, stride);
  const { left, top } = windowOrigin(zoomed, view, seen);
  const [yMin, xMin, yMax, xMax] = [row[0] - top, row[1] - left, row[2] - top, row[3] - left];
  const mirrored = view.flip ? [yMin, seen.width - xMax, yMax, seen.width - xMin] : [yMin, xMin, yMax, xMax];
  const cut = clipRows(mirrored, seen);
  return cut[2] - cut[0] >= 1 && cut[3] - cut[1] >= 1 ? cut : undefined;
}
