/** @file The pixels of a generated photograph: an image seen through a homography before a background, in its light. */
import type { RgbImage } from '../../data/rgb-image.js';
import { invert } from '../../synthetic/camera.js';
import { hash, Random } from '../../synthetic/random.js';
import { type Scene, sceneHomography } from './scene.js';

/** A rectangle of an image, px. */
export interface Part {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** How far colours of a margin may be from its corner's. */
const marginTolerance = 12;

/** What is inside of a margin of one colour, as pictures in catalogues have; the whole image where that is less than a quarter of a side. */
export function withoutMargin({ data, width, height }: RgbImage): Part {
  const isMargin = (x: number, y: number) => {
    const i = 3 * (y * width + x);
    return [0, 1, 2].every((c) => Math.abs(data[i + c] - data[c]) <= marginTolerance);
  };
  const row = (y: number) => allBelow(width, (x) => isMargin(x, y));
  const column = (x: number) => allBelow(height, (y) => isMargin(x, y));
  let [top, bottom, left, right] = [0, height, 0, width];
  while (top < bottom && row(top)) top++;
  while (bottom > top && row(bottom - 1)) bottom--;
  while (left < right && column(left)) left++;
  while (right > left && column(right - 1)) right--;
  const [w, h] = [right - left, bottom - top];
  if (w < width / 4 || h < height / 4) return { left: 0, top: 0, width, height };
  return { left, top, width: w, height: h };
}

function allBelow(count: number, holds: (i: number) => boolean): boolean {
  for (let i = 0; i < count; i++) if (!holds(i)) return false;
  return true;
}

/** The photograph of `part` of an image; `background` covers the frame. Neither blurred nor noisy yet. */
export function renderScene(
  image: RgbImage,
  part: Part,
  scene: Scene,
  { width, height, background }: { width: number; height: number; background: RgbImage },
): RgbImage {
  const [a, b, c, d, e, f, g, h, i] = invert(sceneHomography(scene, part, { width, height }));
  const data = new Uint8ClampedArray(width * height * 3);
  const light = lightTables(scene);
  const shade = shadingOf(scene, width, height);
  const glare = reflected(scene, width, height);
  const seen = new Float32Array(3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const [px, py] = [x + 0.5, y + 0.5];
      const w = g * px + h * py + i;
      const u = (a * px + b * py + c) / w;
      const v = (d * px + e * py + f) / w;
      if (w > 0 && u >= 0 && v >= 0 && u < part.width && v < part.height)
        sample(image, u + part.left, v + part.top, seen);
      else seen.set(background.data.subarray(to, to + 3));
      const falloff = shade(x, y);
      const added = glare[y * width + x];
      for (let k = 0; k < 3; k++) data[to + k] = light[k][Math.round(seen[k])] * falloff + added;
    }
  }
  return { data: new Uint8Array(data.buffer), width, height };
}

/** Bilinear; `u`, `v` from the left and upper edge, px, inside of the image. */
function sample({ data, width, height }: RgbImage, u: number, v: number, to: Float32Array): void {
  const [x, y] = [Math.max(0, u - 0.5), Math.max(0, v - 0.5)];
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [left + 1 < width ? 3 : 0, top + 1 < height ? 3 * width : 0];
  const [fx, fy] = [x - left, y - top];
  let at = 3 * (top * width + left);
  for (let k = 0; k < 3; k++, at++) {
    const upper = data[at] + fx * (data[at + right] - data[at]);
    const lower = data[at + down] + fx * (data[at + down + right] - data[at + down]);
    to[k] = upper + fy * (lower - upper);
  }
}

/** What exposure, contrast and the veil of light make of each value of each channel. */
function lightTables({ gamma, gains, veil }: Scene): Float32Array[] {
  return gains.map((gain) =>
    Float32Array.from({ length: 256 }, (_, value) => {
      const lit = Math.min(255, 255 * (value / 255) ** gamma * gain);
      return lit * (1 - veil) + 200 * veil;
    }),
  );
}

function shadingOf({ shading: { direction, depth } }: Scene, width: number, height: number) {
  const [dx, dy] = [Math.cos(direction) / width, Math.sin(direction) / height];
  return (x: number, y: number) =>
    1 - depth * (0.5 + 0.5 * (dx * (2 * x - width) + dy * (2 * y - height)) * Math.SQRT1_2);
}

/** Light added to each px by reflections. */
function reflected({ reflections }: Scene, width: number, height: number): Float32Array {
  const side = Math.max(width, height);
  const added = new Float32Array(width * height);
  for (const { x: cx, y: cy, radii, angle, strength } of reflections) {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const reach = 3 * side * Math.max(radii[0], radii[1]);
    const within = (centre: number, sides: number) => [
      Math.max(0, Math.floor(centre - reach)),
      Math.min(sides, centre + reach),
    ];
    const [fromY, toY] = within(cy * height, height);
    const [fromX, toX] = within(cx * width, width);
    for (let y = fromY; y < toY; y++) {
      for (let x = fromX; x < toX; x++) {
        const [dx, dy] = [(x + 0.5 - cx * width) / side, (y + 0.5 - cy * height) / side];
        const a = (dx * c + dy * s) / radii[0];
        const b = (dy * c - dx * s) / radii[1];
        const distance = a * a + b * b;
        if (distance < 9) added[y * width + x] += 255 * strength * Math.exp(-distance);
      }
    }
  }
  return added;
}

/** A surface of one colour with a grain of a few px. */
export function drawSurface(
  { colour, grain }: { colour: readonly [number, number, number]; grain: number },
  seed: number,
  { width, height }: { width: number; height: number },
): RgbImage {
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const rough = grain * (hash(hash(seed ^ (x >> 2)) ^ (y >> 1)) / 2 ** 31 - 1);
      for (let c = 0; c < 3; c++) data[to++] = colour[c] + rough;
    }
  }
  return { data: new Uint8Array(data.buffer), width, height };
}

/** Adds noise of a standard deviation to every value, in place. */
export function addNoise({ data }: RgbImage, deviation: number, random: Random): void {
  if (deviation === 0) return;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] + deviation * random.normal();
    data[i] = value < 0 ? 0 : value > 255 ? 255 : value + 0.5;
  }
}
