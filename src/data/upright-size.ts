/** @file Size of an image file without decoding it. */
import { openImage } from './open-image.js';

/**
 * Sides in px with the EXIF orientation applied: those that a manifest's boxes refer to.
 * @throws as `openImage`.
 */
export async function uprightSize(path: string): Promise<{ width: number; height: number }> {
  const { width, height } = (await openImage(path)).metadata.autoOrient;
  return { width, height };
}
