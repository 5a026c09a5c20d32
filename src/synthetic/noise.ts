/** @file Smooth noise by table look-up: cheap enough for several samples a pixel. */
import { cellRandom } from './random.js';

const size = 512;
const mask = size - 1;
let table: Float32Array | undefined;

/** Value noise, five octaves from 64 to 4 cells a period; periodic, mean about 0.5, range 0-1. */
function build(): Float32Array {
  const values = new Float32Array(size * size);
  let amplitude = 1;
  for (let cells = 16; cells <= 256; cells *= 2, amplitude *= 0.6) {
    const step = size / cells;
    for (let y = 0; y < size; y++) {
      const cy = Math.floor(y / step);
      const v = smooth(y / step - cy);
      for (let x = 0; x < size; x++) {
        const cx = Math.floor(x / step);
        const u = smooth(x / step - cx);
        const right = (cx + 1) % cells;
        const below = (cy + 1) % cells;
        const top = cellRandom(cells, cx, cy) * (1 - u) + cellRandom(cells, right, cy) * u;
        const bottom = cellRandom(cells, cx, below) * (1 - u) + cellRandom(cells, right, below) * u;
        values[y * size + x] += amplitude * (top * (1 - v) + bottom * v);
      }
    }
  }
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  for (let i = 0; i < values.length; i++) values[i] = (values[i] - low) / (high - low);
  return values;
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Fractal noise at (x, y), 0-1, mean about 0.5; features from 32 units down to 2, period 512 units. */
export function fractalNoise(x: number, y: number): number {
  const values = (table ??= build());
  const fx = Math.floor(x);
  const fy = Math.floor(y);
  const u = x - fx;
  const v = y - fy;
  const row = (fy & mask) * size;
  const below = ((fy + 1) & mask) * size;
  const left = fx & mask;
  const right = (fx + 1) & mask;
  const top = values[row + left] * (1 - u) + values[row + right] * u;
  const bottom = values[below + left] * (1 - u) + values[below + right] * u;
  return top * (1 - v) + bottom * v;
}

/** The noise table's value at whole coordinates: no interpolation, for fine grain. */
export function grain(x: number, y: number): number {
  return (table ??= build())[(y & mask) * size + (x & mask)];
}
