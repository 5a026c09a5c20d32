/**
 * @file A facade ready for photographing: a chain of ever smaller copies (mip levels) of colour, opacity, glow, relief
 * and surface direction, so that near and far views are sampled without aliasing.
 */
import type { Relief, Rgb } from './relief.js';

/** Numbers per texel: r, g, b (linear light), alpha, glow, relief, slope x, slope y. */
export const channels = 8;

export interface Level {
  width: number;
  height: number;
  /** Interleaved, `channels` per texel; colours are multiplied by alpha. */
  data: Float32Array;
}

export interface Texture {
  levels: Level[];
}

/** A rectangle of a board in px. */
export interface TextureRegion {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Display value to linear light. A gamma of 2 is near sRGB and its inverse is a square root. */
export function toLinear(value: number): number {
  return value * value;
}

/** A colour of display values in linear light. */
export function linear(color: Rgb): Rgb {
  return [toLinear(color[0]), toLinear(color[1]), toLinear(color[2])];
}

/** The part [left, left + width) x [top, top + height) of a board as a texture. */
export function buildTexture(board: Relief, { left: x0, top: y0, width, height }: TextureRegion): Texture {
  const data = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y + y0) * board.width + x + x0;
      const o = (y * width + x) * channels;
      const a = board.alpha[i];
      for (let c = 0; c < 3; c++) data[o + c] = toLinear(Math.min(1, board.color[i * 3 + c])) * a;
      data[o + 3] = a;
      data[o + 4] = board.glow[i] * a;
      const h = board.relief[i];
      data[o + 5] = h;
      const left = x > 0 && board.alpha[i - 1] > 0 ? board.relief[i - 1] : h;
      const right = x + 1 < width && board.alpha[i + 1] > 0 ? board.relief[i + 1] : h;
      const up = y > 0 && board.alpha[i - board.width] > 0 ? board.relief[i - board.width] : h;
      const down = y + 1 < height && board.alpha[i + board.width] > 0 ? board.relief[i + board.width] : h;
      // Steps of many px between two texels are walls seen edge-on: bounded, or they would look like painted lines.
      data[o + 6] = Math.max(-1.6, Math.min(1.6, (right - left) * 0.5));
      data[o + 7] = Math.max(-1.6, Math.min(1.6, (down - up) * 0.5));
    }
  }
  const levels: Level[] = [{ width, height, data }];
  for (let level = levels[0]; Math.min(level.width, level.height) > 4; level = levels[levels.length - 1]!)
    levels.push(halve(level));
  return { levels };
}

function halve({ width, height, data }: Level): Level {
  const w = Math.max(1, width >> 1);
  const h = Math.max(1, height >> 1);
  const result = new Float32Array(w * h * channels);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const o = (y * w + x) * channels;
      const a = (2 * y * width + 2 * x) * channels;
      const b = a + channels;
      const c = a + width * channels;
      const d = c + channels;
      for (let k = 0; k < channels; k++) result[o + k] = (data[a + k] + data[b + k] + data[c + k] + data[d + k]) * 0.25;
    }
  }
  return { width: w, height: h, data: result };
}

/** Reads one level at (x, y) in that level's px, bilinear, added to `out` with `weight`. Outside is open air. */
export function sampleLevel(
  { width, height, data }: Level,
  x: number,
  y: number,
  weight: number,
  out: Float64Array,
): void {
  const px = x - 0.5;
  const py = y - 0.5;
  const x0 = Math.floor(px);
  const y0 = Math.floor(py);
  const u = px - x0;
  const v = py - y0;
  for (let j = 0; j < 2; j++) {
    const yy = y0 + j;
    if (yy < 0 || yy >= height) continue;
    const wy = (j === 0 ? 1 - v : v) * weight;
    for (let i = 0; i < 2; i++) {
      const xx = x0 + i;
      if (xx < 0 || xx >= width) continue;
      const k = wy * (i === 0 ? 1 - u : u);
      const o = (yy * width + xx) * channels;
      for (let channel = 0; channel < channels; channel++) out[channel] += data[o + channel] * k;
    }
  }
}

/** Relief at (x, y) of a level, nearest texel; low where there is no building. */
export function reliefAt({ width, height, data }: Level, x: number, y: number): number {
  const xx = Math.floor(x);
  const yy = Math.floor(y);
  if (xx < 0 || yy < 0 || xx >= width || yy >= height) return -1e3;
  const o = (yy * width + xx) * channels;
  return data[o + 3] > 0.5 ? data[o + 5] : -1e3;
}
