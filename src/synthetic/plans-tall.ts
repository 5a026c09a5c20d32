/** @file Plans of tall buildings. Each draws a whole facade on its site's board. */
import { shade } from './materials.js';
import { drawPilaster } from './mouldings.js';
import { drawNiche, drawPortal, drawRoseWindow } from './openings.js';
import { drawFigure, drawInscription, drawOrnament } from './ornaments.js';
import { rectangle } from './paths.js';
import { drawBlock, drawPlinth, type Site } from './walls.js';

import { middleBays, roof, splitHeights } from './plan-parts.js';

/** A nave front with a rose window between two towers. */
export function cathedral(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const base = H * 0.97;
  const towerWidth = W * random.range(0.24, 0.31);
  const nave = W * 0.96 - 2 * towerWidth;
  const naveHeight = H * random.range(0.44, 0.54);
  const top = drawBlock(site, {
    left: (W - nave) / 2,
    base,
    width: nave,
    storeys: splitHeights(random, naveHeight, 2),
    bays: 3,
    level: 4,
    portalBays: [0, 1, 2],
    niches: 0.5,
  });
  roof(site, style.mainRoof, W / 2, top, nave, H * 0.24, 4);
  const radius = nave * random.range(0.2, 0.27);
  drawRoseWindow(board, random, W / 2, top + naveHeight * 0.3, radius, site.trim, 6);
  const towerHeight = H * random.range(0.6, 0.68);
  const second = random.chance(0.25) ? random.range(0.75, 0.9) : 1;
  const storeys = style.storeys + 1;
  const bays = random.int(1, 2);
  for (const side of [-1, 1]) {
    const left = side < 0 ? W * 0.02 : W * 0.98 - towerWidth;
    const tall = towerHeight * (side < 0 ? 1 : second);
    const t = drawBlock(site, {
      left,
      base,
      width: towerWidth,
      storeys: splitHeights(random, tall, storeys),
      bays,
      level: 14,
      portalBays: [0, 1],
      openingWidth: 0.42,
    });
    drawPilaster(board, random, left + towerWidth * 0.06, t + tall * 0.1, base, towerWidth * 0.1, site.trim, 16);
    drawPilaster(board, random, left + towerWidth * 0.94, t + tall * 0.1, base, towerWidth * 0.1, site.trim, 16);
    roof(site, style.sideRoof, left + towerWidth / 2, t, towerWidth * 0.94, t - H * 0.01, 14);
    drawPortal(
      board,
      random,
      left + towerWidth / 2,
      base - naveHeight * 0.36,
      base,
      towerWidth * 0.5,
      style.portal,
      2,
      site.trim,
      16,
    );
  }
  drawPortal(
    board,
    random,
    W / 2,
    base - naveHeight * random.range(0.4, 0.48),
    base,
    nave * random.range(0.42, 0.52),
    style.portal,
    random.int(3, 4),
    site.trim,
    8,
  );
  drawPlinth(site, 0, H, W, H * 0.03, 3);
}

/** A domed block with a great arched portal and minarets. */
export function tomb(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const plinth = H * random.range(0.06, 0.1);
  const base = H - plinth;
  const minarets = random.chance(0.7);
  const body = W * (minarets ? random.range(0.6, 0.68) : random.range(0.8, 0.88));
  const bodyHeight = H * random.range(0.36, 0.46);
  const left = (W - body) / 2;
  const sideBays = random.int(1, 2);
  const bays = sideBays * 2 + 1;
  if (minarets) {
    const w = W * random.range(0.05, 0.065);
    const tall = H * random.range(0.6, 0.7);
    for (const side of [-1, 1]) {
      const x = side < 0 ? W * 0.05 : W * 0.95;
      const t = drawBlock(site, {
        left: x - w / 2,
        base,
        width: w,
        storeys: splitHeights(random, tall, random.int(3, 4)),
        bays: 1,
        level: 10,
        niches: 0.2,
        openingWidth: 0.4,
      });
      roof(site, 'kiosk', x, t, w * 1.2, H * 0.16, 10);
    }
  }
  roof(site, style.mainRoof, W / 2, base - bodyHeight + 2, body * random.range(0.46, 0.58), H * 0.46, 0);
  for (const side of [-1, 1])
    roof(
      site,
      random.chance(0.7) ? 'kiosk' : style.sideRoof,
      W / 2 + side * body * random.range(0.32, 0.38),
      base - bodyHeight,
      body * 0.2,
      H * random.range(0.18, 0.24),
      2,
    );
  drawBlock(site, {
    left,
    base,
    width: body,
    storeys: splitHeights(random, bodyHeight, 2),
    bays,
    level: 6,
    portalBays: middleBays(bays),
    openingWidth: 0.5,
    niches: style.niches,
  });
  const iwan = body * random.range(0.3, 0.38);
  const iwanHeight = bodyHeight * random.range(1.02, 1.16);
  board.fill([rectangle(W / 2 - iwan / 2, base - iwanHeight, iwan, iwanHeight)], { color: site.wall, relief: 16 });
  const band = iwan * 0.12;
  const colors = { ground: shade(site.trim.trimColor, 0.95), figure: site.trim.trimColor, accent: site.trim.accent };
  board.fill([rectangle(W / 2 - iwan / 2, base - iwanHeight, iwan, band)], { color: site.trim.trim, relief: 20 });
  drawInscription(board, random, W / 2 - iwan / 2, base - iwanHeight, iwan, band, shade(site.trim.accent, 0.6));
  for (const side of [-1, 1]) {
    const x = side < 0 ? W / 2 - iwan / 2 : W / 2 + iwan / 2 - band;
    board.fill([rectangle(x, base - iwanHeight + band, band, iwanHeight - band)], {
      color: site.trim.trim,
      relief: 20,
    });
    const count = Math.round((iwanHeight - band) / band / 1.4);
    const step = (iwanHeight - band) / count;
    for (let i = 0; i < count; i++)
      drawOrnament(
        board,
        random,
        x + band * 0.1,
        base - iwanHeight + band + i * step + step * 0.1,
        band * 0.8,
        step * 0.8,
        colors,
        1.5,
      );
    drawOrnament(
      board,
      random,
      W / 2 + side * iwan * 0.24 - iwan * 0.09,
      base - iwanHeight + band * 1.3,
      iwan * 0.18,
      iwan * 0.18,
      colors,
      2,
    );
  }
  drawPortal(board, random, W / 2, base - iwanHeight + band * 1.8, base, iwan * 0.7, style.portal, 2, site.trim, 12);
  drawPlinth(site, 0, H, W, plinth, random.int(1, 3));
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
    const top = drawBlock(site, {
      left: (W - width) / 2,
      base,
      width,
      storeys: [height],
      bays: clock ? 1 : bays,
      level: 10,
      ...(i === 0 || clock ? { portalBays: [0, 1, 2] } : {}),
    });
    if (i === 0)
      drawPortal(board, random, W / 2, base - height * 0.72, base, width * 0.42, style.portal, 3, site.trim, 12);
    if (clock) drawRoseWindow(board, random, W / 2, top + height * 0.55, Math.min(width, height) * 0.33, site.trim, 12);
    base = top;
    width *= shrink;
  });
  roof(site, style.mainRoof, W / 2, base, width, base - H * 0.01, 10);
  if (random.chance(0.5))
    for (const side of [-1, 1])
      roof(site, style.sideRoof, W / 2 + side * width * 0.5, base, width * 0.24, (base - H * 0.01) * 0.5, 12);
  drawPlinth(site, 0, H, W, plinth, 2);
}

/** Many low tiers crowded with niches and statues. */
export function pyramid(site: Site): void {
  const { board, random, style } = site;
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
    const top = drawBlock(site, {
      left: (W - width) / 2,
      base,
      width,
      storeys: [height],
      bays,
      level: 20 - i * 3,
      niches: 0.75,
      ...(i === 0 ? { portalBays: middleBays(bays) } : {}),
    });
    if (i === 0)
      drawPortal(board, random, W / 2, base - height * 0.86, base, width * 0.2, style.portal, 2, site.trim, 22);
    else if (random.chance(0.7))
      drawNiche(board, random, W / 2, top + height * 0.1, base, width * 0.14, style.window, site.trim, 24 - i * 3);
    const figures = random.int(2, 6);
    for (let f = 0; f < figures; f++)
      drawFigure(
        board,
        random,
        W / 2 + (f / Math.max(1, figures - 1) - 0.5) * width * 0.94,
        top + height * 0.04,
        height * 0.3,
        shade(random.chance(0.4) ? site.trim.accent : site.trim.trimColor, random.range(0.9, 1.3)),
        14,
      );
    base = top;
  });
  roof(site, style.mainRoof, W / 2, base, W * topWidth * 1.05, base - H * 0.01, 6);
  drawPlinth(site, 0, H, W, plinth, 2);
}
