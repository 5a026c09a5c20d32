/**
 * @file The drawing board of a facade: colour, relief (how far a point stands out of the wall), opacity and how much it
 * glows at night. Keeping relief instead of painted shadows lets every photograph light the same building differently.
 */
import { type Path, rasterize } from './rasterize.js';

export type Rgb = readonly [number, number, number];

/** One painted point: colour 0-1 (sRGB) and relief in px added to the shape's own. */
export interface Point {
  r: number;
  g: number;
  b: number;
  relief: number;
}

/** A material: fills `point` for the board's pixel (x, y). */
export type Shader = (x: number, y: number, point: Point) => void;

export interface Paint {
  /** A material or a plain colour; omitted: colour stays. */
  color?: Shader | Rgb;
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

  /** Fills `path`. */
  fill(path: Path, paint: Paint): void {
    const { color, relief, alpha, glow } = this;
    const { solid = true, opacity = 1, raise = false } = paint;
    const shader = typeof paint.color === 'function' ? paint.color : undefined;
    const flat = typeof paint.color === 'object' ? paint.color : undefined;
    const point: Point = { r: flat?.[0] ?? 0, g: flat?.[1] ?? 0, b: flat?.[2] ?? 0, relief: 0 };
    const level = typeof paint.relief === 'number' ? paint.relief : 0;
    const surface = typeof paint.relief === 'function' ? paint.relief : undefined;
    rasterize(path, this.width, this.height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const c = coverage[x];
        if (c < 0.004) continue;
        const i = y * this.width + x;
        if (!solid && alpha[i] === 0) continue;
        if (paint.color !== undefined) {
          point.relief = 0;
          shader?.(x, y, point);
          // On empty board the colour must not blend with the board's black: opacity alone makes the soft edge.
          const k = alpha[i] === 0 ? 1 : c * opacity;
          color[i * 3] += (point.r - color[i * 3]) * k;
          color[i * 3 + 1] += (point.g - color[i * 3 + 1]) * k;
          color[i * 3 + 2] += (point.b - color[i * 3 + 2]) * k;
        }
        if (paint.relief !== undefined) {
          const target = (surface ? surface(x, y) : level) + point.relief + (raise ? relief[i] : 0);
          relief[i] += (target - relief[i]) * (alpha[i] === 0 ? 1 : c);
        } else if (shader) {
          relief[i] += point.relief * c;
        }
        if (paint.glow !== undefined) glow[i] += (paint.glow - glow[i]) * c;
        else if (solid && paint.color !== undefined && opacity === 1) glow[i] *= 1 - c;
        if (solid) alpha[i] = Math.max(alpha[i], Math.min(1, alpha[i] + c));
      }
    });
  }
}
