/** @file Surfaces and patterns that fill a picture: one function per category. */
import { type MaterialKind, material, vary } from './materials.js';
import { fractalNoise } from './noise.js';
import type { Pen } from './pen.js';
import { cellRandom, hash, type Random } from './random.js';
import type { Rgb } from './relief.js';

export type CategoryPainter = (pen: Pen, random: Random) => void;

function colorBetween(random: Random, low: number, high: number): Rgb {
  return [random.range(low, high), random.range(low, high), random.range(low, high)];
}

export function anyColor(random: Random): Rgb {
  return colorBetween(random, 0.08, 0.95);
}

/** Two colours that differ clearly in brightness. */
export function twoColors(random: Random): [Rgb, Rgb] {
  const dark = vary(random, colorBetween(random, 0.05, 0.4), 0.1);
  const light = vary(random, colorBetween(random, 0.5, 0.95), 0.05);
  return random.chance(0.5) ? [dark, light] : [light, dark];
}

function surface(kind: MaterialKind): CategoryPainter {
  return (pen, random) => {
    const [accent, base] = twoColors(random);
    const shader = material(kind, {
      seed: random.fork('material').seed,
      base,
      accent,
      course: random.range(9, 16),
      variety: random.range(0.2, 0.7),
    });
    const zoom = random.range(40, 75);
    pen.cover((u, v, out) => {
      shader(Math.floor(u * zoom + 500), Math.floor(v * zoom + 500), out);
      for (let c = 0; c < 3; c++) out[c] *= 1 + out[3] * 0.12;
    });
  };
}

/** A pattern of two colours: `mask(u, v, random numbers)` tells which, 0-1; wear and single cells vary. */
function pattern(draw: (random: Random) => (u: number, v: number) => number): CategoryPainter {
  return (pen, random) => {
    const [a, b] = twoColors(random);
    const mask = draw(random);
    const ox = random.range(0, 500);
    const wear = random.range(0.05, 0.4);
    pen.cover((u, v, out) => {
      const k = Math.max(0, Math.min(1, mask(u, v)));
      const light = 1 - wear + 2 * wear * fractalNoise(u * 30 + ox, v * 30 - ox);
      for (let c = 0; c < 3; c++) out[c] = (a[c] + (b[c] - a[c]) * k) * light;
    });
  };
}

function fractionalPart(x: number): number {
  return x - Math.floor(x);
}

/** Distances to the nearest and second nearest of one random point per cell, and the nearest's hash. */
function scatter(seed: number, x: number, y: number): [number, number, number] {
  let nearest = 9;
  let second = 9;
  let id = 0;
  for (let j = Math.floor(y) - 1; j <= Math.floor(y) + 1; j++) {
    for (let i = Math.floor(x) - 1; i <= Math.floor(x) + 1; i++) {
      const h = hash(hash(seed ^ Math.imul(i, 0x9e3779b1)) ^ Math.imul(j, 0x7feb352d));
      const d = Math.hypot(i + (h & 1023) / 1024 - x, j + ((h >>> 10) & 1023) / 1024 - y);
      if (d < nearest) {
        second = nearest;
        nearest = d;
        id = h;
      } else if (d < second) second = d;
    }
  }
  return [nearest, second, id];
}

export const textureCategories: Record<string, CategoryPainter> = {
  brick: surface('brick'),
  ashlar: surface('ashlar'),
  rubble: surface('rubble'),
  marble: surface('marble'),
  planks: surface('wood'),
  tiles: surface('tile'),
  checker: pattern((random) => {
    const n = random.range(3, 7);
    return (u, v) => (Math.floor(u * n) + Math.floor(v * n)) & 1;
  }),
  stripes: pattern((random) => {
    const n = random.range(3, 9);
    const share = random.range(0.3, 0.7);
    return (u) => (fractionalPart(u * n) < share ? 1 : 0);
  }),
  waves: pattern((random) => {
    const n = random.range(3, 8);
    const bend = random.range(0.06, 0.16);
    const length = random.range(3, 9);
    return (u, v) => (fractionalPart((v + bend * Math.sin(u * length)) * n) < 0.5 ? 1 : 0);
  }),
  dots: pattern((random) => {
    const n = random.range(3, 7);
    const r = random.range(0.2, 0.38);
    return (u, v) => {
      const shift = Math.floor(v * n) & 1 ? 0.5 : 0;
      return Math.hypot(fractionalPart(u * n + shift) - 0.5, fractionalPart(v * n) - 0.5) < r ? 1 : 0;
    };
  }),
  hexagons: pattern((random) => {
    const n = random.range(3, 6);
    const gap = random.range(0.04, 0.12);
    return (u, v) => {
      const x = u * n;
      const y = (v * n) / 0.866;
      const near = (row: number): number => {
        const column = Math.round(x - (row & 1 ? 0.5 : 0)) + (row & 1 ? 0.5 : 0);
        return Math.hypot(x - column, (y - row) * 0.866);
      };
      const row = Math.floor(y);
      const distances = [near(row), near(row + 1)].sort((a, b) => a - b);
      return distances[1] - distances[0] < gap * 2 ? 1 : distances[0] < 0.12 ? 0.5 : 0;
    };
  }),
  herringbone: pattern((random) => {
    const n = random.range(4, 8);
    return (u, v) => {
      const x = u * n;
      const band = Math.floor(x);
      const y = v * n * 1.4 + (band & 1 ? fractionalPart(x) : 1 - fractionalPart(x)) * 1.2;
      return fractionalPart(y) < 0.12 || fractionalPart(x) < 0.06
        ? 1
        : 0.25 * cellRandom(random.seed, band, Math.floor(y));
    };
  }),
  scales: pattern((random) => {
    const n = random.range(3, 6);
    return (u, v) => {
      const row = Math.floor(v * n * 1.6);
      const x = fractionalPart(u * n + (row & 1 ? 0.5 : 0)) - 0.5;
      const y = fractionalPart(v * n * 1.6);
      const d = Math.hypot(x, y * 0.62);
      return d > 0.48 ? 1 : d * 0.9;
    };
  }),
  basket: pattern((random) => {
    const n = random.range(2.5, 5);
    return (u, v) => {
      const across = (Math.floor(u * n) + Math.floor(v * n)) & 1;
      const t = fractionalPart((across ? u : v) * n * 3);
      return t < 0.2 ? 1 : 0.35 * Math.abs(t - 0.6);
    };
  }),
  triangles: pattern((random) => {
    const n = random.range(2.5, 6);
    return (u, v) => {
      const row = Math.floor(v * n);
      const x = fractionalPart(u * n + (row & 1 ? 0.5 : 0));
      return fractionalPart(v * n) > Math.abs(2 * x - 1) ? 1 : 0;
    };
  }),
  plaid: pattern((random) => {
    const n = random.range(2, 4);
    const w = [random.range(0.1, 0.3), random.range(0.5, 0.65), random.range(0.7, 0.8)];
    const line = (t: number) => (t < w[0] ? 0.5 : t > w[1] && t < w[2] ? 0.35 : 0);
    return (u, v) => line(fractionalPart(u * n)) + line(fractionalPart(v * n));
  }),
  zigzag: pattern((random) => {
    const n = random.range(3, 7);
    const m = random.range(3, 7);
    return (u, v) => (fractionalPart(v * n + Math.abs(fractionalPart(u * m) - 0.5)) < 0.5 ? 1 : 0);
  }),
  rings: pattern((random) => {
    const n = random.range(3, 8);
    return (u, v) => (fractionalPart(Math.hypot(u, v) * n) < 0.5 ? 1 : 0);
  }),
  spots: pattern((random) => {
    const n = random.range(3, 6);
    return (u, v) => {
      const [d, , id] = scatter(random.seed, u * n, v * n);
      const r = 0.2 + (id >>> 24) / 1000;
      return d < r ? (d < r * 0.55 ? 0.4 : 1) : 0;
    };
  }),
  cracks: pattern((random) => {
    const n = random.range(2.5, 5.5);
    return (u, v) => {
      const [d, e, id] = scatter(random.seed, u * n + 0.3 * fractalNoise(u * 20, v * 20), v * n);
      return e - d < 0.07 ? 1 : (id >>> 24) / 900;
    };
  }),
  clouds: pattern((random) => {
    const n = random.range(5, 12);
    const o = random.range(0, 500);
    return (u, v) => (fractalNoise(u * n + o, v * n * 1.6) - 0.35) * 2.2;
  }),
  grass: pattern((random) => {
    const n = random.range(12, 26);
    const o = random.range(0, 500);
    return (u, v) => {
      const lean = fractalNoise(u * 4 + o, v * 2) * 0.8;
      return (
        fractalNoise((u + lean * v * 0.4) * n * 4 + o, v * n * 0.5 + cellRandom(3, Math.floor(u * n * 4), 0) * 40) *
          1.6 -
        0.3
      );
    };
  }),
};
