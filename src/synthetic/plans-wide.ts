/** @file Plans of long, low buildings. Each draws a whole facade on its site's board. */
import { drawColumn, drawCornice } from './mouldings.js';
import { drawPortal } from './openings.js';
import { drawInscription, drawOrnament } from './ornaments.js';
import { rectangle } from './paths.js';
import { middleBays, splitHeights } from './plan-parts.js';
import { drawRoof } from './roofs.js';
import { type Site, toneColor } from './site.js';
import { drawBlock, drawPlinth } from './walls.js';

/** A centre with a portal between two wings. */
export function palace(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const centre = W * random.range(0.26, 0.4);
  const plinth = H * 0.05;
  const base = H - plinth;
  const wing = H * random.range(0.5, 0.6);
  const rise = H * random.range(0.08, 0.18);
  const width = (W * 0.96 - centre) / 2;
  const bays = Math.max(2, Math.round((style.bays | 1) / 2));
  const heights = splitHeights(random, wing, style.storeys);
  const wingRoof = style.sideRoof === 'battlement' ? 'battlement' : style.mainRoof === 'mansard' ? 'mansard' : 'flat';
  for (const side of [-1, 1]) {
    const left = side < 0 ? W * 0.02 : W * 0.98 - width;
    const top = drawBlock(site, { left, base, width, storeys: heights, bays, level: 6 });
    drawRoof(site, wingRoof, { cx: left + width / 2, base: top, width, height: H * 0.2, level: 6 });
    if (!random.chance(0.6)) continue;
    const w = width * 0.3;
    const cx = side < 0 ? left + w / 2 : left + width - w / 2;
    drawRoof(site, style.sideRoof, { cx, base: top, width: w, height: H * random.range(0.16, 0.26), level: 8 });
  }
  const mid = random.int(1, 2) * 2 + 1;
  const storeys = heights.map((h) => h * (1 + rise / wing));
  const front = { left: (W - centre) / 2, base, width: centre, storeys, bays: mid, level: 16 };
  const top = drawBlock(site, { ...front, portalBays: middleBays(mid) });
  drawRoof(site, style.mainRoof, { cx: W / 2, base: top, width: centre, height: top - H * 0.01, level: 16 });
  const portalWidth = Math.min((centre / mid) * 1.1, heights[0] * 0.7);
  const portal = { cx: W / 2, top: base - heights[0] * 0.9, bottom: base, width: portalWidth, level: 18 };
  drawPortal(site, { ...portal, orders: random.int(1, 3) });
  drawPlinth(site, { base: H, width: W, height: plinth, steps: random.int(1, 3) });
}

/** A portico of columns under a pediment, on steps. */
export function temple(site: Site): void {
  const { board, random, style, trim } = site;
  const { width: W, height: H } = board;
  const steps = H * random.range(0.08, 0.14);
  const base = H - steps;
  const columns = random.int(4, 8);
  const front = W * random.range(0.7, 0.92);
  const tall = H * random.range(0.46, 0.54);
  const left = (W - front) / 2;
  if (front < W * 0.85) {
    const low = tall * random.range(0.6, 0.85);
    for (const side of [-1, 1]) {
      const width = (W * 0.98 - front) / 2;
      const x = side < 0 ? W * 0.01 : W * 0.99 - width;
      const storeys = splitHeights(random, low, 1);
      const t = drawBlock(site, { left: x, base, width, storeys, bays: 2, level: -6 });
      drawRoof(site, 'flat', { cx: x + width / 2, base: t, width, height: H * 0.15, level: -6 });
    }
  }
  const portalBays = middleBays(columns - 1);
  const cella = { left, base, width: front, storeys: [tall], bays: columns - 1, level: -12, portalBays };
  drawBlock(site, { ...cella, niches: 0.35, openingWidth: 0.36 });
  const bay = front / columns;
  const top = base - tall;
  drawPortal(site, { cx: W / 2, top: base - tall * 0.72, bottom: base, width: bay * 0.7, level: -10, orders: 2 });
  const entablature = H * random.range(0.09, 0.13);
  const width = bay * random.range(0.28, 0.4);
  const fluted = random.chance(0.6);
  for (let i = 0; i < columns; i++)
    drawColumn(site, { cx: left + (i + 0.5) * bay, top, bottom: base, width, level: 8, fluted });
  const roofLine = top - entablature;
  board.fill(rectangle(left, roofLine, front, entablature), trim, { relief: 14 });
  if (random.chance(0.5)) {
    const line = [left + front * 0.05, top - entablature * 0.5, front * 0.9, entablature * 0.45] as const;
    drawInscription(site, line, toneColor(0.45, site));
  } else {
    const field = [left + front * 0.02, top - entablature * 0.52, front * 0.96, entablature * 0.48] as const;
    drawOrnament(site, field, { depth: 2.5, ground: 0.7 });
  }
  drawCornice(site, [left, roofLine, front, entablature * 0.5], { kind: style.cornice, level: 14 });
  drawRoof(site, style.mainRoof, { cx: W / 2, base: roofLine, width: front, height: roofLine - 4, level: 10 });
  const dome = { cx: W / 2, base: roofLine * 0.55, width: front * 0.3, height: roofLine * 0.55, level: 0 };
  if (random.chance(0.3)) drawRoof(site, 'dome', dome);
  drawPlinth(site, { left: W * 0.01, base: H, width: W * 0.98, height: steps, steps: random.int(4, 7) });
}

/** Rows of arches over each other. */
export function arcade(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.04;
  const storeys = style.storeys + 1;
  const bays = style.bays + random.int(2, 4);
  const heights = splitHeights(random, H * random.range(0.72, 0.8), storeys);
  let base = H - plinth;
  const stepped = random.chance(0.5) ? random.range(0.04, 0.09) : 0;
  heights.forEach((height, i) => {
    const width = W * 0.97 - 2 * (W * stepped * Math.max(0, i - 1));
    const n = Math.max(5, Math.round(bays * (width / W)));
    const row = { left: (W - width) / 2, base, width, storeys: [height], bays: n, level: 10 - i * 2 };
    const portalBays = i === 0 ? middleBays(n) : [];
    base = drawBlock(site, { ...row, openingWidth: 0.6, niches: style.niches * 0.5, portalBays });
    const portal = { cx: W / 2, top: base + height * 0.16, bottom: base + height, level: 12, orders: 2 };
    if (i === 0) drawPortal(site, { ...portal, width: (width / n) * (n % 2 ? 1 : 1.5) });
    if (i === storeys - 1) drawRoof(site, style.mainRoof, { cx: W / 2, base, width, height: base - 4, level: 8 });
  });
  const kiosks = random.int(0, 3);
  for (let i = 0; i < kiosks; i++) {
    const cx = W * (0.5 + ((i + 0.5) / kiosks - 0.5) * 0.7);
    drawRoof(site, style.sideRoof, { cx, base, width: W * 0.1, height: base * 0.95, level: 8 });
  }
  drawPlinth(site, { base: H, width: W, height: plinth, steps: random.int(1, 3) });
}

/** A triumphal arch, or a fort's gate between towers. */
export function gate(site: Site): void {
  const { board, random, style, wall, trim } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.03;
  const base = H - plinth;
  const towers = style.sideRoof === 'battlement' || style.sideRoof === 'hip' || style.sideRoof === 'spire';
  const side = towers ? W * random.range(0.2, 0.26) : 0;
  const body = W * 0.97 - side * 1.6;
  const bodyHeight = H * random.range(0.54, 0.62);
  const attic = H * random.range(0.12, 0.18);
  const triple = random.chance(0.5);
  const left = (W - body) / 2;
  const portalBays = triple ? [0, 1, 2, 3, 4] : [1, 2, 3];
  const block = { left, base, width: body, storeys: [bodyHeight], bays: 5, level: 4, portalBays };
  const atticBase = drawBlock(site, { ...block, niches: 0.6 });
  const portal = { cx: W / 2, bottom: base, level: 6, orders: 2 };
  const centre = body * (triple ? 0.3 : random.range(0.36, 0.44));
  drawPortal(site, { ...portal, top: atticBase + bodyHeight * 0.28, width: centre });
  for (const s of [-1, 1]) {
    const x = W / 2 + s * body * 0.33;
    const size = body * 0.13;
    if (triple) {
      drawPortal(site, { ...portal, cx: x, top: atticBase + bodyHeight * 0.5, width: body * 0.17 });
      drawOrnament(site, [x - size / 2, atticBase + bodyHeight * 0.26, size, size], { depth: 3, ground: 0.7 });
    }
    const column = { top: atticBase + bodyHeight * 0.17, bottom: base, width: body * 0.05, level: 12, fluted: true };
    for (const u of [0.2, 0.45]) drawColumn(site, { ...column, cx: W / 2 + s * body * u });
  }
  const top = atticBase - attic;
  board.fill(rectangle(left + body * 0.02, top, body * 0.96, attic), wall, { relief: 4 });
  board.fill(rectangle(left + body * 0.22, top + attic * 0.24, body * 0.56, attic * 0.6), trim, { relief: 8 });
  const field = [left + body * 0.23, top + attic * 0.26, body * 0.54, attic * 0.56] as const;
  drawInscription(site, field, toneColor(0.4, site));
  for (const s of [-1, 1]) {
    const x = W / 2 + s * body * 0.38 - attic * 0.32;
    drawOrnament(site, [x, top + attic * 0.22, attic * 0.64, attic * 0.64], { depth: 3 });
  }
  drawCornice(site, [left, top, body, attic * 0.2], { kind: style.cornice, level: 6 });
  drawRoof(site, style.mainRoof, { cx: W / 2, base: top, width: body * 0.96, height: top - 4, level: 4 });
  for (const s of towers ? [-1, 1] : []) {
    const x = s < 0 ? W * 0.01 : W * 0.99 - side;
    const tall = atticBase < H ? H - plinth - top * random.range(0.7, 1.05) : bodyHeight;
    const storeys = splitHeights(random, tall, style.storeys + 1);
    const tower = { left: x, base, width: side, storeys, bays: 2, level: 22 };
    const t = drawBlock(site, { ...tower, openingWidth: 0.3 });
    drawRoof(site, style.sideRoof, { cx: x + side / 2, base: t, width: side, height: Math.max(20, t - 4), level: 22 });
  }
  drawPlinth(site, { base: H, width: W, height: plinth, steps: 2 });
}
