/**
 * @file The drawing board of a facade: colour, relief (how far a point stands out of the wall), opacity and how much it
 * glows at night. Keeping relief instead of painted shadows lets every photograph light the same building differently.
 */
import { rasterize, type Shape } from './rasterize.js';

export type Rgb = readonly [number, number, number];

/** Colours of three numbers each, in percent. */
export function palette(...percent: number[]): Rgb[] {
  return Array.from({ length: percent.length / 3 }, (_, i) => {
    const [r, g, b] = percent.slice(3 * i, 3 * i + 3);
    return [r / 100, g / 100, b / 100];
  });
}

/**
 * A material: writes the board's pixel (x, y) to `out`: r, g, b, 0-1 (sRGB), and relief in px added to the shape's own (0 where
 * it is not written).
 */
export type Shader = (x: number, y: number, out: Float64Array) => void;

/** Writes `color`, `light` times as bright. */
export function setColor(out: Float64Array, color: Rgb, light = 1): void {
  for (let c = 0; c < 3; c++) out[c] = color[c] * light;
}

/** Writes the colour between `a` (share 0) and `b` (share 1), `light` times as bright. */
export function mixColors(out: Float64Array, a: Rgb, b: Rgb, { share, light }: { share: number; light: number }): void {
  for (let c = 0; c < 3; c++) out[c] = (a[c] * (1 - share) + b[c] * share) * light;
}

export interface Paint {
  /** Relief in px towards the viewer: a level, or a function of the pixel. Omitted: relief stays. */
  relief?: number | ((x: number, y: number) => number);
  /** True: relief is added to what is there instead of replacing it. */
  raise?: boolean;
  /** Light given off at night, 0-1. */
  glow?: number;
  /** False: the shape only changes what is already solid (stains on walls). Default true. */
  solid?: boolean;
  /** Strength of the colour change, 0-1. Default 1. */
  opacity?: number;
}

export class Relief {
  readonly width: number;
  readonly height: number;
  /** sRGB 0-1, interleaved. */
  readonly color: Float32Array;
  /** px towards the viewer. */
  readonly relief: Float32Array;
  /** 0 = open air, 1 = building. */
  readonly alpha: Float32Array;
  readonly glow: Float32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.color = new Float32Array(width * height * 3);
    this.relief = new Float32Array(width * height);
    this.alpha = new Float32Array(width * height);
    this.glow = new Float32Array(width * height);
  }

  /** Fills a shape with a material or a plain colour; undefined: colour stays. */
  fill(shape: Shape, paint: Shader | Rgb | undefined, options: Paint = {}): void {
    const { color, relief, alpha, glow } = this;
    const { solid = true, opacity = 1, raise = false } = options;
    const shader = typeof paint === 'function' ? paint : undefined;
    const out = new Float64Array(4);
    if (typeof paint === 'object') out.set(paint);
    const level = typeof options.relief === 'number' ? options.relief : 0;
    const surface = typeof options.relief === 'function' ? options.relief : undefined;
    rasterize(shape, this.width, this.height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const c = coverage[x];
        if (c < 0.004) continue;
        const i = y * this.width + x;
        if (!solid && alpha[i] === 0) continue;
        if (paint !== undefined) {
          out[3] = 0;
          shader?.(x, y, out);
          // On empty board the colour must not blend with the board's black: opacity alone makes the soft edge.
          const k = alpha[i] === 0 ? 1 : c * opacity;
          for (let channel = 0; channel < 3; channel++) {
            color[i * 3 + channel] += (out[channel] - color[i * 3 + channel]) * k;
          }
        }
        if (options.relief !== undefined) {
          const target = (surface ? surface(x, y) : level) + out[3] + (raise ? relief[i] : 0);
          relief[i] += (target - relief[i]) * (alpha[i] === 0 ? 1 : c);
        } else if (shader) relief[i] += out[3] * c;
        if (options.glow !== undefined) glow[i] += (options.glow - glow[i]) * c;
        else if (solid && paint !== undefined && opacity === 1) glow[i] *= 1 - c;
        if (solid) alpha[i] = Math.max(alpha[i], Math.min(1, alpha[i] + c));
      }
    });
  }
}
