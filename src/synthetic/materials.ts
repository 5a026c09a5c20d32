/** @file Surfaces of buildings: each is a Shader whose pattern is fixed by a seed, so no two walls share their stones. */
import { fractalNoise } from './noise.js';
import { cellRandom, hash, type Random } from './random.js';
import { mixColors, type Rgb, setColor, type Shader } from './relief.js';

export interface MaterialOptions {
  seed: number;
  base: Rgb;
  /** Joints, veins, second colour of bands and tiles. */
  accent: Rgb;
  /** Height of a course in px. */
  course: number;
  /** How much single stones differ in brightness, 0-1. */
  variety: number;
}

/** Brightness of large stains and fine grain at a pixel, around 1. */
function weather(seed: number, x: number, y: number): number {
  const ox = seed & 511;
  const oy = (seed >>> 9) & 511;
  const large = fractalNoise(x * 0.11 + ox, y * 0.075 + oy);
  const fine = fractalNoise(x * 1.7 + oy, y * 1.7 + ox);
  return 0.62 + 0.52 * large + 0.26 * fine;
}

/** Courses of blocks: joint width in px, block lengths between `lengths` courses. */
function masonry(
  { seed, base, accent, course, variety }: MaterialOptions,
  { lengths: [shortest, longest], joint }: { lengths: readonly [number, number]; joint: number },
): Shader {
  const pitch = course * (shortest + longest) * 0.5;
  return (x, y, out) => {
    const row = Math.floor(y / course);
    const shift = cellRandom(seed, row, 7) * pitch;
    // Irregular lengths: the boundary between neighbours is moved by a random amount.
    const slack = (longest - shortest) * course * 0.45;
    let column = Math.floor((x + shift) / pitch);
    const startOf = (block: number) => block * pitch + (cellRandom(seed, block, row) - 0.5) * slack;
    const px = x + shift;
    if (px < startOf(column)) column--;
    if (px >= startOf(column + 1)) column++;
    const [left, right] = [startOf(column), startOf(column + 1)];
    const dy = y - row * course;
    const edge = Math.min(px - left, right - px, dy, course - dy);
    const tone = cellRandom(seed ^ 0x51ed, column, row);
    const tint = cellRandom(seed ^ 0x7a31, column, row) - 0.5;
    const light = weather(seed, x, y) * (1 + variety * (tone - 0.55) * 1.5);
    const inJoint = edge < joint ? 1 - Math.max(0, edge) / joint : 0;
    const k = inJoint * 0.75;
    mixColors(out, base, accent, { share: k, light });
    out[0] *= 1 + tint * variety * 0.3;
    out[2] *= 1 - tint * variety * 0.3;
    out[3] = inJoint * -1.2 + tone * variety * 1.2;
  };
}

/** Irregular stones: cells of scattered points. */
function rubble({ seed, base, accent, course, variety }: MaterialOptions): Shader {
  const pitch = course * 1.3;
  return (x, y, out) => {
    const cx = Math.floor(x / pitch);
    const cy = Math.floor(y / pitch);
    let nearest = Infinity;
    let second = Infinity;
    let id = 0;
    for (let j = cy - 1; j <= cy + 1; j++) {
      for (let i = cx - 1; i <= cx + 1; i++) {
        const h = hash(hash(seed ^ Math.imul(i, 0x9e3779b1)) ^ Math.imul(j, 0x7feb352d));
        const dx = (i + (h & 1023) / 1024) * pitch - x;
        const dy = (j + ((h >>> 10) & 1023) / 1024) * pitch - y;
        const d = dx * dx + dy * dy;
        if (d < nearest) {
          second = nearest;
          nearest = d;
          id = h;
        } else if (d < second) second = d;
      }
    }
    const gap = Math.sqrt(second) - Math.sqrt(nearest);
    const tone = (id >>> 20) / 4096;
    const k = gap < 1.6 ? (1 - gap / 1.6) * 0.7 : 0;
    const light = weather(seed, x, y) * (1 + variety * (tone - 0.55) * 1.7);
    const tint = ((id & 255) / 255 - 0.5) * variety * 0.35;
    mixColors(out, base, accent, { share: k, light });
    out[0] *= 1 + tint;
    out[2] *= 1 - tint;
    out[3] = -k * 2 + tone * variety * 1.5;
  };
}

/** Plaster that has come off in places and shows the bricks below. */
function plaster(options: MaterialOptions): Shader {
  const { seed, base, accent } = options;
  const bricks = { ...options, base: accent, accent: [0.55, 0.5, 0.45] as const, course: options.course * 0.7 };
  const below = masonry({ ...bricks, variety: 0.5 }, { lengths: [1.6, 2.6], joint: 1.2 });
  const ox = (seed >>> 4) & 511;
  return (x, y, out) => {
    const bare = fractalNoise(x * 0.16 + ox, y * 0.16 - ox) + 0.2 * fractalNoise(x * 0.8, y * 0.8 + ox);
    if (bare > 0.86) {
      below(x, y, out);
      out[3] -= 1.5;
      return;
    }
    const stain = fractalNoise(x * 0.3 + ox, y * 0.04 + 90);
    const light = weather(seed, x, y) * (0.82 + 0.3 * stain);
    setColor(out, base, light);
    out[2] *= 0.94 + 0.1 * stain;
    out[3] = 0;
  };
}

function marble({ seed, base, accent, course }: MaterialOptions): Shader {
  const ox = seed & 511;
  const oy = (seed >>> 12) & 511;
  return (x, y, out) => {
    const bend = fractalNoise(x * 0.18 + ox, y * 0.18 + oy) * 60;
    const vein = Math.abs((((x * 0.6 + y + bend * 2) / 23) % 2) - 1);
    const second = Math.abs((((x - y * 0.7 + bend * 3) / 37) % 2) - 1);
    const k = Math.max(0, 1 - Math.min(vein, second) * 9) * 0.45 * fractalNoise(x * 0.3 + oy, y * 0.3 + ox);
    const slabX = x / (course * 4);
    const slabY = y / (course * 2.5);
    const joint = slabX - Math.floor(slabX) < 0.02 || slabY - Math.floor(slabY) < 0.03 ? 0.25 : 0;
    const slab = cellRandom(seed, Math.floor(slabX), Math.floor(slabY)) * 0.12;
    const light = (0.78 + 0.3 * fractalNoise(x * 0.09 + oy, y * 0.09 + ox) - slab) * (1 - joint);
    mixColors(out, base, accent, { share: k, light });
    out[3] = joint * -2;
  };
}

/** Two colours of stone in turn, some courses thicker. */
function banded(options: MaterialOptions): Shader {
  const { seed, base, accent } = options;
  const blocks = { lengths: [2, 3.5], joint: 1 } as const;
  const light = masonry(options, blocks);
  const dark = masonry({ ...options, base: accent, accent: base, seed: seed ^ 0x77 }, blocks);
  return (x, y, out) => {
    const row = Math.floor(y / options.course);
    const every = 3 + (options.seed % 3);
    const use = row % every === 0 || cellRandom(options.seed, row, 3) > 0.85 ? dark : light;
    use(x, y, out);
  };
}

/** Glazed tiles with a small random motif on each. */
function tile({ seed, base, accent, course }: MaterialOptions): Shader {
  const pitch = course * 1.5;
  return (x, y, out) => {
    const cx = Math.floor(x / pitch);
    const cy = Math.floor(y / pitch);
    const u = x / pitch - cx - 0.5;
    const v = y / pitch - cy - 0.5;
    const kind = hash(hash(seed ^ Math.imul(cx, 0x9e3779b1)) ^ Math.imul(cy, 0x7feb352d));
    const d = kind & 1 ? Math.abs(u) + Math.abs(v) : Math.hypot(u, v);
    const radius = 0.16 + ((kind >>> 4) & 15) / 64;
    const inside = kind & 2 ? d < radius : Math.abs(d - radius) < 0.09;
    const joint = Math.max(Math.abs(u), Math.abs(v)) > 0.47;
    const light = weather(seed, x, y) * (0.85 + ((kind >>> 8) & 255) / 900) * (joint ? 0.75 : 1);
    setColor(out, inside ? accent : base, light);
    out[3] = joint ? -0.8 : 0;
  };
}

function wood({ seed, base, accent, course }: MaterialOptions): Shader {
  const pitch = course * 1.1;
  return (x, y, out) => {
    const board = Math.floor(x / pitch);
    const u = x / pitch - board;
    const rings = fractalNoise(x * 1.1 + board * 37, y * 0.12 + (seed & 511));
    const k = rings * 0.7;
    const light =
      (0.75 + 0.4 * cellRandom(seed, board, 0)) * (u < 0.08 ? 0.55 : 1) * (0.8 + 0.3 * fractalNoise(x * 0.1, y * 0.1));
    mixColors(out, base, accent, { share: k, light });
    out[3] = u < 0.08 ? -1.5 : 0;
  };
}

const shaders = {
  brick: (options) => masonry({ ...options, course: options.course * 0.62 }, { lengths: [2, 2.8], joint: 1.1 }),
  ashlar: (options) => masonry(options, { lengths: [1.2, 3.4], joint: 0.9 }),
  rubble,
  plaster,
  marble,
  banded,
  tile,
  wood,
} satisfies Record<string, (options: MaterialOptions) => Shader>;
export type MaterialKind = keyof typeof shaders;

/** The shader of a material. */
export function material(kind: MaterialKind, options: MaterialOptions): Shader {
  return shaders[kind](options);
}

/** A colour moved a little at random, channels 0-1. */
export function vary(random: Random, color: Rgb, amount: number): Rgb {
  const light = 1 + random.normal() * amount;
  const shift = () => light * (1 + random.normal() * amount * 0.5);
  return [clamp(color[0] * shift()), clamp(color[1] * shift()), clamp(color[2] * shift())];
}

/** A colour made lighter (factor > 1) or darker. */
export function shade(color: Rgb, factor: number): Rgb {
  return [clamp(color[0] * factor), clamp(color[1] * factor), clamp(color[2] * factor)];
}

function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}
