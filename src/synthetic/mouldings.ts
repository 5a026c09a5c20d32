/** @file Columns, cornices, balustrades and battlements: what divides and crowns a wall. */
import { drawOrnament } from './ornaments.js';
import { ellipse, place, profile, rectangle } from './paths.js';
import type { Shape } from './rasterize.js';
import { type Rectangle, type Site, type Tone, toneColor } from './site.js';
import type { CorniceKind } from './style.js';

/** An upright part, px; `level` is the relief of the wall it stands before. */
export interface Upright {
  cx: number;
  top: number;
  bottom: number;
  width: number;
  level: number;
}

/** Fills a shape with the trim's material, or a shade of it. */
function dress(site: Site, shape: Shape, relief: number, tone?: Tone): void {
  site.board.fill(shape, tone === undefined ? site.trim : toneColor(tone, site), { relief });
}

/** A round column with base and capital. */
export function drawColumn(site: Site, { cx, top, bottom, width, level, fluted }: Upright & { fluted: boolean }): void {
  const { board, random, trim } = site;
  const half = width / 2;
  const capital = Math.min((bottom - top) * 0.16, width * random.range(0.9, 1.4));
  const foot = Math.min((bottom - top) * 0.1, width * 0.5);
  const relief = (x: number) => {
    const u = (x + 0.5 - cx) / half;
    const flute = fluted ? Math.cos(u * 16) * width * 0.025 : 0;
    return level + half * Math.sqrt(Math.max(0, 1 - u * u)) + flute;
  };
  board.fill(rectangle(cx - half, top + capital * 0.8, width, bottom - top - capital * 0.8), trim, { relief });
  dress(site, rectangle(cx - half * 1.35, bottom - foot * 0.6, width * 1.35, foot * 0.6), level + half * 1.1);
  dress(site, rectangle(cx - half * 1.15, bottom - foot, width * 1.15, foot * 0.45), level + half, 0.95);
  dress(site, place([-1, 1, 1, 1, 1.45, 0, -1.45, 0], cx, top, half, capital), level + half * 0.9);
  const accent = toneColor(0.75, site);
  const box = [cx - half * 1.1, top + capital * 0.12, width * 1.1, capital * 0.8] as const;
  drawOrnament(site, box, { depth: 1.5, ground: 0.6, figure: 1.1, accent });
  dress(site, rectangle(cx - half * 1.5, top, width * 1.5, capital * 0.2), level + half * 1.2);
}

/** A flat pilaster, some with a carved panel. */
export function drawPilaster(site: Site, { cx, top, bottom, width, level }: Upright): void {
  const { random } = site;
  dress(site, rectangle(cx - width / 2, top, width, bottom - top), level + width * 0.3);
  dress(site, rectangle(cx - width * 0.65, top, width * 1.3, width * 0.45), level + width * 0.45);
  dress(site, rectangle(cx - width * 0.65, bottom - width * 0.5, width * 1.3, width * 0.5), level + width * 0.45);
  if (!random.chance(0.4)) return;
  const h = Math.min((bottom - top) * 0.4, width * 2);
  const y = random.range(top + width, Math.max(top + width + 1, bottom - width - h));
  drawOrnament(site, [cx - width * 0.36, y, width * 0.72, h], { depth: 1.2, ground: 0.65, figure: 1.08 });
}

/** A cornice that fills `box`, before a wall of relief `level`. */
export function drawCornice(site: Site, box: Rectangle, { kind, level }: { kind: CorniceKind; level: number }): void {
  const [left, top, width, height] = box;
  const over = height * 0.35;
  dress(site, rectangle(left, top + height * 0.3, width, height * 0.7), level + height * 0.2);
  const count = Math.max(4, Math.round(width / (height * 1.1)));
  const step = width / count;
  if (kind === 'frieze') {
    const field = [left + height * 0.2, top + height * 0.36, width - height * 0.4, height * 0.6] as const;
    drawOrnament(site, field, { depth: 2, figure: 1.08 });
  } else if (kind === 'plain') {
    dress(site, rectangle(left, top + height * 0.62, width, height * 0.1), level + height * 0.1, 0.7);
  } else {
    const [share, drop] = kind === 'dentils' ? [0.5, 0.35] : [0.32, 0.62];
    for (let i = 0; i < count; i++) {
      const x = left + (i + 0.5 - share / 2) * step;
      const tone = site.random.range(0.72, 1.1);
      dress(site, rectangle(x, top + height * 0.32, step * share, height * drop), level + height * 0.45, tone);
      const ball = ellipse(x + (step * share) / 2, top + height * 0.9, step * share * 0.6);
      if (kind === 'corbels') dress(site, ball, level + height * 0.5, tone);
    }
  }
  dress(site, rectangle(left - over, top, width + 2 * over, height * 0.18), level + height * 0.7);
  dress(site, rectangle(left - over * 0.5, top + height * 0.18, width + over, height * 0.14), level + height * 0.5);
}

/** A row on the line y = `bottom`, px. */
export interface MouldingRow {
  left: number;
  bottom: number;
  width: number;
  height: number;
  level: number;
}

/** A row of balusters between posts. */
export function drawBalustrade(site: Site, { left, bottom, width, height, level }: MouldingRow): void {
  dress(site, rectangle(left, bottom - height, width, height * 0.22), level + 3);
  dress(site, rectangle(left, bottom - height * 0.2, width, height * 0.2), level + 3);
  const count = Math.max(3, Math.round(width / (height * 0.5)));
  for (let i = 0; i < count; i++) {
    const x = left + ((i + 0.5) * width) / count;
    if (i % 5 === 0) {
      dress(site, rectangle(x - height * 0.18, bottom - height * 1.1, height * 0.36, height * 1.1), level + 5);
      continue;
    }
    const curve = [0, 0.5, 0.3, 1, 0.7, 0.45, 1, 0.7];
    const baluster = profile(x, bottom - height * 0.18, height * 0.64, height * 0.15, curve);
    dress(site, baluster, level + 3, site.random.range(0.8, 1.05));
  }
}

/** Tops of merlons between their feet, in widths and heights: pointed and stepped ones. */
const merlons = [
  [0, 0.4, 0.5, -0.1, 1, 0.4],
  [0, 0.45, 0.22, 0.45, 0.22, 0, 0.78, 0, 0.78, 0.45, 1, 0.45],
];

/** Merlons; the tops are square, pointed or stepped by `shape`. */
export function drawBattlement(
  { board, random, wall }: Site,
  { left, bottom, width, height, level, shape }: MouldingRow & { shape: number },
): void {
  const count = Math.max(3, Math.round(width / (height * 1.15)));
  const step = width / count;
  for (let i = 0; i < count; i++) {
    const x = left + (i + 0.18) * step;
    const w = step * 0.64;
    const h = height * random.range(0.9, 1);
    const y = bottom - h;
    const outline =
      shape === 0 ? rectangle(x, y, w, h) : [x, bottom, ...place(merlons[shape - 1], x, y, w, h), x + w, bottom];
    board.fill(outline, wall, { relief: level });
    const slit = rectangle(x + w * 0.42, y + h * 0.5, w * 0.16, h * 0.32);
    if (shape > 0) board.fill(slit, [0.1, 0.09, 0.08], { relief: level - 4 });
  }
  board.fill(rectangle(left, bottom - height * 0.18, width, height * 0.2), wall, { relief: level + 2 });
}
