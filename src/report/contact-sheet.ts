/** @file Rows of photographs as one picture, each column with a frame of its colour. */
import sharp from 'sharp';
import { decodeImage } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import { InputError } from '../errors.js';
import type { EncodedPicture } from '../run/event-bytes.js';

const tilePx = 128;
const framePx = 4;

/** Of what a column shows. */
export const frames = { query: '#1f6fb4', positive: '#2a8f3c', negative: '#c22f2f' } as const;
export type Column = keyof typeof frames;

/** JPEG of rows of image files or images, as many as there are columns. A file that cannot be read stays an empty frame. */
export async function contactSheet(
  rows: readonly (readonly (string | RgbImage)[])[],
  columns: readonly Column[],
): Promise<EncodedPicture> {
  const side = tilePx + 2 * framePx;
  const tiles: { input: Buffer; left: number; top: number }[] = [];
  for (const [y, row] of rows.entries()) {
    for (const [x, picture] of row.entries())
      tiles.push({ input: await tile(picture, frames[columns[x]]), left: x * side, top: y * side });
  }
  const [width, height] = [side * columns.length, side * Math.max(1, rows.length)];
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite(tiles)
    .jpeg({ quality: 80 })
    .toBuffer();
  return { bytes, width, height };
}

async function tile(source: string | RgbImage, frame: string): Promise<Buffer> {
  const background = '#808080';
  const border = { top: framePx, bottom: framePx, left: framePx, right: framePx, background: frame };
  let picture = sharp({ create: { width: tilePx, height: tilePx, channels: 3, background } });
  try {
    const image = typeof source === 'string' ? await decodeImage(source, { sizing: { longest: tilePx } }) : source;
    const { data, width, height } = image;
    picture = sharp(data, { raw: { width, height, channels: 3 } }).resize(tilePx, tilePx, {
      fit: 'contain',
      background,
    });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return picture.extend(border).png({ compressionLevel: 1 }).toBuffer();
}
