/** @file How much memory an image takes while it is decoded, by its header; measured, rounded up. */
import type { OpenedImage } from './open-image.js';

/**
 * Bytes for a pixel of the file, for the formats that are decoded whole. Baseline JPEG, and PNG that is not interlaced,
 * come row by row. (With 40 megapixels: progressive JPEG with halved chroma 3, interlaced PNG 3, GIF 5, WebP 9, AVIF 18.)
 */
function bytesPerPixel({ format, isProgressive, depth, channels }: OpenedImage['metadata']): number {
  const sample = { uchar: 1, char: 1, ushort: 2, short: 2 }[depth as string] ?? 4;
  if (format === 'jpeg') return isProgressive ? 2 * channels : 0;
  if (format === 'png') return isProgressive ? channels * sample : 0;
  if (format === 'tiff') return channels * sample; // a strip may be the whole image
  return { gif: 8, webp: 9 }[format as string] ?? 19;
}

/** For a column: every step of a resize holds some rows. (400,000 columns of 100 rows: 875.) */
const bytesPerColumn = 900;

/** Bytes that decoding to `target` takes, the file's own included. */
export function decodingBytes({ bytes, metadata }: OpenedImage, target: { width: number; height: number }): number {
  const { width, height, orientation = 1 } = metadata;
  const copies = orientation === 1 ? 1 : 2;
  return (
    bytes.length +
    bytesPerPixel(metadata) * width * height +
    bytesPerColumn * width +
    copies * 3 * target.width * target.height
  );
}
