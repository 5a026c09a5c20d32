/** @file Things between the camera and the building: people, trees, cars, lamps, wires, scaffolding, branches. */
import { type Camera, project } from './camera.js';
import type { Light } from './light.js';
import { ellipse, place, rectangle, stroke } from './paths.js';
import type { Picture } from './picture.js';
import type { Random } from './random.js';
import type { Polygon, Shape } from './rasterize.js';
import { palette, type Rgb } from './relief.js';

export type OccluderKind =
  | 'person'
  | 'tree'
  | 'car'
  | 'lamp'
  | 'wires'
  | 'scaffold'
  | 'branch'
  | 'bush'
  | 'fence'
  | 'flag';

/** What things are drawn on and with, and how bright they are. */
export interface Stage {
  picture: Picture;
  random: Random;
  light: number;
}

/** A thing of `height` px standing on (x, y). */
export interface Thing {
  x: number;
  y: number;
  height: number;
}

/** Brightness that a thing standing in this light has. */
function exposure(light: Light): number {
  return Math.max(0.03, light.ambient[1] + light.sun[1] * (light.direction[2] > 0 ? 0.45 : 0.1));
}

function lit(color: Rgb, light: number, factor = 1): Rgb {
  return [color[0] * light * factor, color[1] * light * factor, color[2] * light * factor];
}

function randomColor(random: Random, strength = 0.55): Rgb {
  const channel = () => random.next() * random.next() * strength;
  return [channel(), channel(), channel()];
}

const hairColors = palette(2, 1.5, 1, 12, 6, 3, 40, 30, 15, 30, 30, 30);
const leafColors = palette(10, 20, 4, 16, 22, 5, 7, 14, 6, 30, 17, 4, 20, 24, 12);
const carColors = palette(60, 60, 62, 4, 4, 5, 40, 4, 4, 6, 10, 30, 75, 75, 73, 50, 40, 8, 15, 22, 18);
const nettings = palette(20, 40, 25, 50, 52, 55, 15, 25, 50);

export function drawPerson({ picture, random, light }: Stage, { x, y, height: h }: Thing): void {
  const side = random.chance(0.5) ? 1 : -1;
  const shirt = lit(randomColor(random, 0.9), light);
  const trousers = lit(randomColor(random, 0.35), light);
  const tone = random.range(0.12, 0.62);
  const skin = lit([tone, tone * 0.68, tone * 0.5], light);
  const hair = lit(random.pick(hairColors), light);
  const stride = random.range(0.02, 0.09) * h;
  const body = (points: Polygon, color: Rgb) => picture.fill(place(points, x, y, h), color);
  if (random.chance(0.25)) body([-0.07, -0.5, 0.07, -0.5, 0.13, -0.1, -0.13, -0.1], trousers);
  for (const s of [-1, 1]) {
    const foot = x + s * stride * 0.8 - side * h * 0.02;
    const leg = [x + s * h * 0.035, y - h * 0.48, x + s * stride, y - h * 0.24, foot, y];
    picture.fill(stroke(leg, h * 0.068), trousers);
  }
  body([-0.1, -0.82, 0.1, -0.82, 0.085, -0.46, -0.085, -0.46], shirt);
  for (const s of [-1, 1]) {
    const up = random.chance(0.2) ? -1 : 1;
    const joints = [s * 0.09, -0.79, s * 0.135, -(0.79 - up * 0.16), s * 0.1, -(0.79 - up * 0.3)];
    picture.fill(stroke(place(joints, x, y, h), h * 0.05), random.chance(0.5) ? shirt : skin);
  }
  const bag = rectangle(x - side * h * 0.12 - h * 0.05, y - h * 0.76, h * 0.1, h * 0.22);
  if (random.chance(0.3)) picture.fill(bag, lit(randomColor(random), light));
  picture.fill(ellipse(x, y - h * 0.92, h * 0.055, h * 0.07), skin);
  picture.fill(ellipse(x + side * h * 0.008, y - h * 0.945, h * 0.06, h * 0.052), hair);
}

/** A crown of leaves: `count` blobs in an ellipse. */
export function drawLeaves(
  { picture, random, light }: Stage,
  { cx, cy, rx, ry, count }: { cx: number; cy: number; rx: number; ry: number; count: number },
): void {
  const hue = random.pick(leafColors);
  for (let i = 0; i < count; i++) {
    const a = random.range(0, 2 * Math.PI);
    const d = Math.sqrt(random.next());
    const x = cx + Math.cos(a) * d * rx;
    const y = cy + Math.sin(a) * d * ry;
    const r = Math.max(1.2, Math.min(rx, ry) * random.range(0.07, 0.2));
    const shade = random.range(0.35, 1.25) * (1 - 0.35 * ((y - cy) / ry));
    picture.fill(place(ellipse(0, 0, 1, 0.7, 7), x, y, r, r, random.range(0, 3)), lit(hue, light, shade * 1.4));
  }
}

export type TreeKind = 'conifer' | 'palm' | 'dense' | 'thin';
const treeKinds: readonly TreeKind[] = ['conifer', 'palm', 'dense', 'thin'];

export function drawTree(stage: Stage, { x, y, height }: Thing, kind = stage.random.pick(treeKinds)): void {
  const { picture, random, light } = stage;
  const bark = lit([0.1, 0.07, 0.05], light);
  const branch = (points: Polygon, width: number) => picture.fill(stroke(points, width), bark);
  if (kind === 'conifer') {
    branch([x, y, x + height * 0.01, y - height * 0.3], height * 0.04);
    const layers = random.int(4, 7);
    for (let i = 0; i < layers; i++) {
      const base = y - height * (0.12 + (0.72 * i) / layers);
      const half = height * 0.24 * (1 - i / (layers + 0.7));
      const layer = [x - half, base, x + half, base, x, base - height * 0.28];
      picture.fill(layer, lit([0.04, 0.1, 0.045], light, random.range(0.6, 1.3)));
    }
  } else if (kind === 'palm') {
    const lean = random.range(-0.12, 0.12) * height;
    const [tx, ty] = [x + lean, y - height * 0.82];
    branch([x, y, x + lean * 0.4, y - height * 0.5, tx, ty], height * 0.035);
    for (let i = 0; i < 11; i++) {
      const a = random.range(-Math.PI, 0.35);
      const l = height * random.range(0.18, 0.3);
      const [c, s] = [Math.cos(a) * l, Math.sin(a) * l];
      const upper = [tx, ty - 1, tx + c * 0.5, ty + s * 0.55 - l * 0.14];
      const leaf = [...upper, tx + c, ty + s * 0.4 + l * 0.2, tx + c * 0.5, ty + s * 0.5];
      picture.fill(leaf, lit([0.1, 0.2, 0.05], light, random.range(0.5, 1.4)));
    }
  } else {
    branch([x, y, x + random.range(-0.02, 0.02) * height, y - height * 0.5], height * 0.05);
    for (let i = 0; i < 4; i++) {
      const tip = [x + random.range(-0.25, 0.25) * height, y - height * random.range(0.6, 0.85)];
      branch([x, y - height * 0.4, ...tip], height * 0.018);
    }
    const crown = { cx: x, cy: y - height * 0.68, rx: height * random.range(0.22, 0.36), ry: height * 0.3 };
    drawLeaves(stage, { ...crown, count: kind === 'dense' ? 110 : 45 });
  }
}

export function drawCar({ picture, random, light }: Stage, { x, y, height: h }: Thing): void {
  const length = h * random.range(2.4, 3.1);
  const flip = random.chance(0.5) ? 1 : -1;
  const color = lit(random.pick(carColors), light);
  const at = (points: Polygon) => place(points, x, y, flip * length, -h);
  const wheel = (u: number, radius: number, grey: number) =>
    picture.fill(ellipse(x + flip * u * length, y - h * 0.17, radius), lit([grey, grey, grey], light));
  picture.fill(ellipse(x, y, length * 0.52, h * 0.1), lit([0.03, 0.03, 0.03], light), 0.6);
  const body = [-0.5, 0.18, 0.5, 0.18, 0.5, 0.42, 0.42, 0.55, 0.24, 0.6, 0.1, 0.95, -0.22, 1, -0.38, 0.62, -0.5, 0.58];
  picture.fill(at(body), color);
  const windscreen = at([0.19, 0.6, 0.07, 0.9, -0.04, 0.92, -0.04, 0.6]);
  picture.fill(
    [windscreen, at([-0.07, 0.6, -0.07, 0.92, -0.2, 0.94, -0.32, 0.62])],
    lit([0.08, 0.1, 0.13], light, 1.2),
  );
  for (const u of [-0.31, 0.3]) {
    wheel(u, h * 0.19, 0.015);
    wheel(u, h * 0.09, 0.3);
  }
  picture.fill(at([0.46, 0.42, 0.5, 0.42, 0.5, 0.34, 0.46, 0.34]), lit([1, 0.95, 0.7], light, 1.3));
}

/** Where the facade is in the picture, px. */
export interface FacadeBounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Scaffolding over the facade. */
function drawScaffold({ picture, random, light }: Stage, { left, top, right, bottom }: FacadeBounds): void {
  const w = (right - left) * random.range(0.15, 0.35);
  const x0 = random.range(left, right - w);
  const y0 = top + (bottom - top) * random.range(0.1, 0.5);
  const step = Math.max(8, w / random.int(3, 5));
  const pole = lit([0.35, 0.33, 0.3], light);
  if (random.chance(0.5)) {
    const net = rectangle(x0, y0, w, (bottom - y0) * random.range(0.4, 0.9));
    picture.fill(net, lit(random.pick(nettings), light), 0.55);
  }
  for (let x = x0; x <= x0 + w; x += step) picture.fill(rectangle(x, y0, 1.6, bottom - y0), pole);
  for (let y = y0; y <= bottom; y += step) {
    picture.fill(rectangle(x0, y, w, 1.4), pole);
    if (random.chance(0.6)) picture.fill(rectangle(x0, y + 1, w, 2.5), lit([0.25, 0.18, 0.1], light));
  }
}

/** Draws random occluders over a photograph of a facade `unit` px high (in its own plane). */
export function drawOccluders(
  picture: Picture,
  random: Random,
  { camera, light, unit, bounds }: { camera: Camera; light: Light; unit: number; bounds: FacadeBounds },
): OccluderKind[] {
  const { width, height } = picture;
  const bright = exposure(light);
  const stage: Stage = { picture, random, light: bright };
  const drawn: OccluderKind[] = [];
  /** A place on the ground between camera and facade: x, y, and what the facade's height would be there, px. */
  const spot = (near: number, far: number): [number, number, number] => {
    const z = camera.position[2] * random.range(far, near);
    const depth = Math.abs(camera.position[2] - z);
    const x = camera.position[0] * (z / camera.position[2]) + random.range(-0.6, 0.6) * depth * (width / camera.focal);
    const [px, py, d] = project(camera, [x, 0, z]);
    return [px, py, unit * (camera.focal / Math.max(1, d))];
  };
  const add = (kind: OccluderKind, probability: number, draw: () => void) => {
    if (!random.chance(probability)) return;
    drawn.push(kind);
    draw();
  };
  const line = (points: readonly number[], thick: number, color: Rgb) => picture.fill(stroke(points, thick), color);
  add('scaffold', 0.07, () => drawScaffold(stage, bounds));
  add('tree', 0.24, () => {
    for (let n = random.int(1, 3); n > 0; n--) {
      const [x, y, s] = spot(0.4, 0.02);
      drawTree(stage, { x, y, height: s * random.range(0.25, 0.6) });
    }
  });
  add('bush', 0.2, () => {
    for (let n = random.int(2, 5); n > 0; n--) {
      const [x, y, s] = spot(0.4, 0.01);
      drawLeaves(stage, { cx: x, cy: y - s * 0.05, rx: s * 0.12, ry: s * 0.07, count: 40 });
    }
  });
  add('car', 0.22, () => {
    for (let n = random.int(1, 3); n > 0; n--) {
      const [x, y, s] = spot(0.6, 0.03);
      drawCar(stage, { x, y, height: s * 0.075 });
    }
  });
  add('person', 0.55, () => {
    for (let n = random.chance(0.2) ? random.int(8, 20) : random.int(1, 6); n > 0; n--) {
      const [x, y, s] = spot(0.7, 0.02);
      drawPerson(stage, { x, y, height: s * random.range(0.075, 0.1) });
    }
  });
  add('fence', 0.08, () => {
    const y = height * random.range(0.75, 0.95);
    const step = width * random.range(0.02, 0.05);
    const iron = lit([0.03, 0.03, 0.03], bright);
    const fill = (shape: Shape) => picture.fill(shape, iron);
    for (let x = random.range(-step, 0); x < width; x += step) fill(rectangle(x, y, step * 0.16, height - y));
    fill(rectangle(0, y + height * 0.02, width, 2.5));
  });
  add('lamp', 0.16, () => {
    const [x, y, s] = spot(0.6, 0.05);
    const h = s * random.range(0.25, 0.45);
    line([x, y, x, y - h], Math.max(1.5, h * 0.025), lit([0.05, 0.05, 0.05], bright));
    picture.fill(ellipse(x, y - h, h * 0.06), light.glow > 0 ? [1.2, 1, 0.6] : lit([0.7, 0.7, 0.65], bright));
  });
  add('flag', 0.08, () => {
    const [x, y, s] = spot(0.4, 0.02);
    const h = s * random.range(0.4, 0.7);
    line([x, y, x, y - h], Math.max(1.2, h * 0.012), lit([0.5, 0.5, 0.5], bright));
    for (let k = 0; k < 3; k++) {
      const stripe = place([0, 0, 1, 0.08, 1, 0.36, 0, 0.33], x, y - h + k * h * 0.06, h * 0.32, h * 0.2);
      picture.fill(stripe, lit(randomColor(random, 1), bright));
    }
  });
  add('wires', 0.08, () => {
    for (let n = random.int(2, 5); n > 0; n--) {
      const y = height * random.range(0.05, 0.6);
      const sag = height * random.range(0.02, 0.12);
      const tilt = random.range(-0.1, 0.1) * height;
      const points: number[] = [];
      for (let i = 0; i <= 12; i++)
        points.push((width * i) / 12, y + tilt * (i / 12) + sag * 4 * (i / 12) * (1 - i / 12));
      picture.fill(stroke(points, 1.2), [0.01, 0.01, 0.01], 0.9);
    }
  });
  add('branch', 0.13, () => {
    const cx = random.chance(0.5) ? random.range(-0.05, 0.2) * width : random.range(0.8, 1.05) * width;
    const cy = random.range(-0.05, 0.15) * height;
    const [rx, ry] = [width * random.range(0.18, 0.34), height * random.range(0.12, 0.3)];
    drawLeaves({ ...stage, light: bright * 0.8 }, { cx, cy, rx, ry, count: 130 });
  });
  add('person', 0.06, () => {
    const [x, y] = [width * random.range(0.15, 0.85), height * random.range(1.25, 1.6)];
    drawPerson(stage, { x, y, height: height * random.range(0.95, 1.3) });
  });
  return drawn;
}
