import sharp from 'sharp';
import { decodeImage } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { InputError } from '../errors.js';

export interface ThumbnailOptions {
  /** Default 160. */
  longestPx?: number;
  /** Part of the upright image to show. */
  crop?: Box;
  /** Enlarge smaller images. Default true. */
  upscale?: boolean;
}

/** A small upright JPEG of an image file. @throws as `decodeImage`. */
export async function smallJpeg(
  path: string,
  { longestPx = 160, crop, upscale }: ThumbnailOptions = {},
): Promise<Buffer<ArrayBuffer>> {
  const { data, width, height } = await decodeImage(path, { sizing: { longest: longestPx, upscale }, crop });
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 78 })
    .toBuffer();
}

/** The same as a data URI; undefined where it is no photograph that can be decoded. */
export async function thumbnail(path: string, options: ThumbnailOptions = {}): Promise<string | undefined> {
  try {
    return `data:image/jpeg;base64,${(await smallJpeg(path, options)).toString('base64')}`;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined; // the report shows the caption alone
  }
}
