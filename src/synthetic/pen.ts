/**
 * @file Drawing in the unit square [-1, 1] x [-1, 1] (x right, y down) of a tilted plane: what the category pictures are
 * made with. Colours are sRGB 0-1; the pen lights them.
 */
import { invert, type Matrix3, transform } from './camera.js';
import type { Picture } from './picture.js';
import type { Random } from './random.js';
import { isPolygon, type Polygon, type Shape } from './rasterize.js';
import { type Rgb, setColor, type Shader } from './relief.js';
import { append } from '../extremes.js';

export interface View {
  /** Half the size of the unit square in px. */
  scale: number;
  /** Largest tilt, as a change of scale from one side to the other, 0-1. */
  tilt: number;
  /** Largest turn in the image, radians. */
  turn: number;
}

export class Pen {
  readonly picture: Picture;
  /** Plane -> px. */
  readonly homography: Matrix3;
  private readonly inverse: Matrix3;
  private readonly light: Rgb;
  /** Change of brightness along u and v. */
  private readonly slope: readonly [number, number];

  constructor(picture: Picture, random: Random, { scale, tilt, turn }: View) {
    this.picture = picture;
    const { width, height } = picture;
    const angle = random.range(-turn, turn);
    const squeeze = 1 - random.range(0, tilt) * 0.5;
    const [a, b] = random.chance(0.5) ? [scale * squeeze, scale] : [scale, scale * squeeze];
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    const x = width * (0.5 + random.range(-0.08, 0.08));
    const y = height * (0.5 + random.range(-0.08, 0.08));
    const g = (random.range(-tilt, tilt) * 0.35 * scale) / Math.max(scale, width * 0.5);
    const h = (random.range(-tilt, tilt) * 0.35 * scale) / Math.max(scale, width * 0.5);
    const shear = random.range(-tilt, tilt) * 0.3;
    this.homography = [a * c + g * x, b * (-s + shear) + h * x, x, a * s + g * y, b * c + h * y, y, g, h, 1];
    this.inverse = invert(this.homography);
    const bright = random.range(0.35, 1.15);
    const warm = random.normal() * 0.14;
    this.light = [bright * (1 + warm), bright, bright * (1 - warm)];
    this.slope = [random.normal() * 0.22, random.normal() * 0.22];
  }

  /** The plane's point (u, v) in px. */
  at(u: number, v: number): [number, number] {
    return transform(this.homography, u, v);
  }

  private toPixels(shape: Shape): Polygon[] {
    return (isPolygon(shape) ? [shape] : shape).map((polygon) => {
      const result: number[] = [];
      for (let i = 0; i < polygon.length; i += 2) append(result, this.at(polygon[i], polygon[i + 1]));
      return result;
    });
  }

  /** Fills a shape given in plane coordinates, as is what a shader gets. */
  fill(shape: Shape, color: Rgb | Shader, opacity = 1): void {
    const { inverse, light, slope } = this;
    const shader = typeof color === 'function' ? color : undefined;
    const flat = typeof color === 'function' ? undefined : color;
    this.picture.fill(
      this.toPixels(shape),
      (x, y, out) => {
        const w = inverse[6] * x + inverse[7] * y + inverse[8];
        const u = (inverse[0] * x + inverse[1] * y + inverse[2]) / w;
        const v = (inverse[3] * x + inverse[4] * y + inverse[5]) / w;
        if (shader) shader(u, v, out);
        else if (flat) setColor(out, flat);
        const k = Math.max(0.15, 1 + slope[0] * u + slope[1] * v);
        for (let c = 0; c < 3; c++) out[c] *= out[c] * light[c] * k;
      },
      opacity,
    );
  }

  /** Fills the whole picture. */
  cover(shader: Shader): void {
    const { width, height } = this.picture;
    const corners = [this.back(0, 0), this.back(width, 0), this.back(width, height), this.back(0, height)];
    this.fill([corners.flat()], shader);
  }

  private back(x: number, y: number): [number, number] {
    return transform(this.inverse, x, y);
  }
}
