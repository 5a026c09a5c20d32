/** @file Grey images: what detectors look at, and how a photograph on disk becomes one. */
import { decodeImage } from '../../data/images.js';
import type { Box } from '../../data/manifest.js';
import type { RgbImage } from '../../data/rgb-image.js';
import { uprightSize } from '../../data/upright-size.js';

/** Rows of grey levels, 0 to 255, from the top left. */
export interface GreyImage {
  data: Uint8Array | Float32Array; // [height * width]
  width: number;
  height: number;
  /** Size of the upright photograph this is a scaled copy of, px; features then come in its pixels. */
  original?: { width: number; height: number };
}

/** Luma of ITU-R BT.601 in 15 bits, rounded: the grey level of OpenCV's COLOR_RGB2GRAY to the bit. */
export function greyImage({ data, width, height }: RgbImage): GreyImage {
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (9798 * data[3 * i] + 19235 * data[3 * i + 1] + 3735 * data[3 * i + 2] + 16384) >> 15;
  }
  return { data: grey, width, height };
}

/**
 * A photograph (a file, or encoded) or a part of it, upright, its longest side shrunk to `longest` px (default 640; never enlarged; 'none'
 * keeps the size). `crop`: whole px inside the photograph, which `original` then is the size of.
 * @throws as `decodeImage`.
 */
export async function readGreyImage(
  photograph: string | Uint8Array,
  { longest = 640, crop }: { longest?: number | 'none'; crop?: Box } = {},
): Promise<GreyImage & { original: { width: number; height: number } }> {
  const image = await decodeImage(photograph, { sizing: { longest, upscale: false }, crop });
  return { ...greyImage(image), original: crop ?? (await uprightSize(photograph)) };
}
