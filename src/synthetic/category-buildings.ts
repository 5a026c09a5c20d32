/** @file Plain buildings that no landmark plan resembles: one function per category. */
import { anyColor, type CategoryPainter } from './category-textures.js';
import { type MaterialKind, material, shade } from './materials.js';
import { archedOpening, ellipse, profile, rectangle, regularPolygon, stroke } from './paths.js';
import type { Random } from './random.js';
import { type Rgb, setColor, type Shader } from './relief.js';

const glass: Rgb = [0.18, 0.22, 0.28];

/** A wall of some material, as a shader of the plane. */
function wall(
  random: Random,
  kinds: readonly MaterialKind[] = ['brick', 'ashlar', 'plaster', 'wood', 'rubble'],
): Shader {
  const base = anyColor(random);
  const shader = material(random.pick(kinds), {
    seed: random.fork('wall').seed,
    base,
    accent: shade(base, 0.5),
    course: random.range(5, 9),
    variety: random.range(0.2, 0.6),
  });
  return (u, v, out) => shader(Math.floor(u * 70 + 400), Math.floor(v * 70 + 400), out);
}

export const buildingCategories: Record<string, CategoryPainter> = {
  house: (pen, random) => {
    pen.fill(rectangle(-0.85, -0.15, 1.7, 1.15), wall(random));
    pen.fill([-1, -0.15, 0, random.range(-0.95, -0.65), 1, -0.15], wall(random, ['tile', 'brick']));
    for (const u of [-0.55, 0.25]) pen.fill(rectangle(u, 0.1, 0.3, 0.34), glass);
    pen.fill(rectangle(-0.15, 0.4, 0.3, 0.6), anyColor(random));
    if (random.chance(0.6)) pen.fill(rectangle(0.45, -0.85, 0.16, 0.5), [0.45, 0.25, 0.2]);
  },
  barn: (pen, random) => {
    pen.fill([-0.9, 1, -0.9, -0.2, -0.6, -0.65, 0, -0.95, 0.6, -0.65, 0.9, -0.2, 0.9, 1], wall(random, ['wood']));
    const white: Rgb = [0.9, 0.9, 0.86];
    pen.fill(stroke([-0.95, -0.18, -0.62, -0.68, 0, -1, 0.62, -0.68, 0.95, -0.18], 0.09), white);
    pen.fill(stroke([-0.4, 1, -0.4, 0.2, 0.4, 0.2, 0.4, 1, -0.4, 0.2], 0.06), white);
    pen.fill(rectangle(-0.14, -0.55, 0.28, 0.28), glass);
  },
  lighthouse: (pen, random) => {
    const [a, b] = [anyColor(random), [0.93, 0.92, 0.9] as Rgb];
    const bands = random.int(3, 7);
    for (let i = 0; i < bands; i++) {
      const y0 = 1 - (1.5 * i) / bands;
      const y1 = 1 - (1.5 * (i + 1)) / bands;
      const half = (y: number) => 0.28 + 0.16 * ((y + 0.5) / 1.5);
      pen.fill([-half(y0), y0, half(y0), y0, half(y1), y1, -half(y1), y1], i % 2 ? a : b);
    }
    pen.fill(rectangle(-0.36, -0.58, 0.72, 0.08), [0.2, 0.2, 0.2]);
    pen.fill(rectangle(-0.2, -0.85, 0.4, 0.28), [0.95, 0.85, 0.5]);
    pen.fill([-0.28, -0.85, 0.28, -0.85, 0, -1.15], a);
  },
  windmill: (pen, random) => {
    pen.fill([-0.5, 1, 0.5, 1, 0.3, -0.2, -0.3, -0.2], wall(random));
    pen.fill(archedOpening(0, -0.5, -0.18, 0.66, 'round'), shade(anyColor(random), 0.6));
    const turn = random.range(0, 1.57);
    const cloth = anyColor(random);
    for (let i = 0; i < 4; i++) {
      const a = turn + (i * Math.PI) / 2;
      const [c, s] = [Math.cos(a), Math.sin(a)];
      pen.fill(
        [
          c * 0.2 - s * 0.02,
          -0.25 + s * 0.2 + c * 0.02,
          c * 1.05,
          -0.25 + s * 1.05,
          c * 1.05 - s * 0.24,
          -0.25 + s * 1.05 + c * 0.24,
          c * 0.2 - s * 0.24,
          -0.25 + s * 0.2 + c * 0.24,
        ],
        cloth,
        0.8,
      );
      pen.fill(stroke([0, -0.25, c * 1.1, -0.25 + s * 1.1], 0.05), [0.25, 0.17, 0.1]);
    }
  },
  skyscraper: (pen, random) => {
    const count = random.int(1, 3);
    for (let k = 0; k < count; k++) {
      const w = random.range(0.3, 0.5);
      const x = count === 1 ? 0 : -0.8 + (1.6 * k) / (count - 1);
      const top = random.range(-1.3, -0.5);
      const frame = anyColor(random);
      const nx = random.int(4, 8);
      const ny = random.int(9, 18);
      const tint = shade(glass, random.range(0.7, 2.5));
      pen.fill(rectangle(x - w, top, 2 * w, 2.4), (u, v, out) => {
        const fx = (((u - x) / w) * nx) / 2;
        const fy = ((v - top) / 2.4) * ny;
        const pane = fx - Math.floor(fx) > 0.22 && fy - Math.floor(fy) > 0.3;
        setColor(out, pane ? tint : frame);
      });
    }
  },
  pagoda: (pen, random) => {
    const tiers = random.int(3, 6);
    const roofColor = anyColor(random);
    const body = anyColor(random);
    for (let i = 0; i < tiers; i++) {
      const base = 1 - (1.75 * i) / tiers;
      const h = 1.75 / tiers;
      const half = 0.62 * (1 - (0.55 * i) / tiers);
      pen.fill(rectangle(-half, base - h, half * 2, h), body);
      pen.fill(rectangle(-half * 0.3, base - h * 0.55, half * 0.6, h * 0.55), glass);
      pen.fill(
        [
          -half * 1.65,
          base - h * 0.72,
          -half * 1.25,
          base - h * 0.72,
          -half,
          base - h * 0.8,
          half,
          base - h * 0.8,
          half * 1.25,
          base - h * 0.72,
          half * 1.65,
          base - h * 0.72,
          half * 1.1,
          base - h * 1.02,
          -half * 1.1,
          base - h * 1.02,
        ],
        roofColor,
      );
    }
    pen.fill(rectangle(-0.03, -1.1, 0.06, 0.4), [0.8, 0.65, 0.25]);
  },
  bridge: (pen, random) => {
    const stone = wall(random, ['ashlar', 'rubble', 'brick']);
    const arches = random.int(2, 5);
    const width = 3 / arches;
    pen.fill(
      [
        rectangle(-1.5, -0.35, 3, 1.1),
        ...Array.from({ length: arches }, (_, i) =>
          archedOpening(-1.5 + (i + 0.5) * width, -0.08, 0.8, width * 0.76, 'round'),
        ),
      ],
      stone,
    );
    pen.fill(rectangle(-1.6, -0.48, 3.2, 0.14), [0.5, 0.48, 0.44]);
    pen.fill(rectangle(-6, 0.75, 12, 5), [0.14, 0.28, 0.36]);
  },
  tent: (pen, random) => {
    const [a, b] = [anyColor(random), anyColor(random)];
    const panels = random.int(4, 8);
    for (let i = 0; i < panels; i++) {
      const [u0, u1] = [-1 + (2 * i) / panels, -1 + (2 * (i + 1)) / panels];
      pen.fill([u0, 0.9, u1, 0.9, u1 * 0.8, 0, u0 * 0.8, 0], i % 2 ? a : b);
      pen.fill([u0 * 0.95, 0.05, u1 * 0.95, 0.05, 0, -0.9], i % 2 ? b : a);
    }
    pen.fill(stroke([0, -0.9, 0, -1.2], 0.04), [0.3, 0.2, 0.1]);
  },
  igloo: (pen, random) => {
    const white = shade([0.85, 0.9, 0.96], random.range(0.8, 1.1));
    pen.fill(rectangle(-6, 0.7, 12, 6), [0.88, 0.9, 0.93]);
    const rows = random.int(4, 6);
    for (let j = 0; j < rows; j++) {
      const y0 = 0.75 - (1.3 * j) / rows;
      const y1 = 0.75 - (1.3 * (j + 1)) / rows;
      const half = (y: number) => Math.sqrt(Math.max(0.02, 1 - ((0.75 - y) / 1.35) ** 2));
      const blocks = 7 - Math.floor(j * 0.8);
      for (let i = 0; i < blocks; i++) {
        const [p, q] = [-1 + (2 * i) / blocks + 0.015, -1 + (2 * (i + 1)) / blocks - 0.015];
        pen.fill(
          [p * half(y0), y0 - 0.02, q * half(y0), y0 - 0.02, q * half(y1), y1, p * half(y1), y1],
          shade(white, random.range(0.85, 1.05)),
        );
      }
    }
    pen.fill(archedOpening(0.1, 0.1, 0.78, 0.6, 'round'), shade(white, 0.8));
    pen.fill(archedOpening(0.1, 0.25, 0.78, 0.36, 'round'), [0.08, 0.1, 0.14]);
  },
  silo: (pen, random) => {
    const count = random.int(1, 3);
    for (let i = 0; i < count; i++) {
      const x = (i - (count - 1) / 2) * 0.75;
      const metal = shade([0.65, 0.67, 0.68], random.range(0.6, 1.2));
      const top = random.range(-0.8, -0.3);
      const hoops = random.int(5, 11);
      pen.fill(rectangle(x - 0.34, top, 0.68, 1 - top), (u, v, out) => {
        const k = Math.sqrt(Math.max(0.05, 1 - ((u - x) / 0.36) ** 2)) * ((v * hoops) % 1 > 0.85 ? 0.7 : 1);
        setColor(out, metal, k);
      });
      pen.fill(
        profile(x, top, 0.32, 0.36, [0, 1, 0.5, 0.85, 1, 0.1]),
        random.chance(0.5) ? shade(metal, 0.7) : anyColor(random),
      );
      pen.fill(regularPolygon(x, top + 0.3, 0.09, 6), glass);
      pen.fill(ellipse(x, top - 0.33, 0.05, 0.05, 10), metal);
    }
  },
};
