/** @file Plans of tall buildings. Each draws a whole facade on its site's board. */
import { drawPilaster } from './mouldings.js';
import { drawNiche, drawPortal, drawRoseWindow } from './openings.js';
import { drawFigure, drawInscription, drawOrnament } from './ornaments.js';
import { rectangle } from './paths.js';
import { middleBays, splitHeights } from './plan-parts.js';
import { drawRoof } from './roofs.js';
import { shade } from './materials.js';
import type { Site } from './site.js';
import { drawBlock, drawPlinth } from './walls.js';

/** A nave front with a rose window between two towers. */
export function cathedral(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const base = H * 0.97;
  const towerWidth = W * random.range(0.24, 0.31);
  const nave = W * 0.96 - 2 * towerWidth;
  const naveHeight = H * random.range(0.44, 0.54);
  const naveStoreys = splitHeights(random, naveHeight, 2);
  const front = { left: (W - nave) / 2, base, width: nave, storeys: naveStoreys, bays: 3, level: 4 };
  const top = drawBlock(site, { ...front, portalBays: [0, 1, 2], niches: 0.5 });
  drawRoof(site, style.mainRoof, { cx: W / 2, base: top, width: nave, height: H * 0.24, level: 4 });
  const radius = nave * random.range(0.2, 0.27);
  drawRoseWindow(site, { cx: W / 2, cy: top + naveHeight * 0.3, radius, level: 6 });
  const towerHeight = H * random.range(0.6, 0.68);
  const second = random.chance(0.25) ? random.range(0.75, 0.9) : 1;
  const bays = random.int(1, 2);
  for (const side of [-1, 1]) {
    const left = side < 0 ? W * 0.02 : W * 0.98 - towerWidth;
    const cx = left + towerWidth / 2;
    const tall = towerHeight * (side < 0 ? 1 : second);
    const storeys = splitHeights(random, tall, style.storeys + 1);
    const body = { left, base, width: towerWidth, storeys, bays, level: 14 };
    const t = drawBlock(site, { ...body, portalBays: [0, 1], openingWidth: 0.42 });
    for (const u of [0.06, 0.94]) {
      const pilaster = { cx: left + towerWidth * u, top: t + tall * 0.1, bottom: base, width: towerWidth * 0.1 };
      drawPilaster(site, { ...pilaster, level: 16 });
    }
    drawRoof(site, style.sideRoof, { cx, base: t, width: towerWidth * 0.94, height: t - H * 0.01, level: 14 });
    const door = { cx, top: base - naveHeight * 0.36, bottom: base, width: towerWidth * 0.5, level: 16 };
    drawPortal(site, { ...door, orders: 2 });
  }
  const portalTop = base - naveHeight * random.range(0.4, 0.48);
  const portal = { cx: W / 2, top: portalTop, bottom: base, width: nave * random.range(0.42, 0.52), level: 8 };
  drawPortal(site, { ...portal, orders: random.int(3, 4) });
  drawPlinth(site, { base: H, width: W, height: H * 0.03, steps: 3 });
}

/** A domed block with a great arched portal and minarets. */
export function tomb(site: Site): void {
  const { board, random, style, wall, trim, accent } = site;
  const { width: W, height: H } = board;
  const plinth = H * random.range(0.06, 0.1);
  const base = H - plinth;
  const minarets = random.chance(0.7);
  const body = W * (minarets ? random.range(0.6, 0.68) : random.range(0.8, 0.88));
  const bodyHeight = H * random.range(0.36, 0.46);
  const bays = random.int(1, 2) * 2 + 1;
  if (minarets) {
    const w = W * random.range(0.05, 0.065);
    const tall = H * random.range(0.6, 0.7);
    for (const side of [-1, 1]) {
      const cx = side < 0 ? W * 0.05 : W * 0.95;
      const storeys = splitHeights(random, tall, random.int(3, 4));
      const minaret = { left: cx - w / 2, base, width: w, storeys, bays: 1, level: 10 };
      const t = drawBlock(site, { ...minaret, niches: 0.2, openingWidth: 0.4 });
      drawRoof(site, 'kiosk', { cx, base: t, width: w * 1.2, height: H * 0.16, level: 10 });
    }
  }
  const domeWidth = body * random.range(0.46, 0.58);
  drawRoof(site, style.mainRoof, {
    cx: W / 2,
    base: base - bodyHeight + 2,
    width: domeWidth,
    height: H * 0.46,
    level: 0,
  });
  for (const side of [-1, 1]) {
    const kind = random.chance(0.7) ? 'kiosk' : style.sideRoof;
    const cx = W / 2 + side * body * random.range(0.32, 0.38);
    const height = H * random.range(0.18, 0.24);
    drawRoof(site, kind, { cx, base: base - bodyHeight, width: body * 0.2, height, level: 2 });
  }
  const storeys = splitHeights(random, bodyHeight, 2);
  const block = { left: (W - body) / 2, base, width: body, storeys, bays, level: 6 };
  drawBlock(site, { ...block, portalBays: middleBays(bays), openingWidth: 0.5 });
  const iwan = body * random.range(0.3, 0.38);
  const iwanHeight = bodyHeight * random.range(1.02, 1.16);
  const [left, top] = [W / 2 - iwan / 2, base - iwanHeight];
  board.fill(rectangle(left, top, iwan, iwanHeight), wall, { relief: 16 });
  const band = iwan * 0.12;
  board.fill(rectangle(left, top, iwan, band), trim, { relief: 20 });
  drawInscription(site, [left, top, iwan, band], shade(accent, 0.6));
  for (const side of [-1, 1]) {
    const x = side < 0 ? left : W / 2 + iwan / 2 - band;
    board.fill(rectangle(x, top + band, band, iwanHeight - band), trim, { relief: 20 });
    const count = Math.round((iwanHeight - band) / band / 1.4);
    const step = (iwanHeight - band) / count;
    for (let i = 0; i < count; i++) {
      const box = [x + band * 0.1, top + band + i * step + step * 0.1, band * 0.8, step * 0.8] as const;
      drawOrnament(site, box, { depth: 1.5, ground: 0.95 });
    }
    const spandrel = [W / 2 + side * iwan * 0.24 - iwan * 0.09, top + band * 1.3, iwan * 0.18, iwan * 0.18] as const;
    drawOrnament(site, spandrel, { depth: 2, ground: 0.95 });
  }
  const portal = { cx: W / 2, top: top + band * 1.8, bottom: base, width: iwan * 0.7, level: 12 };
  drawPortal(site, { ...portal, orders: 2 });
  drawPlinth(site, { base: H, width: W, height: plinth, steps: random.int(1, 3) });
}

/** Tiers over each other, each narrower. */
export function tower(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.03;
  const tiers = style.storeys + random.int(1, 3);
  const heights = splitHeights(random, H * random.range(0.66, 0.76), tiers);
  let base = H - plinth;
  let width = W * 0.78;
  const shrink = random.range(0.82, 0.95);
  heights.forEach((height, i) => {
    const clock = i === tiers - 1 && random.chance(0.5);
    const bays = random.int(2, 3);
    const tier = { left: (W - width) / 2, base, width, storeys: [height], bays: clock ? 1 : bays, level: 10 };
    const top = drawBlock(site, { ...tier, portalBays: i === 0 || clock ? [0, 1, 2] : [] });
    const portal = { cx: W / 2, top: base - height * 0.72, bottom: base, width: width * 0.42, level: 12 };
    if (i === 0) drawPortal(site, { ...portal, orders: 3 });
    const face = { cx: W / 2, cy: top + height * 0.55, radius: Math.min(width, height) * 0.33, level: 12 };
    if (clock) drawRoseWindow(site, face);
    base = top;
    width *= shrink;
  });
  const height = base - H * 0.01;
  drawRoof(site, style.mainRoof, { cx: W / 2, base, width, height, level: 10 });
  const turret = { base, width: width * 0.24, height: height * 0.5, level: 12 };
  if (random.chance(0.5))
    for (const side of [-1, 1]) drawRoof(site, style.sideRoof, { ...turret, cx: W / 2 + side * width * 0.5 });
  drawPlinth(site, { base: H, width: W, height: plinth, steps: 2 });
}

/** Many low tiers crowded with niches and statues. */
export function pyramid(site: Site): void {
  const { board, random, style, trimColor, accent } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.03;
  const tiers = random.int(5, 8);
  const heights = splitHeights(random, H * random.range(0.7, 0.78), tiers);
  let base = H - plinth;
  const curve = random.range(0.85, 1.3);
  const topWidth = random.range(0.28, 0.4);
  heights.forEach((height, i) => {
    const width = W * 0.96 * (1 - (1 - topWidth) * (i / (tiers - 1)) ** curve);
    const bays = Math.max(3, Math.round((style.bays + 2) * (width / W)) | 1);
    const tier = { left: (W - width) / 2, base, width, storeys: [height], bays, level: 20 - i * 3, niches: 0.75 };
    const top = drawBlock(site, { ...tier, portalBays: i === 0 ? middleBays(bays) : [] });
    const portal = { cx: W / 2, top: base - height * 0.86, bottom: base, width: width * 0.2, level: 22 };
    const niche = { cx: W / 2, top: top + height * 0.1, bottom: base, width: width * 0.14, level: 24 - i * 3 };
    if (i === 0) drawPortal(site, { ...portal, orders: 2 });
    else if (random.chance(0.7)) drawNiche(site, niche);
    const figures = random.int(2, 6);
    for (let f = 0; f < figures; f++) {
      const cx = W / 2 + (f / Math.max(1, figures - 1) - 0.5) * width * 0.94;
      const color = shade(random.chance(0.4) ? accent : trimColor, random.range(0.9, 1.3));
      drawFigure(site, { cx, bottom: top + height * 0.04, height: height * 0.3, depth: 14 }, color);
    }
    base = top;
  });
  drawRoof(site, style.mainRoof, { cx: W / 2, base, width: W * topWidth * 1.05, height: base - H * 0.01, level: 6 });
  drawPlinth(site, { base: H, width: W, height: plinth, steps: 2 });
}
