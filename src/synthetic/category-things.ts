/** @file Symbols, plants, vehicles and household things: one function per category, drawn around the origin. */
import { anyColor, type CategoryPainter, twoColors } from './category-textures.js';
import { shade } from './materials.js';
import { drawCar, drawLeaves, drawPerson, drawTree, type Stage, type Thing, type TreeKind } from './occluders.js';
import {
  archedOpening,
  ellipse,
  place,
  polar,
  profile,
  rectangle,
  regularPolygon,
  rosette,
  star,
  stroke,
} from './paths.js';
import type { Pen } from './pen.js';
import type { Random } from './random.js';
import type { Path } from './rasterize.js';

/** A flat sign: the outline in one colour, often on a plate of another. */
function symbol(outline: (random: Random) => Path): CategoryPainter {
  return (pen, random) => {
    const [a, b] = twoColors(random);
    const plate = random.int(0, 3);
    if (plate === 1) pen.fill(ellipse(0, 0, 1, 1, 40), a);
    else if (plate === 2) pen.fill(rectangle(-1, -1, 2, 2), a);
    else if (plate === 3) pen.fill(regularPolygon(0, 0, 1.1, random.int(5, 8)), a);
    const path = outline(random);
    const size = plate === 0 ? 0.95 : 0.72;
    pen.fill(
      path.map((polygon) => place(polygon, 0.03, 0.04, size)),
      shade(a, 0.5),
      0.6,
    );
    pen.fill(
      path.map((polygon) => place(polygon, 0, 0, size)),
      b,
    );
  };
}

/** Height of the unit square in px, for what is drawn in pixels. */
function pixelsHigh(pen: Pen): number {
  return Math.abs(pen.at(0, 1)[1] - pen.at(0, -1)[1]);
}

/** A thing that is drawn in pixels, standing on the plane's point (0, `foot`), `height` unit squares high. */
function standing(
  draw: (stage: Stage, thing: Thing) => void,
  { foot, height: [low, high] }: { foot: number; height: readonly [number, number] },
): CategoryPainter {
  return (pen, random) => {
    const [x, y] = pen.at(0, foot);
    const height = pixelsHigh(pen) * random.range(low, high);
    draw({ picture: pen.picture, random, light: random.range(0.5, 1.3) }, { x, y, height });
  };
}

function tree(kind: TreeKind): CategoryPainter {
  return (pen, random) => {
    const count = random.chance(0.25) ? random.int(2, 4) : 1;
    for (let i = 0; i < count; i++) {
      const [x, y] = pen.at(count === 1 ? 0 : random.range(-0.8, 0.8), 1);
      const height = pixelsHigh(pen) * random.range(0.8, 1.1);
      drawTree({ picture: pen.picture, random, light: random.range(0.5, 1.3) }, { x, y, height }, kind);
    }
  };
}

export const thingCategories: Record<string, CategoryPainter> = {
  star: symbol((random) => [star(0, 0, 1, random.range(0.35, 0.55), random.int(5, 7))]),
  heart: symbol(() => {
    const points = Array.from({ length: 36 }, (_, i) => {
      const t = (i / 36) * 2 * Math.PI;
      const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
      return [Math.sin(t) ** 3, -y / 16];
    });
    return [points.flat()];
  }),
  cross: symbol((random) => {
    const w = random.range(0.18, 0.34);
    return [[-w, -1, w, -1, w, -w, 1, -w, 1, w, w, w, w, 1, -w, 1, -w, w, -1, w, -1, -w, -w, -w]];
  }),
  arrow: symbol((random) => {
    const w = random.range(0.15, 0.3);
    return [[-1, -w, 0.15, -w, 0.15, -0.7, 1, 0, 0.15, 0.7, 0.15, w, -1, w]];
  }),
  gear: symbol((random) => [
    star(0, 0, 1, 0.78, random.int(8, 14)),
    ellipse(0, 0, random.range(0.25, 0.45), undefined, 24),
  ]),
  spiral: symbol((random) => {
    const turns = random.range(2, 3.5);
    const points = Array.from({ length: 71 }, (_, i) => polar(0, 0, i / 70, (i / 70) * turns * 6.283));
    return stroke(points.flat(), 0.14);
  }),
  crescent: symbol(() => {
    const arc = (cx: number, radius: number, from: number, turn: number) =>
      Array.from({ length: 29 }, (_, i) => polar(cx, 0, radius, from + (i / 28) * turn));
    return [[...arc(0, 1, 0.6, 5.08), ...arc(0.3, 0.76, 0.75, 4.78).toReversed()].flat()];
  }),
  flowerSign: symbol((random) => [
    rosette(0, 0, 1, random.range(0.35, 0.55), random.int(5, 9), random.range(0, 1)),
    ellipse(0, 0, 0.22, 0.22, 20),
  ]),

  conifer: tree('conifer'),
  palm: tree('palm'),
  broadleaf: tree('dense'),
  flower: (pen, random) => {
    const petals = random.int(5, 12);
    const color = anyColor(random);
    pen.fill(stroke([0, 0, random.range(-0.2, 0.2), 1.6], 0.08), [0.2, 0.42, 0.15]);
    for (let i = 0; i < petals; i++) {
      const a = (2 * Math.PI * i) / petals;
      const petal = place(ellipse(0, 0, 1, 1, 16), ...polar(0, 0, 0.5, a), 0.36, 0.2, a);
      pen.fill(petal, shade(color, random.range(0.8, 1.15)));
    }
    pen.fill(ellipse(0, 0, 0.26, 0.26, 24), random.chance(0.6) ? [0.85, 0.65, 0.12] : [0.25, 0.13, 0.06]);
  },
  cactus: (pen, random) => {
    const green = shade([0.25, 0.48, 0.25], random.range(0.7, 1.3));
    pen.fill(archedOpening(0, -0.9, 1, 0.4, 'round'), green);
    for (const side of [-1, 1]) {
      if (random.chance(0.15)) continue;
      const y = random.range(-0.2, 0.4);
      pen.fill(stroke([0, y, side * 0.45, y, side * 0.48, y - random.range(0.35, 0.7)], 0.22), shade(green, 0.9));
    }
    for (let i = 0; i < 30; i++)
      pen.fill(ellipse(random.range(-0.18, 0.18), random.range(-0.8, 0.95), 0.02, 0.03, 6), [0.9, 0.9, 0.8]);
    if (random.chance(0.5)) pen.fill(profile(0, 1.25, 0.4, 0.4, [0, 0.7, 1, 1]), [0.65, 0.3, 0.18]);
  },
  bush: (pen, random) => {
    const [x, y] = pen.at(0, 0.2);
    const h = pixelsHigh(pen);
    const stage = { picture: pen.picture, random, light: random.range(0.5, 1.3) };
    drawLeaves(stage, { cx: x, cy: y, rx: h * 0.45, ry: h * 0.3, count: 170 });
  },

  car: standing(drawCar, { foot: 0.6, height: [0.3, 0.42] }),
  bus: (pen, random) => {
    const body = anyColor(random);
    const length = random.range(1, 1.3);
    pen.fill(rectangle(-length, -0.55, 2 * length, 1), body);
    const windows = random.int(4, 7);
    for (let i = 0; i < windows; i++) {
      const left = -length * 0.93 + (i * 1.86 * length) / windows;
      pen.fill(rectangle(left, -0.42, (1.6 * length) / windows, 0.38), [0.2, 0.25, 0.32]);
    }
    pen.fill(rectangle(-length, 0.12, 2 * length, 0.08), shade(body, 0.5));
    for (const u of [-0.62, 0.62]) {
      pen.fill(ellipse(u * length, 0.47, 0.2, 0.2, 20), [0.08, 0.08, 0.08]);
      pen.fill(ellipse(u * length, 0.47, 0.09, 0.09, 16), [0.6, 0.6, 0.6]);
    }
  },
  sailboat: (pen, random) => {
    pen.fill(rectangle(-6, 0.75, 12, 6), [0.15, 0.32, 0.45]);
    pen.fill([-0.8, 0.5, 0.85, 0.5, 0.55, 0.88, -0.55, 0.88], anyColor(random));
    pen.fill(stroke([0, 0.5, 0, -1.05], 0.05), [0.35, 0.25, 0.15]);
    const sail = random.chance(0.6) ? ([0.95, 0.93, 0.88] as const) : anyColor(random);
    pen.fill([0.06, -1, 0.06, 0.38, random.range(0.5, 0.8), 0.38], sail);
    pen.fill([-0.06, -0.85, -0.06, 0.38, -random.range(0.35, 0.65), 0.38], shade(sail, 0.85));
  },
  aeroplane: (pen, random) => {
    const body = random.chance(0.6) ? ([0.9, 0.9, 0.92] as const) : anyColor(random);
    pen.fill([-1.1, -0.05, -0.8, -0.16, 0.7, -0.16, 1.1, 0.02, 0.7, 0.16, -0.8, 0.14], body);
    pen.fill([0.15, 0, -0.25, 0, -0.65, 0.8, -0.45, 0.8], shade(body, 0.75));
    pen.fill([0.1, -0.1, -0.2, -0.1, -0.5, -0.65, -0.35, -0.65], shade(body, 0.85));
    pen.fill([-0.75, -0.12, -1, -0.12, -1.15, -0.55, -1, -0.55], anyColor(random));
    for (let i = 0; i < 9; i++) pen.fill(ellipse(-0.5 + i * 0.13, -0.05, 0.03, 0.04, 8), [0.15, 0.2, 0.3]);
  },
  bicycle: (pen, random) => {
    const frame = anyColor(random);
    for (const u of [-0.6, 0.6]) {
      pen.fill([ellipse(u, 0.35, 0.48, 0.48, 36), ellipse(u, 0.35, 0.41, 0.41, 36)], [0.07, 0.07, 0.07]);
      for (let i = 0; i < 5; i++) {
        const a = (i * Math.PI) / 5;
        pen.fill(stroke([...polar(u, 0.35, -0.42, a), ...polar(u, 0.35, 0.42, a)], 0.018), [0.6, 0.6, 0.6]);
      }
    }
    pen.fill(stroke([-0.6, 0.35, -0.2, -0.3, 0.42, -0.3, 0, 0.35, -0.6, 0.35], 0.07), frame);
    pen.fill(stroke([0, 0.35, -0.25, -0.5], 0.07), frame);
    pen.fill(stroke([0.6, 0.35, 0.38, -0.55, 0.62, -0.62], 0.07), frame);
    pen.fill(ellipse(-0.27, -0.52, 0.2, 0.07, 14), [0.12, 0.08, 0.06]);
  },
  rocket: (pen, random) => {
    const body = random.chance(0.5) ? ([0.88, 0.88, 0.88] as const) : anyColor(random);
    const fin = anyColor(random);
    pen.fill(
      [1, -1].map((side) => place([-0.3, 0.6, -0.65, 0.95, -0.3, 0.1], 0, 0, side, 1)),
      fin,
    );
    pen.fill(archedOpening(0, -1, 0.75, 0.6, 'pointed'), body);
    pen.fill([-0.2, 0.75, 0.2, 0.75, 0, random.range(1.1, 1.4)], [0.95, 0.55, 0.1]);
    for (let i = 0; i < random.int(1, 3); i++)
      pen.fill(ellipse(0, -0.25 + i * 0.36, 0.13, 0.13, 18), [0.2, 0.35, 0.55]);
  },

  bottle: (pen, random) => {
    const color = anyColor(random);
    const neck = random.range(0.25, 0.4);
    const count = random.int(1, 3);
    for (let i = 0; i < count; i++) {
      const x = (i - (count - 1) / 2) * 0.75;
      pen.fill(profile(x, 1, 2, 0.34, [0, 1, 0.55, 1, 0.68, 0.9, 0.76, neck, 1, neck]), shade(color, 1 - i * 0.2));
      pen.fill(rectangle(x - 0.33, 0, 0.66, 0.5), [0.93, 0.9, 0.82]);
      pen.fill(star(x, 0.25, 0.18, 0.09, random.int(3, 8)), anyColor(random));
      pen.fill(rectangle(x - 0.34 * neck - 0.02, -1.02, 0.68 * neck + 0.04, 0.12), shade(color, 0.4));
    }
  },
  cup: (pen, random) => {
    const color = anyColor(random);
    const side = random.chance(0.5) ? 1 : -1;
    pen.fill([ellipse(side * 0.62, 0, 0.34, 0.4, 24), ellipse(side * 0.62, 0, 0.21, 0.26, 24)], shade(color, 0.85));
    pen.fill(profile(0, 0.8, 1.5, 0.62, [0, random.range(0.6, 0.95), 0.1, 0.98, 1, 1]), color);
    pen.fill(ellipse(0, -0.7, 0.62, 0.16, 28), shade(color, 1.15));
    pen.fill(ellipse(0, -0.69, 0.54, 0.12, 28), [0.25, 0.13, 0.06]);
    if (random.chance(0.6)) pen.fill(rectangle(-0.6, 0, 1.2, 0.22), anyColor(random));
  },
  chair: (pen, random) => {
    const wood = shade([0.5, 0.32, 0.18], random.range(0.5, 1.6));
    for (const u of [-0.5, 0.5]) {
      pen.fill(rectangle(u - 0.05, -1, 0.1, 2), wood);
      pen.fill(rectangle(u * 0.75 - 0.05, 0.2, 0.1, 0.65), shade(wood, 0.7));
    }
    pen.fill([-0.55, 0.12, 0.55, 0.12, 0.68, 0.32, -0.68, 0.32], random.chance(0.5) ? anyColor(random) : wood);
    const slats = random.int(2, 4);
    for (let i = 0; i < slats; i++) pen.fill(rectangle(-0.5, -0.92 + i * 0.25, 1, 0.12), shade(wood, 0.9));
  },
  clock: (pen, random) => {
    const rim = anyColor(random);
    pen.fill(ellipse(0, 0, 1, 1, 44), rim);
    pen.fill(ellipse(0, 0, 0.86, 0.86, 44), random.chance(0.8) ? [0.95, 0.94, 0.9] : [0.1, 0.1, 0.12]);
    for (let i = 0; i < 12; i++) {
      const a = (i * Math.PI) / 6;
      pen.fill(stroke([...polar(0, 0, 0.68, a), ...polar(0, 0, 0.8, a)], i % 3 === 0 ? 0.08 : 0.04), rim);
    }
    const [h, m] = [random.range(0, 6.28), random.range(0, 6.28)];
    pen.fill(stroke([0, 0, ...polar(0, 0, 0.45, h)], 0.09), shade(rim, 0.6));
    pen.fill(stroke([0, 0, ...polar(0, 0, 0.7, m)], 0.06), shade(rim, 0.6));
  },
  umbrella: (pen, random) => {
    const [a, b] = twoColors(random);
    const panels = random.int(4, 7);
    for (let i = 0; i < panels; i++) {
      const rib = (u: number) =>
        Array.from({ length: 7 }, (_, k) => {
          const t = (-1 + (2 * k) / 6 + 1) / 2;
          return [u * Math.sqrt(Math.max(0, 1 - t ** 2)), 0.05 - 0.9 * t];
        });
      const panel = [...rib(-1 + (2 * (i + 1)) / panels), ...rib(-1 + (2 * i) / panels).toReversed()];
      pen.fill(panel.flat(), i % 2 ? a : b);
    }
    pen.fill(stroke([0, -1, 0, 0.85, 0.1, 1, 0.24, 0.9], 0.06), [0.15, 0.12, 0.1]);
  },
  books: (pen, random) => {
    let x = -1;
    while (x < 0.95) {
      const w = random.range(0.12, 0.3);
      const h = random.range(1.2, 1.9);
      const color = anyColor(random);
      pen.fill(rectangle(x, 1 - h, w, h), color);
      pen.fill(rectangle(x + w * 0.2, 1 - h * 0.85, w * 0.6, h * 0.25), shade(color, random.chance(0.5) ? 1.6 : 0.5));
      pen.fill(rectangle(x, 1 - h * 0.2, w, 0.05), shade(color, 0.5));
      x += w + 0.015;
    }
    pen.fill(rectangle(-1.3, 1, 2.6, 0.14), [0.4, 0.26, 0.15]);
  },
  lamp: (pen, random) => {
    const color = anyColor(random);
    pen.fill(ellipse(0, 0.95, 0.45, 0.12, 24), shade(color, 0.5));
    pen.fill(profile(0, 0.95, 1.2, 0.12, [0, 1, 0.3, random.range(0.6, 1.8), 0.6, 0.5, 1, 0.5]), shade(color, 0.7));
    pen.fill(profile(0, 0, 0.95, 0.75, [0, 1, 1, random.range(0.35, 0.7)]), color);
    pen.fill(rectangle(-0.75, -0.08, 1.5, 0.08), shade(color, 0.6));
  },
  fish: (pen, random) => {
    const [a, b] = twoColors(random);
    pen.fill([0.55, 0, 1.1, -0.5, 1, 0, 1.1, 0.5], b);
    pen.fill([-0.1, -0.4, 0.25, -0.75, 0.4, -0.25], b);
    pen.fill(ellipse(-0.15, 0, 0.85, random.range(0.38, 0.55), 36), a);
    const bands = random.int(2, 5);
    for (let i = 0; i < bands; i++) pen.fill(ellipse(-0.2 + i * 0.2, 0, 0.05, 0.34 - i * 0.04, 16), b);
    pen.fill(ellipse(-0.68, -0.08, 0.1, 0.1, 16), [0.95, 0.95, 0.95]);
    pen.fill(ellipse(-0.7, -0.08, 0.05, 0.05, 12), [0.03, 0.03, 0.03]);
  },
  cat: (pen, random) => {
    const fur = anyColor(random);
    for (const s of [-1, 1]) {
      pen.fill([s * 0.75, -0.35, s * 0.72, -1.1, s * 0.18, -0.65], fur);
      pen.fill([s * 0.66, -0.5, s * 0.64, -0.92, s * 0.32, -0.66], [0.8, 0.55, 0.5]);
    }
    pen.fill(ellipse(0, 0, 0.86, 0.76, 40), fur);
    for (let i = 0; i < 3; i++)
      pen.fill([-0.12 + i * 0.12, -0.72, -0.06 + i * 0.12, -0.72, -0.03 + i * 0.09, -0.4], shade(fur, 0.5));
    const iris = anyColor(random);
    for (const s of [-1, 1]) {
      pen.fill(ellipse(s * 0.34, -0.12, 0.19, 0.16, 22), iris);
      pen.fill(ellipse(s * 0.34, -0.12, 0.05, 0.14, 14), [0.02, 0.02, 0.02]);
      for (let i = -1; i <= 1; i++)
        pen.fill(stroke([s * 0.22, 0.3 + i * 0.05, s * 0.95, 0.25 + i * 0.16], 0.02), [0.9, 0.9, 0.9]);
    }
    pen.fill([-0.1, 0.14, 0.1, 0.14, 0, 0.27], [0.75, 0.4, 0.42]);
    pen.fill(stroke([-0.2, 0.42, 0, 0.34, 0.2, 0.42], 0.04), shade(fur, 0.35));
  },
  person: standing(drawPerson, { foot: 1.1, height: [0.9, 1.2] }),
};
