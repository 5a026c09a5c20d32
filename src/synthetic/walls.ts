/** @file Walls: storeys of bays filled with windows, niches or reliefs, between columns and under cornices. */
import { shade } from './materials.js';
import { drawBalustrade, drawColumn, drawCornice, drawPilaster, type Trim } from './mouldings.js';
import { drawNiche, drawWindow } from './openings.js';
import { drawOrnament } from './ornaments.js';
import { ellipse, rectangle } from './paths.js';
import type { Random } from './random.js';
import type { Relief, Shader } from './relief.js';
import type { Style } from './style.js';

/** What every part of one building shares. */
export interface Site {
  board: Relief;
  random: Random;
  style: Style;
  wall: Shader;
  trim: Trim;
}

export interface StoreyOptions {
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
  skip?: readonly number[];
  niches?: number;
}

/** One storey on top of what is drawn already; the wall itself included. */
export function drawStorey(site: Site, options: StoreyOptions): void {
  const { board, random, style, wall, trim } = site;
  const {
    left,
    top,
    width,
    height,
    bays,
    level,
    openingWidth,
    openingHeight,
    skip = [],
    niches = style.niches,
  } = options;
  board.fill([rectangle(left, top, width, height + 1)], { color: wall, relief: level });
  const bay = width / bays;
  const sill = top + height * (0.5 + openingHeight / 2);
  const head = top + height * (0.56 - openingHeight / 2);
  for (let i = 0; i < bays; i++) {
    if (skip.includes(i)) continue;
    const cx = left + (i + 0.5) * bay;
    const w = Math.min(bay * openingWidth, height * openingHeight * 0.8);
    const roll = random.next();
    if (roll < niches * 0.7) drawNiche(board, random, cx, head, sill, w, style.window, trim, level);
    else if (roll < niches) {
      const size = Math.min(bay * 0.66, height * 0.6);
      drawOrnament(
        board,
        random,
        cx - size / 2,
        top + height * 0.5 - size / 2,
        size,
        size,
        { ground: shade(trim.trimColor, 0.75), figure: trim.trimColor, accent: trim.accent },
        3,
      );
    } else {
      drawWindow(board, random, cx, head, sill, w, style.window, style.glazing, trim, level);
      drawWindowDress(site, cx, head, sill, w, level);
    }
  }
  if (bay > 26) drawBetweenBays(site, options);
}

/** What single windows of one storey have and others lack. */
function drawWindowDress(
  { board, random, style, trim }: Site,
  cx: number,
  head: number,
  sill: number,
  width: number,
  level: number,
): void {
  const roll = random.next();
  const h = (sill - head) * 0.16;
  if (roll < 0.22) {
    board.fill([[cx - width * 0.72, head - h * 0.5, cx + width * 0.72, head - h * 0.5, cx, head - h * 2]], {
      color: trim.trim,
      relief: level + 7,
    });
    drawOrnament(
      board,
      random,
      cx - h * 0.6,
      head - h * 1.5,
      h * 1.2,
      h,
      { ground: trim.trimColor, figure: shade(trim.trimColor, 0.7), accent: trim.accent },
      1,
    );
  } else if (roll < 0.38)
    drawBalustrade(board, random, cx - width * 0.75, sill + 2, width * 1.5, (sill - head) * 0.24, trim, level + 6);
  else if (roll < 0.52) {
    // Greenery on the sill.
    for (let i = 0; i < 6; i++) {
      board.fill(
        [
          ellipse(
            cx + random.range(-0.5, 0.5) * width,
            sill + random.range(-0.2, 0.3) * h,
            width * random.range(0.08, 0.16),
          ),
        ],
        { color: [random.range(0.15, 0.35), random.range(0.35, 0.55), random.range(0.1, 0.25)], relief: level + 6 },
      );
    }
  } else if (roll < 0.72)
    drawOrnament(
      board,
      random,
      cx - width * 0.3,
      head - h * 2.2,
      width * 0.6,
      h * 1.5,
      { ground: shade(trim.trimColor, 0.8), figure: trim.trimColor, accent: trim.accent },
      2,
    );
  else if (roll < 0.8 && style.plan !== 'temple') {
    // A banner below the window.
    board.fill([rectangle(cx - width * 0.3, sill, width * 0.6, (sill - head) * 0.4)], {
      color: shade(trim.accent, random.range(0.8, 1.3)),
      relief: level + 2,
    });
  }
}

function drawBetweenBays(
  { board, random, style, trim }: Site,
  { left, top, width, height, bays, level, skip = [] }: StoreyOptions,
): void {
  const bay = width / bays;
  const w = bay * 0.16;
  for (let i = 0; i <= bays; i++) {
    if (skip.includes(i) && skip.includes(i - 1)) continue;
    const x = Math.max(left + w / 2, Math.min(left + width - w / 2, left + i * bay));
    const dress = random.next();
    if (style.columns)
      drawColumn(board, random, x, top + height * 0.04, top + height, w, trim, level, style.storeys % 2 === 0);
    else if (i === 0 || i === bays || dress < 0.5)
      drawPilaster(board, random, x, top + height * 0.04, top + height, w, trim, level);
    else if (dress < 0.75)
      drawOrnament(
        board,
        random,
        x - w * 0.7,
        top + height * random.range(0.1, 0.6),
        w * 1.4,
        height * 0.22,
        { ground: shade(trim.trimColor, 0.75), figure: trim.trimColor, accent: trim.accent },
        2,
      );
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
  niches?: number;
  openingWidth?: number;
}

/** A body of several storeys with a cornice over each. Returns the y of its top. */
export function drawBlock(site: Site, options: BlockOptions): number {
  const { board, random, style, trim } = site;
  const { left, base, width, storeys, bays, level, portalBays, niches, openingWidth = 0.46 } = options;
  let top = base;
  storeys.forEach((height, i) => {
    top -= height;
    const cornice = height * (i === storeys.length - 1 ? 0.17 : 0.11);
    const share = openingWidth * random.range(0.9, 1.1);
    drawStorey(site, {
      left,
      top: top + cornice,
      width,
      height: height - cornice,
      bays,
      level: level - i * 2,
      openingWidth: share,
      openingHeight: random.range(0.52, 0.66),
      ...(i === 0 && portalBays ? { skip: portalBays } : {}),
      ...(niches === undefined ? {} : { niches }),
    });
    board.fill([rectangle(left, top, width, cornice + 1)], { color: trim.trim, relief: level });
    drawCornice(
      board,
      random,
      left,
      top,
      width,
      cornice,
      i === storeys.length - 1 ? style.cornice : random.pick(['plain', 'dentils', 'frieze', style.cornice]),
      trim,
      level,
    );
  });
  return top;
}

/** The plinth that a building stands on. */
export function drawPlinth(
  { board, random, trim, wall }: Site,
  left: number,
  base: number,
  width: number,
  height: number,
  steps: number,
): void {
  if (steps <= 1) {
    board.fill([rectangle(left, base - height, width, height)], { color: wall, relief: 8 });
    board.fill([rectangle(left, base - height, width, height * 0.2)], { color: trim.trim, relief: 12 });
    return;
  }
  for (let i = 0; i < steps; i++) {
    const inset = i * height * 0.25;
    const tone = random.range(0.82, 1.05);
    board.fill([rectangle(left + inset, base - (height * (i + 1)) / steps, width - 2 * inset, height / steps + 1)], {
      color: trim.trim,
      relief: 24 - i * 4,
    });
    board.fill([rectangle(left + inset, base - (height * (i + 1)) / steps, width - 2 * inset, height / steps / 4)], {
      color: shade(trim.trimColor, tone),
      relief: 25 - i * 4,
    });
  }
}
