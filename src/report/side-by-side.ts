/** @file Two photographs in one picture, with something drawn over them. */
import { decodeImage } from '../data/images.js';
import { sharp, withSvg } from '../data/raster-loaders.js';

export interface DrawnImage {
  path: string;
  /** Size of the upright photograph, px. */
  width: number;
  height: number;
}

/** Where a position in px of the upright photograph lies in the picture. */
export type Place = (x: number, y: number) => { x: number; y: number };

/** Longest side of each photograph in the picture, px. */
const longest = 800;
const gap = 10;

/**
 * The picture as PNG: a left, b right, shrunk to 800 px at most. `overlay` gives SVG elements in px of the picture.
 * @throws InputError naming the photograph that cannot be decoded.
 */
export async function sideBySide(
  a: DrawnImage,
  b: DrawnImage,
  overlay: (inA: Place, inB: Place) => string,
): Promise<Uint8Array> {
  const sizing = { longest, upscale: false };
  const [left, right] = [await decodeImage(a.path, { sizing }), await decodeImage(b.path, { sizing })];
  const width = left.width + gap + right.width;
  const height = Math.max(left.height, right.height);
  const place =
    (from: DrawnImage, to: { width: number; height: number }, offset: number): Place =>
    (x, y) => ({ x: offset + (x * to.width) / from.width, y: (y * to.height) / from.height });
  const elements = overlay(place(a, left, 0), place(b, right, left.width + gap));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" fill="none">${elements}</svg>`;
  const layer = ({ data, width: w, height: h }: typeof left, x: number) => ({
    input: Buffer.from(data),
    raw: { width: w, height: h, channels: 3 as const },
    left: x,
    top: 0,
  });
  return withSvg(() =>
    sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
      .composite([layer(left, 0), layer(right, left.width + gap), { input: Buffer.from(svg), left: 0, top: 0 }])
      .png()
      .toBuffer(),
  );
}

/** Colour of the n-th mark: hues a golden angle apart, so that neighbours in a list differ. */
export function markColour(n: number): string {
  return `hsl(${Math.round(n * 137.5) % 360}, 90%, 55%)`;
}
