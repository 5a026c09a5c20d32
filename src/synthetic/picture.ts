/** @file The image under construction: linear light, RGB, with polygon painting. */
import type { RgbImage } from '../data/rgb-image.js';
import { type Path, rasterize } from './rasterize.js';
import type { Rgb } from './relief.js';

export class Picture {
  readonly width: number;
  readonly height: number;
  /** Linear light, interleaved RGB, 1 = white. */
  readonly data: Float32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.data = new Float32Array(width * height * 3);
  }

  /** Paints `path` in a colour of linear light, or with one that `color(x, y, out)` writes to `out`. */
  fill(path: Path, color: Rgb | ((x: number, y: number, out: Float64Array) => void), opacity = 1): void {
    const { data, width } = this;
    const shader = typeof color === 'function' ? color : undefined;
    const out = typeof color === 'function' ? new Float64Array(3) : Float64Array.from(color);
    rasterize(path, width, this.height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const k = coverage[x] * opacity;
        if (k < 0.004) continue;
        shader?.(x, y, out);
        const i = (y * width + x) * 3;
        data[i] += (out[0] - data[i]) * k;
        data[i + 1] += (out[1] - data[i + 1]) * k;
        data[i + 2] += (out[2] - data[i + 2]) * k;
      }
    });
  }

  /** The finished image: gamma 2, 8 bits. */
  toRgb(): RgbImage {
    const bytes = new Uint8Array(this.data.length);
    for (let i = 0; i < bytes.length; i++) {
      const value = this.data[i];
      bytes[i] = value <= 0 ? 0 : Math.min(255, Math.round(Math.sqrt(value) * 255));
    }
    return { data: bytes, width: this.width, height: this.height };
  }
}
