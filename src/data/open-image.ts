/**
 * @file An image's bytes and header, checked: what every decode begins with. All that is decided about a file follows from its
 * bytes, which are read once, and never from libvips's messages: one buffer of them serves all decodes of the process, so
 * they may belong to another file.
 */
import type { Metadata } from 'sharp';
import { InputError } from '../errors.js';
import { photographFormat, readImageFile, unfitReason } from './image-format.js';
import { silenceJpegRemarks } from './jpeg-remarks.js';
import { sharp } from './raster-loaders.js';
import { silenceTiffRemarks } from './tiff-remarks.js';

export interface OpenedImage {
  /** What errors call it. */
  name: string;
  /** The encoded image, without what decoders only remark on. */
  bytes: Buffer;
  metadata: Metadata;
}

/**
 * Opens a file (path) or an encoded image in memory, which stays as it is.
 * @throws InputError naming it: missing, empty, no photograph, or without a header that can be read; and as
 *   `readImageFile`.
 */
export async function openImage(source: string | Uint8Array): Promise<OpenedImage> {
  const name = typeof source === 'string' ? source : `image in memory (${source.length} bytes)`;
  const bytes = typeof source === 'string' ? await readImageFile(source) : Buffer.from(source);
  const unfit = unfitReason(bytes);
  if (unfit !== undefined) throw new InputError(`${name}: ${unfit}.`);
  const format = photographFormat(bytes);
  if (format === 'jpeg') silenceJpegRemarks(bytes);
  if (format === 'tiff') silenceTiffRemarks(bytes);
  const metadata = await sharp(bytes, { failOn: 'warning', limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  if (metadata === undefined || metadata.format !== format) throw brokenImage(name, 'its header cannot be read');
  return { name, bytes, metadata };
}

export function brokenImage(name: string, reason: string): InputError {
  return new InputError(`${name}: broken image (${reason}); replace or remove it.`);
}
