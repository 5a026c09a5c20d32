/** @file Things between the camera and the building: people, trees, cars, lamps, wires, scaffolding, branches. */
import { type Camera, project } from './camera.js';
import type { Light } from './light.js';
import { ellipse, place, rectangle, stroke } from './paths.js';
import type { Picture } from './picture.js';
import type { Random } from './random.js';
import type { Polygon } from './rasterize.js';
import type { Rgb } from './relief.js';

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

/** Brightness that a thing standing in this light has. */
function exposure(light: Light): number {
  return Math.max(0.03, light.ambient[1] + light.sun[1] * (light.direction[2] > 0 ? 0.45 : 0.1));
}

function lit(color: Rgb, light: number, factor = 1): Rgb {
  return [color[0] * light * factor, color[1] * light * factor, color[2] * light * factor];
}

function randomColor(random: Random, strength = 0.55): Rgb {
  return [
    random.next() * random.next() * strength,
    random.next() * random.next() * strength,
    random.next() * random.next() * strength,
  ];
}

/** A person of `height` px standing on (x, y). */
export function drawPerson(
  picture: Picture,
  random: Random,
  x: number,
  y: number,
  height: number,
  light: number,
): void {
  const h = height;
  const side = random.chance(0.5) ? 1 : -1;
  const shirt = lit(randomColor(random, 0.9), light);
  const trousers = lit(randomColor(random, 0.35), light);
  const tone = random.range(0.12, 0.62);
  const skin = lit([tone, tone * 0.68, tone * 0.5], light);
  const hair = lit(
    random.pick<Rgb>([
      [0.02, 0.015, 0.01],
      [0.12, 0.06, 0.03],
      [0.4, 0.3, 0.15],
      [0.3, 0.3, 0.3],
    ]),
    light,
  );
  const stride = random.range(0.02, 0.09) * h;
  const skirt = random.chance(0.25);
  if (skirt)
    picture.fill(
      [[x - h * 0.07, y - h * 0.5, x + h * 0.07, y - h * 0.5, x + h * 0.13, y - h * 0.1, x - h * 0.13, y - h * 0.1]],
      trousers,
    );
  for (const s of [-1, 1])
    picture.fill(
      stroke(
        [x + s * h * 0.035, y - h * 0.48, x + s * stride, y - h * 0.24, x + s * stride * 0.8 - side * h * 0.02, y],
        h * 0.068,
      ),
      trousers,
    );
  picture.fill(
    [[x - h * 0.1, y - h * 0.82, x + h * 0.1, y - h * 0.82, x + h * 0.085, y - h * 0.46, x - h * 0.085, y - h * 0.46]],
    shirt,
  );
  for (const s of [-1, 1]) {
    const up = random.chance(0.2) ? -1 : 1;
    picture.fill(
      stroke(
        [
          x + s * h * 0.09,
          y - h * 0.79,
          x + s * h * 0.135,
          y - h * (0.79 - up * 0.16),
          x + s * h * 0.1,
          y - h * (0.79 - up * 0.3),
        ],
        h * 0.05,
      ),
      random.chance(0.5) ? shirt : skin,
    );
  }
  if (random.chance(0.3))
    picture.fill(
      [rectangle(x - side * h * 0.12 - h * 0.05, y - h * 0.76, h * 0.1, h * 0.22)],
      lit(randomColor(random), light),
    );
  picture.fill([ellipse(x, y - h * 0.92, h * 0.055, h * 0.07)], skin);
  picture.fill([ellipse(x + side * h * 0.008, y - h * 0.945, h * 0.06, h * 0.052)], hair);
}

/** A crown of leaves: `count` blobs in an ellipse. */
export function drawLeaves(
  picture: Picture,
  random: Random,
  cx: number,
  cy: number,
  rx: number,
  ry: number,
  count: number,
  light: number,
): void {
  const hue: Rgb = random.pick<Rgb>([
    [0.1, 0.2, 0.04],
    [0.16, 0.22, 0.05],
    [0.07, 0.14, 0.06],
    [0.3, 0.17, 0.04],
    [0.2, 0.24, 0.12],
  ]);
  for (let i = 0; i < count; i++) {
    const a = random.range(0, 2 * Math.PI);
    const d = Math.sqrt(random.next());
    const x = cx + Math.cos(a) * d * rx;
    const y = cy + Math.sin(a) * d * ry;
    const r = Math.max(1.2, Math.min(rx, ry) * random.range(0.07, 0.2));
    const shade = random.range(0.35, 1.25) * (1 - 0.35 * ((y - cy) / ry));
    picture.fill([place(ellipse(0, 0, 1, 0.7, 7), x, y, r, r, random.range(0, 3))], lit(hue, light, shade * 1.4));
  }
}

/** A tree of `height` px standing on (x, y): 0 a conifer, 1 a palm, 2 and 3 with a dense and a thin crown. */
export function drawTree(
  picture: Picture,
  random: Random,
  x: number,
  y: number,
  height: number,
  light: number,
  kind = random.int(0, 3),
): void {
  const bark = lit([0.1, 0.07, 0.05], light);
  if (kind === 0) {
    picture.fill(stroke([x, y, x + height * 0.01, y - height * 0.3], height * 0.04), bark);
    const layers = random.int(4, 7);
    for (let i = 0; i < layers; i++) {
      const base = y - height * (0.12 + (0.72 * i) / layers);
      const half = height * 0.24 * (1 - i / (layers + 0.7));
      picture.fill(
        [[x - half, base, x + half, base, x, base - height * 0.28]],
        lit([0.04, 0.1, 0.045], light, random.range(0.6, 1.3)),
      );
    }
    return;
  }
  if (kind === 1) {
    const lean = random.range(-0.12, 0.12) * height;
    picture.fill(stroke([x, y, x + lean * 0.4, y - height * 0.5, x + lean, y - height * 0.82], height * 0.035), bark);
    for (let i = 0; i < 11; i++) {
      const a = random.range(-Math.PI, 0.35);
      const l = height * random.range(0.18, 0.3);
      const tx = x + lean;
      const ty = y - height * 0.82;
      picture.fill(
        [
          [
            tx,
            ty - 1,
            tx + Math.cos(a) * l * 0.5,
            ty + Math.sin(a) * l * 0.55 - l * 0.14,
            tx + Math.cos(a) * l,
            ty + Math.sin(a) * l * 0.4 + l * 0.2,
            tx + Math.cos(a) * l * 0.5,
            ty + Math.sin(a) * l * 0.5,
          ],
        ],
        lit([0.1, 0.2, 0.05], light, random.range(0.5, 1.4)),
      );
    }
    return;
  }
  const top = y - height * 0.68;
  picture.fill(stroke([x, y, x + random.range(-0.02, 0.02) * height, y - height * 0.5], height * 0.05), bark);
  for (let i = 0; i < 4; i++)
    picture.fill(
      stroke(
        [x, y - height * 0.4, x + random.range(-0.25, 0.25) * height, y - height * random.range(0.6, 0.85)],
        height * 0.018,
      ),
      bark,
    );
  drawLeaves(picture, random, x, top, height * random.range(0.22, 0.36), height * 0.3, kind === 2 ? 110 : 45, light);
}

/** A car of `height` px standing on (x, y). */
export function drawCar(picture: Picture, random: Random, x: number, y: number, height: number, light: number): void {
  const h = height;
  const length = h * random.range(2.4, 3.1);
  const flip = random.chance(0.5) ? 1 : -1;
  const color = lit(
    random.pick<Rgb>([
      [0.6, 0.6, 0.62],
      [0.04, 0.04, 0.05],
      [0.4, 0.04, 0.04],
      [0.06, 0.1, 0.3],
      [0.75, 0.75, 0.73],
      [0.5, 0.4, 0.08],
      [0.15, 0.22, 0.18],
    ]),
    light,
  );
  const at = (points: Polygon) => place(points, x, y, flip * length, -h);
  picture.fill([ellipse(x, y, length * 0.52, h * 0.1)], lit([0.03, 0.03, 0.03], light), 0.6);
  picture.fill(
    [at([-0.5, 0.18, 0.5, 0.18, 0.5, 0.42, 0.42, 0.55, 0.24, 0.6, 0.1, 0.95, -0.22, 1, -0.38, 0.62, -0.5, 0.58])],
    color,
  );
  const glass = lit([0.08, 0.1, 0.13], light, 1.2);
  picture.fill(
    [at([0.19, 0.6, 0.07, 0.9, -0.04, 0.92, -0.04, 0.6]), at([-0.07, 0.6, -0.07, 0.92, -0.2, 0.94, -0.32, 0.62])],
    glass,
  );
  for (const u of [-0.31, 0.3]) {
    picture.fill([ellipse(x + flip * u * length, y - h * 0.17, h * 0.19)], lit([0.015, 0.015, 0.015], light));
    picture.fill([ellipse(x + flip * u * length, y - h * 0.17, h * 0.09)], lit([0.3, 0.3, 0.3], light));
  }
  picture.fill([at([0.46, 0.42, 0.5, 0.42, 0.5, 0.34, 0.46, 0.34])], lit([1, 0.95, 0.7], light, 1.3));
}

/** Scaffolding over the facade's box [left, top, right, bottom] in px. */
function drawScaffold(
  picture: Picture,
  random: Random,
  left: number,
  top: number,
  right: number,
  bottom: number,
  light: number,
): void {
  const w = (right - left) * random.range(0.15, 0.35);
  const x0 = random.range(left, right - w);
  const y0 = top + (bottom - top) * random.range(0.1, 0.5);
  const step = Math.max(8, w / random.int(3, 5));
  const pole = lit([0.35, 0.33, 0.3], light);
  if (random.chance(0.5))
    picture.fill(
      [rectangle(x0, y0, w, (bottom - y0) * random.range(0.4, 0.9))],
      lit(
        random.pick<Rgb>([
          [0.2, 0.4, 0.25],
          [0.5, 0.52, 0.55],
          [0.15, 0.25, 0.5],
        ]),
        light,
      ),
      0.55,
    );
  for (let x = x0; x <= x0 + w; x += step) picture.fill([rectangle(x, y0, 1.6, bottom - y0)], pole);
  for (let y = y0; y <= bottom; y += step) {
    picture.fill([rectangle(x0, y, w, 1.4)], pole);
    if (random.chance(0.6)) picture.fill([rectangle(x0, y + 1, w, 2.5)], lit([0.25, 0.18, 0.1], light));
  }
}

/** Draws random occluders; `unit` is the facade's height in px of the facade plane, `box` where it is in the picture. */
export function drawOccluders(
  picture: Picture,
  camera: Camera,
  light: Light,
  random: Random,
  unit: number,
  box: { left: number; top: number; right: number; bottom: number },
): OccluderKind[] {
  const { width, height } = picture;
  const bright = exposure(light);
  const drawn: OccluderKind[] = [];
  /** A place on the ground between camera and facade: [x, y, px per unit]. */
  const spot = (near: number, far: number): [number, number, number] => {
    const z = camera.position[2] * random.range(far, near);
    const depth = Math.abs(camera.position[2] - z);
    const x = camera.position[0] * (z / camera.position[2]) + random.range(-0.6, 0.6) * depth * (width / camera.focal);
    const [px, py, d] = project(camera, [x, 0, z]);
    return [px, py, camera.focal / Math.max(1, d)];
  };
  const add = (kind: OccluderKind, probability: number, draw: () => void) => {
    if (!random.chance(probability)) return;
    drawn.push(kind);
    draw();
  };
  add('scaffold', 0.07, () => drawScaffold(picture, random, box.left, box.top, box.right, box.bottom, bright));
  add('tree', 0.24, () => {
    for (let n = random.int(1, 3); n > 0; n--) {
      const [x, y, s] = spot(0.4, 0.02);
      drawTree(picture, random, x, y, unit * s * random.range(0.25, 0.6), bright);
    }
  });
  add('bush', 0.2, () => {
    for (let n = random.int(2, 5); n > 0; n--) {
      const [x, y, s] = spot(0.4, 0.01);
      drawLeaves(picture, random, x, y - unit * s * 0.05, unit * s * 0.12, unit * s * 0.07, 40, bright);
    }
  });
  add('car', 0.22, () => {
    for (let n = random.int(1, 3); n > 0; n--) {
      const [x, y, s] = spot(0.6, 0.03);
      drawCar(picture, random, x, y, unit * s * 0.075, bright);
    }
  });
  add('person', 0.55, () => {
    const crowd = random.chance(0.2) ? random.int(8, 20) : random.int(1, 6);
    for (let n = crowd; n > 0; n--) {
      const [x, y, s] = spot(0.7, 0.02);
      drawPerson(picture, random, x, y, unit * s * random.range(0.075, 0.1), bright);
    }
  });
  add('fence', 0.08, () => {
    const y = height * random.range(0.75, 0.95);
    const step = width * random.range(0.02, 0.05);
    const iron = lit([0.03, 0.03, 0.03], bright);
    for (let x = random.range(-step, 0); x < width; x += step)
      picture.fill([rectangle(x, y, step * 0.16, height - y)], iron);
    picture.fill([rectangle(0, y + height * 0.02, width, 2.5)], iron);
  });
  add('lamp', 0.16, () => {
    const [x, y, s] = spot(0.6, 0.05);
    const h = unit * s * random.range(0.25, 0.45);
    const iron = lit([0.05, 0.05, 0.05], bright);
    picture.fill(stroke([x, y, x, y - h], Math.max(1.5, h * 0.025)), iron);
    picture.fill([ellipse(x, y - h, h * 0.06)], light.glow > 0 ? [1.2, 1, 0.6] : lit([0.7, 0.7, 0.65], bright));
  });
  add('flag', 0.08, () => {
    const [x, y, s] = spot(0.4, 0.02);
    const h = unit * s * random.range(0.4, 0.7);
    picture.fill(stroke([x, y, x, y - h], Math.max(1.2, h * 0.012)), lit([0.5, 0.5, 0.5], bright));
    for (let k = 0; k < 3; k++)
      picture.fill(
        [place([0, 0, 1, 0.08, 1, 0.36, 0, 0.33], x, y - h + k * h * 0.06, h * 0.32, h * 0.2)],
        lit(randomColor(random, 1), bright),
      );
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
    const fromLeft = random.chance(0.5);
    const x = fromLeft ? random.range(-0.05, 0.2) * width : random.range(0.8, 1.05) * width;
    drawLeaves(
      picture,
      random,
      x,
      random.range(-0.05, 0.15) * height,
      width * random.range(0.18, 0.34),
      height * random.range(0.12, 0.3),
      130,
      bright * 0.8,
    );
  });
  add('person', 0.06, () =>
    drawPerson(
      picture,
      random,
      width * random.range(0.15, 0.85),
      height * random.range(1.25, 1.6),
      height * random.range(0.95, 1.3),
      bright,
    ),
  );
  return drawn;
}
