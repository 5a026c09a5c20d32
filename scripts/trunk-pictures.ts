/**
 * @file Mini-batches of generated pictures. An exemplar is one thing of a category (this barn, that brick wall); it is
 * photographed twice: from elsewhere, in another light, before another background, with other things in the way. A pool
 * of pairs is kept in memory and a few are drawn anew for every batch, so that rendering costs little and none is seen often.
 */
import type { RgbImage } from '../src/data/rgb-image.js';
import { drawBackdrop } from '../src/synthetic/backdrop.js';
import { lookAt } from '../src/synthetic/camera.js';
import { categoryNames, renderCategory } from '../src/synthetic/categories.js';
import { buildingCategories } from '../src/synthetic/category-buildings.js';
import { anyColor, textureCategories } from '../src/synthetic/category-textures.js';
import { thingCategories } from '../src/synthetic/category-things.js';
import { drawLight } from '../src/synthetic/light.js';
import { drawLeaves } from '../src/synthetic/occluders.js';
import { ellipse, place, rectangle } from '../src/synthetic/paths.js';
import { Pen } from '../src/synthetic/pen.js';
import { Picture } from '../src/synthetic/picture.js';
import { Random } from '../src/synthetic/random.js';
import { applySensor } from '../src/synthetic/sensor.js';
import { RandomStream } from '../src/train/random.js';

/** Side of the pictures in the pool, px; crops are taken from them. */
const pictureSize = 144;

/** Exemplars of a category that are in a batch together: the hardest to tell apart. */
const siblings = 2;

export interface PictureBatch {
  /** [2 N, size, size, 3] RGB 0-255: one picture of each of N exemplars, then another of each in the same order. */
  pixels: Float32Array;
  /** [2 N] category numbers. */
  labels: Int32Array;
}

interface Pair {
  views: readonly [RgbImage, RgbImage];
  label: number;
}

const painters = { ...textureCategories, ...thingCategories, ...buildingCategories };
const textures = Object.keys(textureCategories);

/** Exemplar `exemplar` of a category as view number `view` shows it; equal arguments give equal pixels. */
function renderView(category: number, exemplar: number, view: number): RgbImage {
  const name = categoryNames[category];
  const shape = new Random(exemplar).fork(`exemplar of ${name}`);
  const random = new Random(exemplar).fork(`view of ${name}`, view);
  const size = pictureSize;
  const picture = new Picture(size, size);
  const fillsFrame = textures.includes(name);
  if (!fillsFrame) drawBackground(picture, random.fork('background'));
  const upright = name in buildingCategories;
  const scale = size * (fillsFrame ? random.range(0.35, 0.9) : random.range(0.3, 0.75));
  const turn = fillsFrame ? 0.5 : upright ? 0.15 : 0.35;
  painters[name](new Pen(picture, random.fork('pen'), { scale, tilt: 0.7, turn }), shape);
  drawObstacles(picture, random.fork('obstacles'));
  applySensor(picture, random.fork('sensor'));
  return picture.toRgb();
}

/** A landscape, or a picture of some texture. */
function drawBackground(picture: Picture, random: Random): void {
  const { width, height, data } = picture;
  if (random.chance(0.6)) {
    const focal = width * random.range(0.8, 1.6);
    const target = [random.range(-3, 3), random.range(1, 6), 0] as const;
    const position = [0, random.range(1, 6), 20] as const;
    const camera = lookAt({ width, height, focal, position }, { target, roll: random.normal() * 0.05 });
    drawBackdrop(picture, random, { camera, light: drawLight(random), unit: 20 });
    return;
  }
  const texture = categoryNames.indexOf(random.pick(textures));
  renderCategory(texture, random.fork('texture').seed, width).data.forEach((v, i) => {
    data[i] = (v / 255) ** 2; // gamma 2, as Picture
  });
}

function drawObstacles(picture: Picture, random: Random): void {
  const { width, height } = picture;
  if (random.chance(0.2)) {
    const [cx, cy] = [random.range(0, width), random.chance(0.5) ? 0 : height];
    const stage = { picture, random, light: random.range(0.3, 1.1) };
    drawLeaves(stage, { cx, cy, rx: width * 0.25, ry: height * 0.2, count: 40 });
  }
  for (let n = random.chance(0.4) ? random.int(1, 3) : 0; n > 0; n--) {
    const outline = random.chance(0.5) ? rectangle(-0.5, -0.5, 1, 1) : ellipse(0, 0, 0.5, 0.5, 18);
    const [x, y, side] = [random.range(0, width), random.range(0, height), width * random.range(0.04, 0.25)];
    const [r, g, b] = anyColor(random);
    picture.fill(place(outline, x, y, side, side * random.range(0.4, 4), random.range(-0.4, 0.4)), [
      r * r,
      g * g,
      b * b,
    ]);
  }
}

export class PicturePool {
  private readonly pairs: Pair[] = [];
  private readonly random: RandomStream;
  private rendered = 0;

  /** `perCategory` exemplars of every category, of which `fresh` (of all together) are replaced with every batch. */
  constructor(private readonly options: { seed: number; perCategory: number; fresh: number; cropSize: number }) {
    this.random = new RandomStream(options.seed);
    for (let i = 0; i < options.perCategory * categoryNames.length; i++) this.pairs.push(this.render());
  }

  /** `count` different exemplars, every picture under a random crop, mirroring, colour and light of its own. */
  next(count: number): PictureBatch {
    const { cropSize, fresh, perCategory } = this.options;
    for (let i = 0; i < fresh; i++) this.pairs[this.rendered % this.pairs.length] = this.render(); // the oldest
    const batch = emptyBatch(2 * count, cropSize);
    const categories = this.random.shuffle(categoryNames.keys());
    const rows = this.random.shuffle(Array(perCategory).keys());
    for (let i = 0; i < count; i++) {
      const category = categories[Math.floor(i / siblings) % categories.length];
      const { views, label } = this.pairs[rows[i % perCategory] * categoryNames.length + category];
      const mirrored = this.random.next() < 0.5;
      for (const [v, image] of views.entries()) {
        const side = image.width * this.random.between(0.6, 1);
        const x = this.random.between(0, image.width - side);
        const y = this.random.between(0, image.height - side);
        const at = v * count + i;
        writeCrop(batch.pixels, at, image, { x, y, side, mirrored }, cropSize, drawColours(this.random));
        batch.labels[at] = label;
      }
    }
    return batch;
  }

  private render(): Pair {
    const label = this.rendered % categoryNames.length;
    const exemplar = new Random(this.options.seed).fork('training', this.rendered++).seed;
    return { views: [renderView(label, exemplar, 0), renderView(label, exemplar, 1)], label };
  }
}

/** Batches of one exemplar of every category, none of them in a pool, as they are. */
export function* heldOutBatches(count: number, size: number): Generator<PictureBatch> {
  const categories = categoryNames.length;
  for (let i = 0; i < count; i++) {
    const batch = emptyBatch(2 * categories, size);
    for (let at = 0; at < 2 * categories; at++) {
      const label = at % categories;
      const exemplar = new Random(i).fork('held out', label).seed;
      const image = renderView(label, exemplar, Math.floor(at / categories));
      const whole = { x: 0, y: 0, side: image.width, mirrored: false };
      writeCrop(batch.pixels, at, image, whole, size, identityColours);
      batch.labels[at] = label;
    }
    yield batch;
  }
}

/** out[c] = 255 (gain in[from[c]] / 255)^gamma */
interface Colours {
  from: readonly [number, number, number];
  gain: readonly [number, number, number];
  gamma: number;
  /** All three channels are their mean. */
  grey: boolean;
}

const identityColours: Colours = { from: [0, 1, 2], gain: [1, 1, 1], gamma: 1, grey: false };

/** Exposure, white balance, contrast; sometimes another hue or none, so that a category is not its colour. */
function drawColours(random: RandomStream): Colours {
  const exposure = random.between(0.75, 1.3);
  const gain = [0, 1, 2].map(() => exposure * random.between(0.88, 1.14)) as [number, number, number];
  const from = random.next() < 0.25 ? (random.shuffle([0, 1, 2]) as [number, number, number]) : identityColours.from;
  return { from, gain, gamma: random.between(0.75, 1.35), grey: random.next() < 0.1 };
}

function emptyBatch(count: number, size: number): PictureBatch {
  return { pixels: new Float32Array(count * size * size * 3), labels: new Int32Array(count) };
}

/** Bilinear resampling of a square to `size` x `size`, then the colours; written as image number `index` of `pixels`. */
function writeCrop(
  pixels: Float32Array,
  index: number,
  { data, width, height }: RgbImage,
  { x, y, side, mirrored }: { x: number; y: number; side: number; mirrored: boolean },
  size: number,
  { from, gain, gamma, grey }: Colours,
): void {
  const curves = gain.map((factor) =>
    Float32Array.from({ length: 257 }, (_, v) => 255 * Math.min(1, (factor * Math.min(v, 255)) / 255) ** gamma),
  );
  const step = side / size;
  let at = index * size ** 2 * 3;
  for (let row = 0; row < size; row++) {
    const sourceY = Math.min(Math.max(y + (row + 0.5) * step - 0.5, 0), height - 1);
    const top = Math.floor(sourceY);
    const bottom = Math.min(top + 1, height - 1);
    const fy = sourceY - top;
    for (let column = 0; column < size; column++) {
      const across = mirrored ? size - 1 - column : column;
      const sourceX = Math.min(Math.max(x + (across + 0.5) * step - 0.5, 0), width - 1);
      const left = Math.floor(sourceX);
      const right = Math.min(left + 1, width - 1);
      const fx = sourceX - left;
      for (let c = 0; c < 3; c++) {
        const k = from[c];
        const upper = data[(top * width + left) * 3 + k] * (1 - fx) + data[(top * width + right) * 3 + k] * fx;
        const lower = data[(bottom * width + left) * 3 + k] * (1 - fx) + data[(bottom * width + right) * 3 + k] * fx;
        const value = upper * (1 - fy) + lower * fy;
        const whole = Math.floor(value);
        pixels[at + c] = curves[c][whole] + (curves[c][whole + 1] - curves[c][whole]) * (value - whole);
      }
      if (grey) pixels.fill((pixels[at] + pixels[at + 1] + pixels[at + 2]) / 3, at, at + 3);
      at += 3;
    }
  }
}
