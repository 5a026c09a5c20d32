/** @file Walls: storeys of bays filled with windows, niches or reliefs, between columns and under cornices. */
import { shade } from './materials.js';
import { drawBalustrade, drawColumn, drawCornice, drawPilaster, type Upright } from './mouldings.js';
import { drawNiche, drawWindow } from './openings.js';
import { drawOrnament } from './ornaments.js';
import { ellipse, place, rectangle } from './paths.js';
import type { Site } from './site.js';

interface Storey {
  left: number;
  top: number;
  width: number;
  height: number;
  bays: number;
  level: number;
  /** Openings as a share of the bay's width and the storey's height. */
  openingWidth: number;
  openingHeight: number;
  /** Bays (0-based) left empty for a portal. */
  skip: readonly number[];
  niches: number;
}

/** One storey on top of what is drawn already; the wall itself included. */
function drawStorey(site: Site, storey: Storey): void {
  const { board, random, wall } = site;
  const { left, top, width, height, bays, level, openingWidth, openingHeight, skip, niches } = storey;
  board.fill(rectangle(left, top, width, height + 1), wall, { relief: level });
  const bay = width / bays;
  const bottom = top + height * (0.5 + openingHeight / 2);
  const head = top + height * (0.56 - openingHeight / 2);
  for (let i = 0; i < bays; i++) {
    if (skip.includes(i)) continue;
    const cx = left + (i + 0.5) * bay;
    const w = Math.min(bay * openingWidth, height * openingHeight * 0.8);
    const opening = { cx, top: head, bottom, width: w, level };
    const roll = random.next();
    if (roll < niches * 0.7) drawNiche(site, opening);
    else if (roll < niches) {
      const size = Math.min(bay * 0.66, height * 0.6);
      drawOrnament(site, [cx - size / 2, top + height * 0.5 - size / 2, size, size], { depth: 3 });
    } else {
      drawWindow(site, opening);
      drawWindowDress(site, opening);
    }
  }
  if (bay > 26) drawBetweenBays(site, storey);
}

/** What single windows of one storey have and others lack. */
function drawWindowDress(site: Site, { cx, top, bottom: sill, width, level }: Upright): void {
  const { board, random, style, trim, accent } = site;
  const roll = random.next();
  const h = (sill - top) * 0.16;
  if (roll < 0.22) {
    board.fill(place([-0.72, -0.5, 0.72, -0.5, 0, -2], cx, top, width, h), trim, { relief: level + 7 });
    drawOrnament(site, [cx - h * 0.6, top - h * 1.5, h * 1.2, h], { depth: 1, ground: 1, figure: 0.7 });
  } else if (roll < 0.38) {
    const row = { left: cx - width * 0.75, bottom: sill + 2, width: width * 1.5, height: (sill - top) * 0.24 };
    drawBalustrade(site, { ...row, level: level + 6 });
  } else if (roll < 0.52) {
    // Greenery on the sill.
    for (let i = 0; i < 6; i++) {
      const [x, y] = [cx + random.range(-0.5, 0.5) * width, sill + random.range(-0.2, 0.3) * h];
      const leaves = ellipse(x, y, width * random.range(0.08, 0.16));
      const green = [random.range(0.15, 0.35), random.range(0.35, 0.55), random.range(0.1, 0.25)] as const;
      board.fill(leaves, green, { relief: level + 6 });
    }
  } else if (roll < 0.72) {
    drawOrnament(site, [cx - width * 0.3, top - h * 2.2, width * 0.6, h * 1.5], { depth: 2, ground: 0.8 });
  } else if (roll < 0.8 && style.plan !== 'temple') {
    const banner = rectangle(cx - width * 0.3, sill, width * 0.6, (sill - top) * 0.4);
    board.fill(banner, shade(accent, random.range(0.8, 1.3)), { relief: level + 2 });
  }
}

function drawBetweenBays(site: Site, { left, top, width, height, bays, level, skip }: Storey): void {
  const { random, style } = site;
  const bay = width / bays;
  const w = bay * 0.16;
  for (let i = 0; i <= bays; i++) {
    if (skip.includes(i) && skip.includes(i - 1)) continue;
    const x = Math.max(left + w / 2, Math.min(left + width - w / 2, left + i * bay));
    const dress = random.next();
    const upright = { cx: x, top: top + height * 0.04, bottom: top + height, width: w, level };
    if (style.columns) drawColumn(site, { ...upright, fluted: style.storeys % 2 === 0 });
    else if (i === 0 || i === bays || dress < 0.5) drawPilaster(site, upright);
    else if (dress < 0.75) {
      const box = [x - w * 0.7, top + height * random.range(0.1, 0.6), w * 1.4, height * 0.22] as const;
      drawOrnament(site, box, { depth: 2 });
    }
  }
}

export interface BlockOptions {
  left: number;
  base: number;
  width: number;
  /** Storey heights from the ground up, px. */
  storeys: readonly number[];
  bays: number;
  level: number;
  /** Bays without openings on the ground floor. */
  portalBays?: readonly number[];
  /** Share of bays without a window. Default: the style's. */
  niches?: number;
  openingWidth?: number;
}

/** A body of several storeys with a cornice over each. Returns the y of its top. */
export function drawBlock(site: Site, options: BlockOptions): number {
  const { board, random, style, trim } = site;
  const { left, base, width, storeys, bays, level, portalBays = [] } = options;
  const { niches = style.niches, openingWidth = 0.46 } = options;
  let top = base;
  storeys.forEach((height, i) => {
    top -= height;
    const last = i === storeys.length - 1;
    const cornice = height * (last ? 0.17 : 0.11);
    drawStorey(site, {
      left,
      top: top + cornice,
      width,
      height: height - cornice,
      bays,
      level: level - i * 2,
      openingWidth: openingWidth * random.range(0.9, 1.1),
      openingHeight: random.range(0.52, 0.66),
      skip: i === 0 ? portalBays : [],
      niches,
    });
    board.fill(rectangle(left, top, width, cornice + 1), trim, { relief: level });
    const kind = last ? style.cornice : random.pick(['plain', 'dentils', 'frieze', style.cornice] as const);
    drawCornice(site, [left, top, width, cornice], { kind, level });
  });
  return top;
}

/** The plinth that a building stands on, from y = `base` up. */
export function drawPlinth(
  { board, random, trim, trimColor, wall }: Site,
  {
    left = 0,
    base,
    width,
    height,
    steps,
  }: { left?: number; base: number; width: number; height: number; steps: number },
): void {
  if (steps <= 1) {
    board.fill(rectangle(left, base - height, width, height), wall, { relief: 8 });
    board.fill(rectangle(left, base - height, width, height * 0.2), trim, { relief: 12 });
    return;
  }
  for (let i = 0; i < steps; i++) {
    const inset = i * height * 0.25;
    const tone = random.range(0.82, 1.05);
    const step = (tall: number) => rectangle(left + inset, base - (height * (i + 1)) / steps, width - 2 * inset, tall);
    board.fill(step(height / steps + 1), trim, { relief: 24 - i * 4 });
    board.fill(step(height / steps / 4), shade(trimColor, tone), { relief: 25 - i * 4 });
  }
}
