/** @file Mined triplets as one picture: a row each, query (blue), positive (green), negative (red), hardest first. */
import sharp from 'sharp';
import { decodeImage } from '../../data/images.js';
import { InputError } from '../../errors.js';
import type { EncodedPicture } from './event-bytes.js';

const tilePx = 128;
const framePx = 4;
const frames = ['#1f6fb4', '#2a8f3c', '#c22f2f'];

/** JPEG of rows of image files. What cannot be read stays an empty frame. */
export async function contactSheet(rows: readonly (readonly [string, string, string])[]): Promise<EncodedPicture> {
  const side = tilePx + 2 * framePx;
  const tiles: { input: Buffer; left: number; top: number }[] = [];
  for (const [y, row] of rows.entries()) {
    for (const [x, path] of row.entries())
      tiles.push({ input: await tile(path, frames[x]), left: x * side, top: y * side });
  }
  const [width, height] = [side * frames.length, side * Math.max(1, rows.length)];
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite(tiles)
    .jpeg({ quality: 80 })
    .toBuffer();
  return { bytes, width, height };
}

async function tile(path: string, frame: string): Promise<Buffer> {
  const background = '#808080';
  const border = { top: framePx, bottom: framePx, left: framePx, right: framePx, background: frame };
  let picture = sharp({ create: { width: tilePx, height: tilePx, channels: 3, background } });
  try {
    const { data, width, height } = await decodeImage(path, { sizing: { longest: tilePx } });
    picture = sharp(data, { raw: { width, height, channels: 3 } }).resize(tilePx, tilePx, {
      fit: 'contain',
      background,
    });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return picture.extend(border).png({ compressionLevel: 1 }).toBuffer();
}
