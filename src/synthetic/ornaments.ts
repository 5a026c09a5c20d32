/**
 * @file Reliefs, statues, inscriptions and inlays. Each call draws a new one, so that a landmark carries details that no
 * other building has: they are what keypoints of two photographs can agree on.
 */
import { shade } from './materials.js';
import { archedOpening, ellipse, place, polar, rectangle, regularPolygon, rosette, star, stroke } from './paths.js';
import type { Shape } from './rasterize.js';
import type { Rgb } from './relief.js';
import { type Rectangle, type Carving, type Tone, toneColor } from './site.js';

export interface OrnamentOptions {
  /** px that it stands out of the wall. */
  depth: number;
  /** Default 0.75. */
  ground?: Tone;
  /** Default 1. */
  figure?: Tone;
  accent?: Rgb;
}

/** An ornament being drawn in `box`, the middle of which is (cx, cy); `r` is half its shorter side. */
interface Part {
  site: Carving;
  box: Rectangle;
  cx: number;
  cy: number;
  r: number;
  ground: Rgb;
  figure: Rgb;
  accent: Rgb;
  depth: number;
  raise: (shape: Shape, color: Rgb, by?: number) => void;
}

const square = [-1, -1, 1, -1, 1, 1, -1, 1];

const compact: Record<string, (part: Part) => void> = {
  rosette({ site: { random }, raise, cx, cy, r, ground, figure, accent, depth }) {
    const petals = random.int(4, 11);
    raise(ellipse(cx, cy, r * 0.95), ground, -depth);
    raise(rosette(cx, cy, r * 0.9, r * random.range(0.35, 0.6), petals, random.range(0, 3)), figure);
    raise(rosette(cx, cy, r * 0.5, r * 0.25, random.int(4, 9), random.range(0, 3)), accent);
    raise(ellipse(cx, cy, r * random.range(0.1, 0.2)), shade(figure, 0.6));
  },
  star({ site: { random }, raise, cx, cy, r, ground, figure, accent, depth }) {
    const tips = random.int(5, 12);
    raise(star(cx, cy, r * 0.95, r * random.range(0.4, 0.7), tips), figure);
    raise(star(cx, cy, r * 0.6, r * random.range(0.2, 0.4), tips, random.range(0, 1)), accent);
    raise(regularPolygon(cx, cy, r * 0.22, random.int(3, 8)), ground, -depth);
  },
  inscription({ site, raise, box, ground, accent }) {
    raise(rectangle(...box), ground, 0);
    drawInscription(site, box, shade(accent, 0.7));
  },
  figure({ site, box: [, top, , height], cx, figure, accent, depth }) {
    const color = site.random.chance(0.7) ? figure : accent;
    drawFigure(site, { cx, bottom: top + height, height: height * 0.97, depth }, color);
  },
  shield({ site: { random }, raise, cx, cy, r, ground, figure, accent }) {
    const w = r * 1.5;
    const [top, bottom] = [cy - r * 0.9, cy + r * 0.9];
    const arch = archedOpening(cx, top, bottom, w, 'pointed');
    raise(
      arch.map((value, i) => (i % 2 === 1 ? top + bottom - value : value)),
      figure,
    );
    const quarter = random.int(0, 3);
    const [left, upper] = [cx - (quarter % 2 ? 0 : w * 0.42), cy - (quarter < 2 ? r * 0.75 : 0)];
    raise(rectangle(left, upper, w * 0.42, r * 0.7), accent, 0);
    raise(star(cx, cy, r * 0.4, r * 0.15, random.int(3, 8)), ground, 1);
    raise(rectangle(cx - r * 0.2, cy - r * 1, r * 0.4, r * 0.25), figure);
  },
  scroll({ site: { random }, raise, box: [left, , width, height], cy, r, figure }) {
    const turns = Math.max(1, Math.round(width / height));
    for (let i = 0; i < turns; i++) {
      const sx = left + (width * (i + 0.5)) / turns;
      const dir = random.chance(0.5) ? 1 : -1;
      const rate = random.range(0.55, 0.9);
      const points = Array.from({ length: 22 }, (_, t) =>
        polar(sx, cy, (r * 0.92 * (22 - t * rate)) / 22, dir * t * 0.5 + i),
      );
      for (const polygon of stroke(points.flat(), Math.max(1.5, r * 0.16))) raise(polygon, figure);
    }
  },
  mosaic({ site: { random }, raise, box, ground, figure, accent }) {
    const [left, top, width, height] = box;
    const n = random.int(4, 6);
    const cw = width / (2 * n);
    const ch = height / (2 * n);
    raise(rectangle(...box), ground, 0);
    for (let j = 0; j < 2 * n; j++) {
      for (let i = 0; i < n; i++) {
        const color = [undefined, accent, figure, shade(accent, 0.55)][random.int(0, 3)];
        if (color === undefined) continue;
        const [x, mirrored] = [left + i * cw, left + width - (i + 1) * cw];
        raise([rectangle(x, top + j * ch, cw, ch), rectangle(mirrored, top + j * ch, cw, ch)], color, 0.6);
      }
    }
  },
  interlace({ site: { random }, raise, cx, cy, r, figure, accent }) {
    const n = random.int(3, 6);
    for (let i = 0; i < n; i++) {
      const angle = (Math.PI * i) / n + random.range(-0.2, 0.2);
      const outer = place(square, cx, cy, r * 0.66, r * random.range(0.25, 0.66), angle);
      raise([outer, place(square, cx, cy, r * 0.55, r * 0.2, angle)], i % 2 ? accent : figure);
    }
  },
  sunburst({ site, raise, cx, cy, r, figure, accent, depth }) {
    const rays = site.random.int(9, 18);
    for (let i = 0; i < rays; i++) {
      const a = (2 * Math.PI * i) / rays;
      const tip = polar(cx, cy, r * site.random.range(0.6, 0.98), a);
      const spread = site.random.range(0.06, 0.16);
      const [from, to] = [polar(cx, cy, r, a - spread, 0.3), polar(cx, cy, r, a + spread, 0.3)];
      raise([...from, ...tip, ...to], i % 2 ? figure : accent);
    }
    drawMask(site, { cx, cy, r: r * 0.36, depth }, figure);
  },
};

function frieze({ site, box: [left, top, width, height], ground, figure, accent, depth }: Part): void {
  const cells = Math.max(2, Math.round(width / height));
  const step = width / cells;
  for (let i = 0; i < cells; i++) {
    const cell = [left + i * step + step * 0.08, top + height * 0.06, step * 0.84, height * 0.88] as const;
    drawOrnament(site, cell, { ground, figure, accent, depth });
  }
}

const compactKinds = Object.values(compact);
const wideKinds = [compact.inscription, frieze, compact.scroll, frieze];

/** Draws a random ornament that fills the box. */
export function drawOrnament(
  site: Carving,
  box: Rectangle,
  { depth, accent = site.accent, ...tones }: OrnamentOptions,
): void {
  const { board, random } = site;
  const [left, top, width, height] = box;
  const [cx, cy, r] = [left + width / 2, top + height / 2, Math.min(width, height) / 2];
  const raise: Part['raise'] = (shape, color, by = depth) =>
    board.fill(shape, color, { relief: by, raise: true, solid: false });
  const ground = toneColor(tones.ground ?? 0.75, site);
  const figure = toneColor(tones.figure ?? 1, site);
  const draw = random.pick(width > height * 2 ? wideKinds : compactKinds);
  draw({ site, box, cx, cy, r, ground, figure, accent, depth, raise });
}

/** Lines of an invented script. */
export function drawInscription({ board, random }: Carving, [left, top, width, height]: Rectangle, color: Rgb): void {
  const lines = Math.max(1, Math.min(5, Math.floor(height / 14)));
  const line = height / lines;
  const size = line * 0.62;
  for (let row = 0; row < lines; row++) {
    const y = top + row * line + (line - size) / 2;
    let x = left + size * 0.3;
    while (x + size * 0.6 < left + width) {
      if (random.chance(0.15)) {
        x += size * 0.5;
        continue;
      }
      const w = size * random.range(0.35, 0.65);
      for (let s = random.int(2, 4); s > 0; s--) {
        const points = Array.from({ length: 6 }, (_, i) => (i % 2 ? y + size * random.next() : x + w * random.next()));
        for (const polygon of stroke(points, Math.max(1.1, size * 0.14)))
          board.fill(polygon, color, { relief: -1, raise: true, solid: false });
      }
      x += w + size * 0.14;
    }
  }
}

export interface Standing {
  cx: number;
  bottom: number;
  height: number;
  /** px that it stands out of the board. */
  depth: number;
}

/** A statue standing on (cx, bottom). */
export function drawFigure(site: Carving, { cx, bottom, height: h, depth }: Standing, tone: Tone): void {
  const { board, random } = site;
  const color = toneColor(tone, site);
  const w = h * random.range(0.26, 0.36);
  const lean = random.range(-0.06, 0.06) * h;
  const relief = (x: number) => depth + 0.25 * w * Math.sqrt(Math.max(0, 1 - ((x - cx) / w) ** 2));
  const body = (shape: Shape, c: Rgb) => board.fill(shape, c, { relief, solid: false });
  body(rectangle(cx - w * 0.6, bottom - h * 0.08, w * 1.2, h * 0.08), shade(color, 0.85));
  const robe = place([0.28, -0.45, 0.42, -0.78, -0.42, -0.78, -0.28, -0.45], cx + lean, bottom, w, h);
  body([...place([-0.5, -0.07, 0.5, -0.07], cx, bottom, w, h), ...robe], color);
  body(ellipse(cx + lean, bottom - h * 0.88, w * 0.26, h * 0.1), shade(color, 1.08));
  for (const side of [-1, 1]) {
    const elbow = [cx + lean + side * w * random.range(0.5, 0.75), bottom - h * random.range(0.5, 0.72)];
    const hand = [cx + lean + side * w * random.range(-0.1, 0.8), bottom - h * random.range(0.35, 0.98)];
    const arm = [cx + lean + side * w * 0.35, bottom - h * 0.75, ...elbow, ...hand];
    for (const polygon of stroke(arm, w * 0.2)) body(polygon, shade(color, 0.95));
  }
  for (let fold = 0; fold < 3; fold++) {
    const x = cx + random.range(-0.35, 0.35) * w;
    const points = [x, bottom - h * 0.1, x + lean * 0.6, bottom - h * random.range(0.4, 0.7)];
    for (const polygon of stroke(points, w * 0.06)) body(polygon, shade(color, 0.6));
  }
  if (random.chance(0.5))
    body(star(cx + lean, bottom - h * 0.97, w * 0.22, w * 0.1, random.int(3, 6)), shade(color, 1.15));
}

/** A carved face. */
function drawMask(
  { board, random }: Carving,
  { cx, cy, r, depth }: { cx: number; cy: number; r: number; depth: number },
  color: Rgb,
): void {
  const relief = (x: number, y: number) =>
    depth + r * 0.5 * Math.sqrt(Math.max(0, 1 - ((x - cx) ** 2 + (y - cy) ** 2) / (r * r)));
  board.fill(ellipse(cx, cy, r, r * 1.1), color, { relief, solid: false });
  const hollow = (shape: Shape) => board.fill(shape, shade(color, 0.45), { solid: false });
  for (const side of [-1, 1]) hollow(ellipse(cx + side * r * random.range(0.3, 0.45), cy - r * 0.2, r * 0.16, r * 0.1));
  hollow(ellipse(cx, cy + r * 0.5, r * random.range(0.2, 0.45), r * random.range(0.06, 0.2)));
}
