import sharp from 'sharp';
import { decodeImage } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { InputError } from '../errors.js';

export interface ThumbnailOptions {
  /** Default 160. */
  longestPx?: number;
  /** Part of the upright image to show. */
  crop?: Box;
}

/** A small upright JPEG of an image file as a data URI; undefined where it is no photograph that can be decoded. */
export async function thumbnail(
  path: string,
  { longestPx = 160, crop }: ThumbnailOptions = {},
): Promise<string | undefined> {
  try {
    const { data, width, height } = await decodeImage(path, { sizing: { longest: longestPx }, crop });
    const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 78 })
      .toBuffer();
    return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined; // the report shows the caption alone
  }
}
