/** @file What a text search returns besides the landmark: streets, other buildings, portraits, food, drawings, things. */
import type { RgbImage } from '../data/rgb-image.js';
import { drawBackdrop } from './backdrop.js';
import { lookAt } from './camera.js';
import { categoryNames, renderCategory } from './categories.js';
import { anyColor } from './category-textures.js';
import { drawFacade } from './facade.js';
import { drawLight } from './light.js';
import { shade, vary } from './materials.js';
import { fractalNoise } from './noise.js';
import { drawOccluders } from './occluders.js';
import { drawFigure, drawInscription, drawOrnament } from './ornaments.js';
import { ellipse, place, rectangle, rosette, stroke } from './paths.js';
import { takePhotograph } from './photograph.js';
import { Picture } from './picture.js';
import type { Random } from './random.js';
import { palette, Relief } from './relief.js';
import { applySensor } from './sensor.js';
import { drawStyle, planKinds } from './style.js';
import { linear, toLinear } from './texture.js';

export const wrongKinds = ['street', 'building', 'portrait', 'food', 'drawing', 'thing'] as const;
export type WrongKind = (typeof wrongKinds)[number];

function frame(random: Random, size: number): Picture {
  const short = Math.round(size / random.pick([4 / 3, 3 / 2, 1]));
  return random.chance(0.4) ? new Picture(short, size) : new Picture(size, short);
}

/** A place with people, cars and trees but no building. */
function street(random: Random, size: number): Picture {
  const picture = frame(random, size);
  const { width, height } = picture;
  const unit = 700;
  const focal = size * random.range(0.8, 1.4);
  const position = [0, unit * random.range(0.06, 0.3), unit * random.range(0.7, 1.5)] as const;
  const target = [random.range(-200, 200), unit * random.range(0.1, 0.35), 0] as const;
  const camera = lookAt({ width, height, focal, position }, { target, roll: random.normal() * 0.03 });
  const scene = { camera, light: drawLight(random.fork('light')), unit };
  drawBackdrop(picture, random.fork('backdrop'), scene);
  const bounds = { left: width * 0.2, top: height * 0.3, right: width * 0.8, bottom: height * 0.7 };
  for (let i = 0; i < 3; i++) drawOccluders(picture, random.fork('occluders', i), { ...scene, bounds });
  return picture;
}

const skins = palette(90, 72, 60, 62, 44, 33, 40, 27, 20);
const hairs = palette(12, 8, 6, 40, 25, 12, 75, 60, 35, 60, 60, 60);
const inks = palette(12, 12, 14, 35, 20, 10, 10, 15, 40);

/** A head and shoulders before a blurred wall. */
function portrait(random: Random, size: number): Picture {
  const picture = frame(random, size);
  const { width, height } = picture;
  const back = anyColor(random);
  const o = random.range(0, 500);
  picture.cover((x, y, out) => {
    const k = 0.5 + 0.8 * fractalNoise(x * 0.06 + o, y * 0.06 - o);
    for (let c = 0; c < 3; c++) out[c] = toLinear(back[c] * k);
  });
  const count = random.chance(0.3) ? 2 : 1;
  for (let i = 0; i < count; i++) {
    const r = Math.min(width, height) * random.range(0.16, 0.24);
    const cx = width * ((i + 1) / (count + 1) + random.range(-0.06, 0.06));
    const cy = height * random.range(0.36, 0.46);
    const skin = vary(random, random.pick(skins), 0.08);
    const hair = vary(random, random.pick(hairs), 0.1);
    const coat = linear(anyColor(random));
    picture.fill(ellipse(cx, height + r * 0.6, r * 2.2, height - cy - r * 0.5), coat);
    picture.fill(rectangle(cx - r * 0.4, cy + r * 0.6, r * 0.8, r * 1.1), linear(shade(skin, 0.8)));
    picture.fill(ellipse(cx, cy - r * 0.25, r * 1.02, r * random.range(1.1, 1.5)), linear(hair));
    picture.fill(ellipse(cx, cy, r * 0.82, r * 1.1), (x, y, out) => {
      const k = 0.85 + 0.25 * ((cx - x) / r) * 0.5 - 0.1 * ((y - cy) / r);
      for (let c = 0; c < 3; c++) out[c] = toLinear(skin[c] * k);
    });
    for (const s of [-1, 1]) {
      picture.fill(ellipse(cx + s * r * 0.34, cy - r * 0.14, r * 0.15, r * 0.08), [0.85, 0.85, 0.85]);
      picture.fill(ellipse(cx + s * r * 0.34, cy - r * 0.14, r * 0.07), [0.03, 0.02, 0.02]);
      picture.fill(rectangle(cx + s * r * 0.34 - r * 0.18, cy - r * 0.36, r * 0.36, r * 0.06), linear(hair));
    }
    picture.fill(
      stroke([cx, cy - r * 0.05, cx + r * 0.08, cy + r * 0.28, cx - r * 0.06, cy + r * 0.3], r * 0.05),
      linear(shade(skin, 0.7)),
    );
    picture.fill(
      ellipse(cx, cy + r * 0.58, r * random.range(0.2, 0.36), r * random.range(0.04, 0.12)),
      linear([0.6, 0.2, 0.2]),
    );
  }
  return picture;
}

/** Plates on a table. */
function food(random: Random, size: number): Picture {
  const picture = frame(random, size);
  const { width, height } = picture;
  const table = anyColor(random);
  const o = random.range(0, 500);
  picture.cover((x, y, out) => {
    const k = 0.6 + 0.5 * fractalNoise(x * 0.5 + o, y * 0.06);
    for (let c = 0; c < 3; c++) out[c] = toLinear(table[c] * k);
  });
  const plates = random.int(1, 4);
  for (let p = 0; p < plates; p++) {
    const r = Math.min(width, height) * (plates === 1 ? random.range(0.34, 0.45) : random.range(0.18, 0.3));
    const cx = plates === 1 ? width / 2 : random.range(0.15, 0.85) * width;
    const cy = plates === 1 ? height / 2 : random.range(0.15, 0.85) * height;
    picture.fill(ellipse(cx + r * 0.05, cy + r * 0.08, r * 1.02, r * 0.95), [0.02, 0.02, 0.02], 0.5);
    picture.fill(ellipse(cx, cy, r, r * 0.92), [0.8, 0.8, 0.77]);
    picture.fill(ellipse(cx, cy, r * 0.76, r * 0.7), [0.68, 0.68, 0.66]);
    const kinds = Array.from({ length: random.int(2, 4) }, () => anyColor(random));
    for (let i = random.int(25, 70); i > 0; i--) {
      const a = random.range(0, 6.28);
      const d = Math.sqrt(random.next()) * r * 0.6;
      const s = r * random.range(0.06, 0.2);
      const color = shade(random.pick(kinds), random.range(0.7, 1.2));
      const shape = random.chance(0.5) ? ellipse(0, 0, 0.5, 0.32, 14) : rosette(0, 0, 0.5, 0.3, random.int(3, 6));
      picture.fill(place(shape, cx + Math.cos(a) * d, cy + Math.sin(a) * d * 0.9, s, s, a * 3), linear(color));
    }
  }
  return picture;
}

/** A page: a sketch, a map or a poster with writing. */
function drawing(random: Random, size: number): Picture {
  const picture = frame(random, size);
  const { width, height } = picture;
  const board = new Relief(width, height);
  const paper = vary(random, [0.94, 0.92, 0.86], 0.05);
  const ink = vary(random, random.pick(inks), 0.1);
  const site = { board, random, trimColor: ink, accent: ink };
  board.fill(rectangle(0, 0, width, height), paper);
  drawInscription(site, [width * 0.1, height * 0.04, width * 0.8, height * 0.1], ink);
  const cells = random.int(1, 3);
  const [w, h] = [(width * 0.8) / cells, (height * 0.55) / cells];
  for (let j = 0; j < cells; j++) {
    for (let i = 0; i < cells; i++) {
      const [x, y] = [width * 0.1 + i * w, height * 0.18 + j * h];
      board.fill(stroke([x, y, x + w * 0.95, y, x + w * 0.95, y + h * 0.92, x, y + h * 0.92, x, y], 1.5), ink);
      const standing = { cx: x + w * 0.5, bottom: y + h * 0.88, height: h * 0.8, depth: 0 };
      const box = [x + w * 0.08, y + h * 0.08, w * 0.8, h * 0.78] as const;
      if (random.chance(0.4)) drawFigure(site, standing, anyColor(random));
      else drawOrnament(site, box, { depth: 0, ground: shade(paper, 0.85), figure: anyColor(random) });
    }
  }
  for (let line = 0; line < 3; line++)
    drawInscription(site, [width * 0.1, height * (0.78 + line * 0.06), width * 0.8, height * 0.05], ink);
  for (let i = 0; i < board.color.length; i++) picture.data[i] = toLinear(board.color[i]) * 0.9;
  return picture;
}

/** A wrong image of a given kind, its longest side `size` px. */
export function renderWrongImage(kind: WrongKind, random: Random, size: number): RgbImage {
  if (kind === 'building') {
    const style = drawStyle(random.pick(planKinds), random.fork('style'));
    return takePhotograph(drawFacade(style, random.fork('facade').seed, 640), random.fork('photo'), size).image;
  }
  if (kind === 'thing') {
    const category = random.int(0, categoryNames.length - 1);
    return renderCategory(category, random.fork('thing').seed, Math.round(size * 0.75));
  }
  const picture = { street, portrait, food, drawing }[kind](random, size);
  applySensor(picture, random.fork('sensor'));
  return picture.toRgb();
}
