/** @file What the camera does to light: blur, exposure, tint, contrast, vignetting and noise. */
import type { Picture } from './picture.js';
import { hash, type Random } from './random.js';

export interface SensorOptions {
  /** 0 = clean, 1 = as bad as holiday snapshots get. Default 1. */
  strength?: number;
}

let gaussian: Float32Array | undefined;

/** 8192 normal numbers, drawn once: sensor noise by look-up. */
function normalTable(): Float32Array {
  if (gaussian) return gaussian;
  gaussian = new Float32Array(8192);
  for (let i = 0; i < gaussian.length; i++) {
    let sum = 0;
    for (let k = 0; k < 6; k++) sum += hash(i * 6 + k + 12345) / 4294967296;
    gaussian[i] = (sum - 3) * Math.SQRT2;
  }
  return gaussian;
}

/** Box blur of `radius` px (fractions allowed) along one axis. */
function blurAxis({ width, height, data }: Picture, radius: number, vertical: boolean): void {
  const count = vertical ? height : width;
  const lines = vertical ? width : height;
  const step = (vertical ? width : 1) * 3;
  const stride = (vertical ? 1 : width) * 3;
  const whole = Math.floor(radius);
  const part = radius - whole;
  const norm = 1 / (2 * radius + 1);
  const line = new Float32Array(count);
  for (let l = 0; l < lines; l++) {
    for (let c = 0; c < 3; c++) {
      const start = l * stride + c;
      for (let i = 0; i < count; i++) line[i] = data[start + i * step]!;
      for (let i = 0; i < count; i++) {
        let sum = line[i];
        for (let k = 1; k <= whole; k++) sum += line[Math.max(0, i - k)] + line[Math.min(count - 1, i + k)];
        if (part > 0) sum += part * (line[Math.max(0, i - whole - 1)] + line[Math.min(count - 1, i + whole + 1)]);
        data[start + i * step] = sum * norm;
      }
    }
  }
}

/** Applies a random camera's faults to a picture of linear light, in place. */
export function applySensor(picture: Picture, random: Random, { strength = 1 }: SensorOptions = {}): void {
  const { width, height, data } = picture;
  const softness = random.chance(0.35 * strength) ? random.range(0.3, 1.1) : 0;
  if (softness > 0) {
    blurAxis(picture, softness, false);
    blurAxis(picture, softness, true);
  } else if (random.chance(0.08 * strength)) blurAxis(picture, random.range(1, 3), random.chance(0.3));
  let mean = 0;
  for (let i = 1; i < data.length; i += 3) mean += Math.min(1.5, data[i]);
  mean /= data.length / 3;
  // Automatic exposure aims at a mid grey, but only part of the way, with a random error.
  const gain = (0.24 / Math.max(0.02, mean)) ** random.range(0.35, 0.7) * Math.exp(random.normal() * 0.18 * strength);
  const warm = random.normal() * 0.075 * strength;
  const green = random.normal() * 0.03 * strength;
  const tints = [gain * (1 + warm), gain * (1 + green), gain * (1 - warm)];
  const contrast = 1 + random.normal() * 0.16 * strength;
  const look = random.next();
  const saturation = look < 0.05 * strength ? 0 : Math.max(0.2, 1 + random.normal() * 0.25 * strength);
  const sepia = look < 0.015 * strength;
  const vignette = random.chance(0.4) ? random.range(0, 0.5) * strength : 0;
  const noise = (random.chance(0.5) ? random.range(0.002, 0.02) : random.range(0.01, 0.035)) * strength;
  const table = normalTable();
  const offset = random.int(0, 8191);
  for (let y = 0; y < height; y++) {
    const v = (2 * y) / height - 1;
    for (let x = 0; x < width; x++) {
      const u = (2 * x) / width - 1;
      const fall = 1 - vignette * 0.5 * (u * u + v * v);
      const i = (y * width + x) * 3;
      let r = shoulder(data[i] * tints[0] * fall);
      let g = shoulder(data[i + 1] * tints[1] * fall);
      let b = shoulder(data[i + 2] * tints[2] * fall);
      const grey = 0.3 * r + 0.6 * g + 0.1 * b;
      r = grey + (r - grey) * saturation;
      g = grey + (g - grey) * saturation;
      b = grey + (b - grey) * saturation;
      if (sepia) {
        r *= 1.08;
        b *= 0.78;
      }
      // Contrast and noise act on display values; the picture keeps linear ones, hence the squares.
      const k = hash(y * width + x + offset) & 8191;
      data[i] = square((r - 0.5) * contrast + 0.5 + noise * table[k]);
      data[i + 1] = square((g - 0.5) * contrast + 0.5 + noise * table[(k + 2731) & 8191]);
      data[i + 2] = square((b - 0.5) * contrast + 0.5 + noise * table[(k + 5461) & 8191]);
    }
  }
}

/** Display value of linear light, highlights compressed. */
function shoulder(value: number): number {
  const s = Math.sqrt(Math.max(0, value));
  return s < 0.8 ? s : 1 - 0.2 * Math.exp((0.8 - s) * 4);
}

function square(value: number): number {
  return value <= 0 ? 0 : value * value;
}
