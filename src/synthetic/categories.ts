/**
 * @file Pictures for pre-training a trunk by classification: categories that have nothing to do with the landmarks,
 * under the same changes of view, light, clutter and occlusion.
 */
import type { RgbImage } from '../data/rgb-image.js';
import { drawBackdrop } from './backdrop.js';
import { lookAt } from './camera.js';
import { buildingCategories } from './category-buildings.js';
import { anyColor, textureCategories, twoColors } from './category-textures.js';
import { thingCategories } from './category-things.js';
import { drawLight } from './light.js';
import { fractalNoise } from './noise.js';
import { drawLeaves } from './occluders.js';
import { ellipse, place, rectangle, regularPolygon } from './paths.js';
import { Pen } from './pen.js';
import { Picture } from './picture.js';
import { Random } from './random.js';
import { applySensor } from './sensor.js';
import { linear, toLinear } from './texture.js';

const square = rectangle(-0.5, -0.5, 1, 1);
const disc = ellipse(0, 0, 0.5, 0.5, 18);

const painters = { ...textureCategories, ...thingCategories, ...buildingCategories };

/** Names of the categories; a category's number is its place here. */
export const categoryNames: readonly string[] = Object.keys(painters);

/** A random landscape. */
function drawLandscape(picture: Picture, random: Random): void {
  const { width, height } = picture;
  const focal = width * random.range(0.8, 1.6);
  const position = [0, random.range(1, 6), 20] as const;
  const aim = { target: [random.range(-3, 3), random.range(1, 6), 0], roll: random.normal() * 0.05 } as const;
  drawBackdrop(picture, random, {
    camera: lookAt({ width, height, focal, position }, aim),
    light: drawLight(random),
    unit: 20,
  });
}

/** Something behind an object: a landscape, a rough wall or flat shapes. */
function drawClutter(picture: Picture, random: Random): void {
  const { width, height } = picture;
  if (random.chance(0.4)) {
    drawLandscape(picture, random);
    return;
  }
  const [a, b] = twoColors(random);
  const zoom = random.range(0.05, 0.9);
  const o = random.range(0, 500);
  picture.cover((x, y, out) => {
    const k = fractalNoise(x * zoom + o, y * zoom - o);
    for (let c = 0; c < 3; c++) out[c] = toLinear(a[c] + (b[c] - a[c]) * k);
  });
  if (!random.chance(0.5)) return;
  for (let n = random.int(3, 14); n > 0; n--) {
    const color = linear(anyColor(random));
    const size = width * random.range(0.05, 0.3);
    const shape = random.pick([square, disc, regularPolygon(0, 0, 0.5, random.int(3, 7))]);
    const [x, y] = [random.range(0, width), random.range(0, height)];
    const placed = place(shape, x, y, size, size * random.range(0.3, 1.2), random.range(0, 3));
    picture.fill(placed, color, random.range(0.5, 1));
  }
}

function drawObstacles(picture: Picture, random: Random): void {
  const { width, height } = picture;
  const roll = random.next();
  if (roll < 0.15) {
    const [cx, cy] = [random.range(0, width), random.chance(0.5) ? 0 : height];
    const stage = { picture, random, light: random.range(0.3, 1.1) };
    drawLeaves(stage, { cx, cy, rx: width * 0.25, ry: height * 0.2, count: 40 });
  } else if (roll < 0.4) {
    for (let n = random.int(1, 4); n > 0; n--) {
      const color = linear(anyColor(random));
      const w = width * random.range(0.04, 0.25);
      const shape = random.chance(0.5) ? square : disc;
      const [x, y] = [random.range(0, width), random.range(0, height)];
      picture.fill(place(shape, x, y, w, w * random.range(0.4, 4), random.range(-0.4, 0.4)), color);
    }
  }
}

/**
 * A square picture of `size` px of category `category` (see `categoryNames`); equal arguments give equal pixels.
 * Throws RangeError for an unknown category.
 */
export function renderCategory(category: number, seed: number, size = 144): RgbImage {
  const name = categoryNames[category];
  const paint = name === undefined ? undefined : painters[name];
  if (!paint)
    throw new RangeError(`Category ${category}: expected a whole number from 0 to ${categoryNames.length - 1}.`);
  const random = new Random(seed).fork(`category ${name}`);
  const picture = new Picture(size, size);
  const fillsFrame = category < Object.keys(textureCategories).length;
  if (!fillsFrame) drawClutter(picture, random.fork('clutter'));
  const upright = !fillsFrame && category >= categoryNames.length - Object.keys(buildingCategories).length;
  const view = fillsFrame
    ? { scale: size * random.range(0.35, 0.9), tilt: 0.8, turn: random.chance(0.5) ? 0.4 : Math.PI }
    : { scale: size * random.range(0.26, 0.62), tilt: 0.6, turn: upright ? 0.15 : 0.45 };
  paint(new Pen(picture, random.fork('view'), view), random.fork('shape'));
  drawObstacles(picture, random.fork('obstacles'));
  applySensor(picture, random.fork('sensor'));
  return picture.toRgb();
}
