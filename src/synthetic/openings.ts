/** @file Windows, doors and niches: a moulded frame, a recess and what is seen in it. */
import { shade } from './materials.js';
import type { Upright } from './mouldings.js';
import { fractalNoise } from './noise.js';
import { drawFigure, drawOrnament } from './ornaments.js';
import { archedOpening, ellipse, polar, rectangle, regularPolygon, rosette, stroke } from './paths.js';
import type { Polygon, Shape } from './rasterize.js';
import { palette, type Rgb, setColor, type Shader } from './relief.js';
import { type Site, toneColor } from './site.js';
import type { GlazingKind } from './style.js';

/** The frame that runs around an opening of the style's windows, `margin` px wide. */
function drawFrame({ board, trim, style }: Site, { cx, top, bottom, width, level }: Upright, margin: number): void {
  const outline = (share: number) =>
    archedOpening(cx, top - margin * share, bottom, width + 2 * share * margin, style.window);
  board.fill(outline(1), trim, { relief: level + margin * 0.7 });
  board.fill(outline(0.4), undefined, { relief: level + margin * 0.2 });
}

/** What a window's bars and panes are drawn with. */
interface Pane extends Upright {
  site: Site;
  height: number;
  inner: Polygon;
  /** Light behind it at night, 0-1. */
  lit: number;
  /** Width of a bar, px. */
  thick: number;
  bar: (shape: Shape, color?: Rgb) => void;
}

const glaze: Record<GlazingKind, (pane: Pane) => void> = {
  bars({ site: { random }, cx, top, width, height, thick, bar }) {
    const rows = random.int(2, 4);
    const columns = random.int(1, 2);
    for (let i = 1; i <= columns; i++)
      bar(rectangle(cx - width / 2 + (width * i) / (columns + 1) - thick / 2, top, thick, height));
    for (let j = 1; j <= rows; j++)
      bar(rectangle(cx - width / 2, top + (height * j) / (rows + 1) - thick / 2, width, thick));
  },
  tracery({ site, cx, top, bottom, width, height, thick, bar }) {
    bar(rectangle(cx - thick / 2, top, thick, height));
    const ring = width * site.random.range(0.2, 0.3);
    const [petals, turn] = [site.random.int(3, 6), site.random.range(0, 2)];
    const leaf = rosette(cx, top + width * 0.45, ring * 0.85, ring * 0.4, petals, turn);
    bar([ellipse(cx, top + width * 0.45, ring), leaf], toneColor(0.95, site));
    for (const side of [-1, 1]) {
      const lancet = (inset: number) =>
        archedOpening(
          cx + side * width * 0.25,
          top + height * 0.38 + inset,
          bottom,
          width * 0.46 - 2 * inset,
          'pointed',
        );
      bar([lancet(0), lancet(thick)]);
    }
  },
  shutters({ site: { board, random, style, accent }, cx, top, width, height, level }) {
    const color = shade(accent, random.range(0.75, 1.25));
    const open = random.range(0.1, 0.5);
    for (const side of [-1, 1]) {
      const w = width * (0.5 - open * 0.4 * random.range(0.5, 1));
      const x = side < 0 ? cx - width / 2 : cx + width / 2 - w;
      const slat = Math.max(2.4, height / 16);
      const louvre: Shader = (_x, y, out) => {
        const k = (y % slat) / slat < 0.35 ? 0.55 : 1;
        setColor(out, color, k);
        out[3] = k < 1 ? -0.8 : 0;
      };
      const drop = style.window === 'flat' ? 0 : width * 0.3;
      board.fill(rectangle(x, top + drop, w, height - drop), louvre, { relief: level, solid: false });
    }
  },
  lattice({ site, inner, width, level, lit }) {
    const step = Math.max(4, width / site.random.int(3, 5));
    const offset = site.random.range(0, step);
    const color = toneColor(site.random.range(0.75, 1), site);
    const cell: Shader = (x, y, out) => {
      const a = (((x + y + offset) % step) + step) % step;
      const b = (((x - y + offset) % step) + step) % step;
      const on = a < step * 0.3 || b < step * 0.3;
      setColor(out, color, on ? 1 : 0.12);
      out[3] = on ? width * 0.08 : 0;
    };
    site.board.fill(inner, cell, { relief: level - width * 0.2, solid: false, glow: lit * 0.5 });
  },
  curtain({ site: { board, random }, cx, top, width, height, level, thick, bar }) {
    const color: Rgb = [random.range(0.5, 0.95), random.range(0.4, 0.9), random.range(0.35, 0.85)];
    const cloth = rectangle(cx - width * 0.42, top + height * 0.1, width * 0.84, height * random.range(0.2, 0.75));
    board.fill(cloth, color, { relief: level - width * 0.2, solid: false, opacity: 0.8 });
    bar(rectangle(cx - thick / 2, top, thick, height));
  },
  dark: () => undefined,
};

/** A window; the sill is at `bottom`. `glazing`: the style's if left out. */
export function drawWindow(site: Site, opening: Upright & { glazing?: GlazingKind }): void {
  const { board, random, style, trim, trimColor, accent } = site;
  const { cx, top, bottom, width, level, glazing = style.glazing } = opening;
  const margin = Math.max(2, width * 0.13);
  drawFrame(site, opening, margin);
  const sill = rectangle(cx - width / 2 - margin * 1.4, bottom, width + margin * 2.8, margin * 0.8);
  board.fill(sill, trim, { relief: level + margin });
  const inner = archedOpening(cx, top, bottom, width, style.window);
  const lit = random.chance(0.6) ? random.range(0.4, 1) : 0;
  const tone = random.range(0.08, 0.24);
  const ox = random.range(0, 400);
  const glass: Shader = (x, y, out) => {
    const sheen = fractalNoise(x * 0.25 + ox, y * 0.25) * 0.22;
    out[0] = tone * 0.8 + sheen * 0.7;
    out[1] = tone * 0.9 + sheen * 0.9;
    out[2] = tone + sheen;
  };
  board.fill(inner, glass, { relief: level - width * 0.22, glow: lit });
  const thick = Math.max(1.2, width * 0.05);
  const barColor = random.chance(0.5)
    ? shade(trimColor, random.range(0.7, 1.1))
    : shade(accent, random.range(0.8, 1.2));
  const bar: Pane['bar'] = (shape, color = barColor) =>
    board.fill(shape, color, { relief: level - width * 0.12, solid: false });
  glaze[glazing]({ site, cx, top, bottom, width, level, height: bottom - top, inner, lit, thick, bar });
}

/** A portal of `orders` receding frames around double doors or a dark passage, some with a carved tympanum. */
export function drawPortal(site: Site, { cx, top, bottom, width, level, orders }: Upright & { orders: number }): void {
  const { board, random, trim, accent } = site;
  const shape = site.style.portal;
  const step = width * 0.07;
  let w = width;
  let t = top;
  for (let i = 0; i < orders; i++) {
    const tone = toneColor(i % 2 ? 0.82 : 1.02, site);
    const relief = level + step * (orders * 0.4 - i);
    board.fill(archedOpening(cx, t, bottom, w, shape), i % 2 ? tone : trim, { relief });
    if (i === 0 && random.chance(0.7)) {
      // Carved blocks along the outer arch.
      const count = random.int(9, 17);
      for (let j = 0; j < count; j++) {
        const [x, y] = polar(cx, t + w / 2, w / 2 - step * 0.5, Math.PI * (1 + (j + 0.5) / count));
        const box = [x - step * 0.45, y - step * 0.45, step * 0.9, step * 0.9] as const;
        drawOrnament(site, box, { depth: 1.5, ground: shade(tone, 0.7), figure: tone });
      }
    }
    w -= 2 * step;
    t += step;
  }
  const passage: Shader = (x, y, out) => {
    const k = 0.05 + 0.1 * fractalNoise(x * 0.2, y * 0.2) + 0.1 * Math.max(0, (y - t) / (bottom - t) - 0.6);
    out[0] = k * 1.1;
    out[1] = k;
    out[2] = k * 0.9;
  };
  board.fill(archedOpening(cx, t, bottom, w, shape), passage, { relief: level - width * 0.25, glow: 0.35 });
  const lintel = t + (bottom - t) * (shape === 'flat' ? 0.12 : 0.36);
  if (random.chance(0.8)) {
    // Tympanum: the field above the door leaves.
    const field = archedOpening(cx, t, lintel, w, shape);
    board.fill(field, toneColor(0.9, site), { relief: level - width * 0.1, glow: 0.15, solid: false });
    const figures = random.int(1, 4);
    for (let i = 0; i < figures; i++) {
      const height = (lintel - t) * random.range(0.5, 0.72);
      const standing = { cx: cx + ((i + 0.5) / figures - 0.5) * w * 0.6, bottom: lintel - 1, height };
      drawFigure(site, { ...standing, depth: level - width * 0.06 }, random.range(0.7, 1.15));
    }
    const beam = rectangle(cx - w / 2, lintel - step * 0.3, w, step * 0.7);
    board.fill(beam, trim, { relief: level - width * 0.05, solid: false });
  }
  if (!random.chance(0.75)) return;
  const leaf = shade(accent, random.range(0.5, 0.9));
  for (const side of [-1, 1]) {
    const x = side < 0 ? cx - w / 2 : cx + 1;
    const door = rectangle(x, lintel + step * 0.4, w / 2 - 1, bottom - lintel);
    board.fill(door, leaf, { relief: level - width * 0.18, solid: false });
    const panels = random.int(2, 4);
    const h = (bottom - lintel - step) / panels;
    const colors = { ground: shade(leaf, 0.6), figure: shade(leaf, 1.5), accent: site.trimColor };
    for (let i = 0; i < panels; i++) {
      const panel = [x + w * 0.06, lintel + step * 0.6 + i * h, w * 0.38, h * 0.84] as const;
      drawOrnament(site, panel, { depth: 1.5, ...colors });
    }
  }
}

/** A blind niche with a statue or a relief. */
export function drawNiche(site: Site, opening: Upright): void {
  const { board, random, style, trimColor, accent } = site;
  const { cx, top, bottom, width, level } = opening;
  drawFrame(site, opening, Math.max(2, width * 0.1));
  const ground = shade(random.chance(0.4) ? accent : trimColor, random.range(0.45, 0.75));
  const relief = (x: number) => level - width * 0.3 * Math.sqrt(Math.max(0, 1 - ((2 * (x - cx)) / width) ** 2));
  board.fill(archedOpening(cx, top, bottom, width, style.window), ground, { relief, glow: 0.2 });
  if (random.chance(0.65)) {
    const height = (bottom - top) * random.range(0.72, 0.9);
    drawFigure(site, { cx, bottom, height, depth: level - width * 0.1 }, random.range(0.8, 1.15));
    return;
  }
  const box = [cx - width * 0.42, top + (bottom - top) * 0.25, width * 0.84, (bottom - top) * 0.7] as const;
  drawOrnament(site, box, { depth: 2.5, ground });
}

const tints = palette(20, 25, 50, 45, 14, 16, 16, 32, 25, 45, 36, 12);

/** A round window with stone spokes. */
export function drawRoseWindow(
  site: Site,
  { cx, cy, radius, level }: { cx: number; cy: number; radius: number; level: number },
): void {
  const { board, random, trim, trimColor } = site;
  const petals = random.int(6, 14);
  board.fill(ellipse(cx, cy, radius * 1.18), trim, { relief: level + radius * 0.08 });
  const ring = random.int(10, 20);
  for (let i = 0; i < ring; i++) {
    const [x, y] = polar(cx, cy, radius, (2 * Math.PI * i) / ring, 1.09);
    const box = [x - radius * 0.08, y - radius * 0.08, radius * 0.16, radius * 0.16] as const;
    drawOrnament(site, box, { depth: 1, ground: 0.7, figure: 1.1 });
  }
  const pane = { relief: level - radius * 0.1, glow: 0.9 };
  board.fill(ellipse(cx, cy, radius), [0.1, 0.1, 0.14], { ...pane, glow: 0.7 });
  for (let i = 0; i < petals; i++) {
    const a = (2 * Math.PI * (i + 0.5)) / petals;
    const r = (radius * 0.9 * Math.PI) / petals;
    const petal = ellipse(...polar(cx, cy, radius, a, 0.72), Math.min(radius * 0.26, r * 0.7));
    board.fill(petal, random.pick(tints), pane);
    const spoke = [
      ...polar(cx, cy, radius, a + Math.PI / petals, 0.25),
      ...polar(cx, cy, radius, a + Math.PI / petals),
    ];
    board.fill(stroke(spoke, radius * 0.05), trimColor, { relief: level });
  }
  const heart = rosette(cx, cy, radius * 0.36, radius * 0.2, random.int(5, 9), random.range(0, 1));
  board.fill(heart, trimColor, { relief: level + 1 });
  const boss = regularPolygon(cx, cy, radius * 0.16, random.int(4, 8));
  board.fill(boss, random.pick(tints), { relief: level - 2, glow: 0.9 });
}
