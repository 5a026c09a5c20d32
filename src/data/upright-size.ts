/** @file Size of an image without decoding it. */
import { openImage } from './open-image.js';

/**
 * Sides in px with the EXIF orientation applied: those that a manifest's boxes refer to.
 * @throws as `openImage`.
 */
export async function uprightSize(image: string | Uint8Array): Promise<{ width: number; height: number }> {
  const { width, height } = (await openImage(image)).metadata.autoOrient;
  return { width, height };
}
