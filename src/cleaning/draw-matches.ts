/** @file A picture of two photographs side by side with a line for every verified match. */
import sharp from 'sharp';
import { decodeImage } from '../data/images.js';

/** Two positions that show the same point, px of the upright photographs. */
export interface MatchedPoint {
  a: readonly [number, number];
  b: readonly [number, number];
}

export interface DrawnImage {
  path: string;
  /** Size of the upright photograph, px. */
  width: number;
  height: number;
}

/** Longest side of each photograph in the picture, px. */
const longest = 800;
const gap = 10;

/**
 * The picture as PNG: a left, b right, shrunk to 800 px at most.
 * @throws InputError naming the photograph that cannot be decoded.
 */
export async function drawMatches(a: DrawnImage, b: DrawnImage, points: readonly MatchedPoint[]): Promise<Uint8Array> {
  const sizing = { longest, upscale: false };
  const [left, right] = [await decodeImage(a.path, { sizing }), await decodeImage(b.path, { sizing })];
  const width = left.width + gap + right.width;
  const height = Math.max(left.height, right.height);
  // positions count from the centre of the first pixel, SVG's from its corner
  const place = ([x, y]: readonly [number, number], from: DrawnImage, to: { width: number; height: number }) => ({
    x: ((x + 0.5) * to.width) / from.width,
    y: ((y + 0.5) * to.height) / from.height,
  });
  const marks = points.map((point, n) => {
    const p = place(point.a, a, left);
    const q = place(point.b, b, right);
    q.x += left.width + gap;
    // hues a golden angle apart: neighbours in the list differ
    const colour = `hsl(${Math.round(n * 137.5) % 360}, 90%, 55%)`;
    const ring = ({ x, y }: typeof p) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3"/>`;
    const line = `<line x1="${p.x.toFixed(1)}" y1="${p.y.toFixed(1)}" x2="${q.x.toFixed(1)}" y2="${q.y.toFixed(1)}"/>`;
    return `<g stroke="${colour}">${line}${ring(p)}${ring(q)}</g>`;
  });
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" fill="none">${marks.join('')}</svg>`;
  const layer = ({ data, width: w, height: h }: typeof left, x: number) => ({
    input: Buffer.from(data),
    raw: { width: w, height: h, channels: 3 as const },
    left: x,
    top: 0,
  });
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([layer(left, 0), layer(right, left.width + gap), { input: Buffer.from(overlay), left: 0, top: 0 }])
    .png()
    .toBuffer();
}
