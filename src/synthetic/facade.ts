/** @file One landmark: its facade as a texture with relief, and the facts about it that photographs need. */
import { material, shade } from './materials.js';
import { fractalNoise } from './noise.js';
import { rectangle, stroke } from './paths.js';
import { drawAspect, drawPlan } from './plans.js';
import { Random } from './random.js';
import { Relief, type Rgb } from './relief.js';
import { type Style, varyStyle } from './style.js';
import { buildTexture, type TextureRegion, type Texture } from './texture.js';

export interface Facade {
  texture: Texture;
  /** Size of the facade plane in px; x right, y down, (0, 0) the top left corner of the building's bounding box. */
  width: number;
  height: number;
  /** Mean wall colour, for the walls that the front does not show. */
  wallColor: Rgb;
  roofColor: Rgb;
}

/** Longest side of a facade's board in px. */
export const facadeSize = 1024;

/** Draws the landmark `seed` in its own reading of `style`. */
export function drawFacade(style: Style, seed: number, size: number = facadeSize): Facade {
  const random = new Random(seed);
  const own = varyStyle(style, random.fork('style'));
  const shape = random.fork('shape');
  const aspect = drawAspect(own.plan, shape);
  const width = Math.round(aspect >= 1 ? size : size * aspect);
  const height = Math.round(aspect >= 1 ? size / aspect : size);
  const board = new Relief(width, height);
  const course = (size / facadeSize) * shape.range(9, 15);
  const { wallKind, wallColor, trimKind, trimColor, accentColor, roofColor } = own;
  const wall = material(wallKind, {
    seed: random.fork('wall').seed,
    base: wallColor,
    accent: wallKind === 'banded' || wallKind === 'tile' ? accentColor : shade(wallColor, 0.55),
    course,
    variety: shape.range(0.3, 0.6),
  });
  const trimStone = { base: trimColor, accent: shade(trimColor, 0.6), course: course * 1.4, variety: 0.25 };
  const trim = material(trimKind, { seed: random.fork('trim').seed, ...trimStone });
  const site = { board, random: random.fork('plan'), style: own, wall, trim, trimColor, accent: accentColor };
  drawPlan[own.plan](site);
  drawAge(board, random.fork('age'));
  const region = solidRegion(board);
  const { width: wide, height: tall } = region;
  return { texture: buildTexture(board, region), width: wide, height: tall, wallColor, roofColor };
}

/** Cracks, streaks of rain water, soot and repairs. */
function drawAge(board: Relief, random: Random): void {
  const { width, height, color, alpha } = board;
  const ox = random.range(0, 500);
  const oy = random.range(0, 500);
  const strength = random.range(0.3, 0.65);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (alpha[i] === 0) continue;
      const streak = fractalNoise(x * 0.5 + ox, y * 0.035 + oy);
      const cloud = fractalNoise(x * 0.06 + oy, y * 0.06 + ox);
      const light = 1 - strength * Math.max(0, streak * 0.7 + cloud * 0.7 - 0.62) * 1.4;
      color[i * 3] *= light;
      color[i * 3 + 1] *= light;
      color[i * 3 + 2] *= light * 1.01;
    }
  }
  for (let cracks = random.int(8, 20); cracks > 0; cracks--) {
    let x = random.range(0, width);
    let y = random.range(0, height);
    let angle = random.range(0, Math.PI * 2);
    const points = [x, y];
    for (let i = random.int(5, 16); i > 0; i--) {
      angle += random.normal() * 0.5;
      x += Math.cos(angle) * 9;
      y += Math.sin(angle) * 9;
      points.push(x, y);
    }
    for (const polygon of stroke(points, random.range(1, 2.2)))
      board.fill(polygon, [0.1, 0.08, 0.07], { relief: -2, raise: true, solid: false, opacity: 0.8 });
  }
  for (let patches = random.int(3, 9); patches > 0; patches--) {
    const tone = random.range(0.35, 0.9);
    const [x, y] = [random.range(0, width), random.range(0, height)];
    const patch = rectangle(x, y, random.range(15, 60), random.range(12, 50));
    board.fill(patch, [tone, tone * 0.96, tone * 0.9], { solid: false, opacity: random.range(0.15, 0.4) });
  }
}

/** Bounding box of what is not open air: the frame of the facade plane. */
function solidRegion({ width, height, alpha }: Relief): TextureRegion {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (alpha[y * width + x] < 0.5) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  return { left, top, width: right - left, height: bottom - top };
}
