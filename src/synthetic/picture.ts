/** @file The image under construction: linear light, RGB, with polygon painting. */
import type { RgbImage } from '../data/rgb-image.js';
import { rasterize, type Shape } from './rasterize.js';
import type { Rgb, Shader } from './relief.js';

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

  /** Paints a shape in a colour of linear light, or with one that `color(x, y, out)` writes to `out`. */
  fill(shape: Shape, color: Rgb | Shader, opacity = 1): void {
    const { data, width } = this;
    const shader = typeof color === 'function' ? color : undefined;
    const out = new Float64Array(4);
    if (typeof color !== 'function') out.set(color);
    rasterize(shape, width, this.height, (y, from, to, coverage) => {
      for (let x = from; x < to; x++) {
        const k = coverage[x] * opacity;
        if (k < 0.004) continue;
        shader?.(x, y, out);
        const i = (y * width + x) * 3;
        for (let c = 0; c < 3; c++) data[i + c] += (out[c] - data[i + c]) * k;
      }
    });
  }

  /** Writes every pixel. */
  cover(shader: Shader): void {
    const { data, width } = this;
    const out = new Float64Array(4);
    for (let i = 0; i < data.length; i += 3) {
      shader((i / 3) % width, Math.floor(i / 3 / width), out);
      for (let c = 0; c < 3; c++) data[i + c] = out[c];
    }
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
