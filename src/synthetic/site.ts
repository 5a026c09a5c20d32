/** @file What every part of one building shares, and the shades of its trim. */
import { shade } from './materials.js';
import type { Random } from './random.js';
import type { Relief, Rgb, Shader } from './relief.js';
import type { Style } from './style.js';

/** Where carvings go and the colours they have. */
export interface Carving {
  board: Relief;
  random: Random;
  trimColor: Rgb;
  accent: Rgb;
}

export interface Site extends Carving {
  style: Style;
  wall: Shader;
  trim: Shader;
}

/** left, top, width and height, px. */
export type Rectangle = readonly [number, number, number, number];

/** A colour, or a shade of the trim: 1 its own, less is darker. */
export type Tone = Rgb | number;

export function toneColor(tone: Tone, { trimColor }: Carving): Rgb {
  return typeof tone === 'number' ? shade(trimColor, tone) : tone;
}
