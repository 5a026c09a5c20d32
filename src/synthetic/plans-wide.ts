/** @file Plans of long, low buildings. Each draws a whole facade on its site's board. */
import { shade } from './materials.js';
import { drawColumn, drawCornice } from './mouldings.js';
import { drawPortal } from './openings.js';
import { drawInscription, drawOrnament } from './ornaments.js';
import { rectangle } from './paths.js';
import { drawBlock, drawPlinth, type Site } from './walls.js';

import { middleBays, roof, splitHeights } from './plan-parts.js';

/** A centre with a portal between two wings. */
export function palace(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const centre = W * random.range(0.26, 0.4);
  const plinth = H * 0.05;
  const base = H - plinth;
  const wing = H * random.range(0.5, 0.6);
  const rise = H * random.range(0.08, 0.18);
  const bays = style.bays + (style.bays % 2 === 0 ? 1 : 0);
  const wingWidth = (W * 0.96 - centre) / 2;
  const wingBays = Math.max(2, Math.round(bays / 2));
  const heights = splitHeights(random, wing, style.storeys);
  for (const side of [-1, 1]) {
    const left = side < 0 ? W * 0.02 : W * 0.98 - wingWidth;
    const top = drawBlock(site, { left, base, width: wingWidth, storeys: heights, bays: wingBays, level: 6 });
    roof(
      site,
      style.sideRoof === 'battlement' ? 'battlement' : style.mainRoof === 'mansard' ? 'mansard' : 'flat',
      left + wingWidth / 2,
      top,
      wingWidth,
      H * 0.2,
      6,
    );
    if (random.chance(0.6)) {
      const w = wingWidth * 0.3;
      roof(
        site,
        style.sideRoof,
        side < 0 ? left + w / 2 : left + wingWidth - w / 2,
        top,
        w,
        H * random.range(0.16, 0.26),
        8,
      );
    }
  }
  const mid = random.int(1, 2) * 2 + 1;
  const top = drawBlock(site, {
    left: (W - centre) / 2,
    base,
    width: centre,
    storeys: heights.map((h) => h * (1 + rise / wing)),
    bays: mid,
    level: 16,
    portalBays: middleBays(mid),
  });
  roof(site, style.mainRoof, W / 2, top, centre, top - H * 0.01, 16);
  drawPortal(
    board,
    random,
    W / 2,
    base - heights[0] * 0.9,
    base,
    Math.min((centre / mid) * 1.1, heights[0] * 0.7),
    style.portal,
    random.int(1, 3),
    site.trim,
    18,
  );
  drawPlinth(site, 0, H, W, plinth, random.int(1, 3));
}

/** A portico of columns under a pediment, on steps. */
export function temple(site: Site): void {
  const { board, random, style } = site;
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
      const w = (W * 0.98 - front) / 2;
      const x = side < 0 ? W * 0.01 : W * 0.99 - w;
      const t = drawBlock(site, { left: x, base, width: w, storeys: splitHeights(random, low, 1), bays: 2, level: -6 });
      roof(site, 'flat', x + w / 2, t, w, H * 0.15, -6);
    }
  }
  drawBlock(site, {
    left,
    base,
    width: front,
    storeys: [tall],
    bays: columns - 1,
    level: -12,
    portalBays: middleBays(columns - 1),
    niches: 0.35,
    openingWidth: 0.36,
  });
  const bay = front / columns;
  drawPortal(board, random, W / 2, base - tall * 0.72, base, bay * 0.7, style.portal, 2, site.trim, -10);
  const entablature = H * random.range(0.09, 0.13);
  const top = base - tall;
  const thick = bay * random.range(0.28, 0.4);
  const fluted = random.chance(0.6);
  for (let i = 0; i < columns; i++)
    drawColumn(board, random, left + (i + 0.5) * bay, top, base, thick, site.trim, 8, fluted);
  board.fill([rectangle(left, top - entablature, front, entablature)], { color: site.trim.trim, relief: 14 });
  if (random.chance(0.5))
    drawInscription(
      board,
      random,
      left + front * 0.05,
      top - entablature * 0.5,
      front * 0.9,
      entablature * 0.45,
      shade(site.trim.trimColor, 0.45),
    );
  else
    drawOrnament(
      board,
      random,
      left + front * 0.02,
      top - entablature * 0.52,
      front * 0.96,
      entablature * 0.48,
      { ground: shade(site.trim.trimColor, 0.7), figure: site.trim.trimColor, accent: site.trim.accent },
      2.5,
    );
  drawCornice(board, random, left, top - entablature, front, entablature * 0.5, style.cornice, site.trim, 14);
  roof(site, style.mainRoof, W / 2, top - entablature, front, top - entablature - 4, 10);
  if (random.chance(0.3))
    roof(site, 'dome', W / 2, (top - entablature) * 0.55, front * 0.3, (top - entablature) * 0.55, 0);
  drawPlinth(site, W * 0.01, H, W * 0.98, steps, random.int(4, 7));
}

/** Rows of arches over each other. */
export function arcade(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.04;
  const storeys = style.storeys + 1;
  const bays = style.bays + random.int(2, 4);
  const total = H * random.range(0.72, 0.8);
  const heights = splitHeights(random, total, storeys);
  let base = H - plinth;
  const stepped = random.chance(0.5) ? random.range(0.04, 0.09) : 0;
  heights.forEach((height, i) => {
    const inset = W * stepped * Math.max(0, i - 1);
    const width = W * 0.97 - 2 * inset;
    const n = Math.max(5, Math.round(bays * (width / W)));
    base = drawBlock(site, {
      left: (W - width) / 2,
      base,
      width,
      storeys: [height],
      bays: n,
      level: 10 - i * 2,
      openingWidth: 0.6,
      niches: style.niches * 0.5,
      ...(i === 0 ? { portalBays: middleBays(n) } : {}),
    });
    if (i === 0)
      drawPortal(
        board,
        random,
        W / 2,
        base + height * 0.16,
        base + height,
        (width / n) * (n % 2 ? 1 : 1.5),
        style.portal,
        2,
        site.trim,
        12,
      );
    if (i === storeys - 1) roof(site, style.mainRoof, W / 2, base, width, base - 4, 8);
  });
  const kiosks = random.int(0, 3);
  for (let i = 0; i < kiosks; i++)
    roof(site, style.sideRoof, W * (0.5 + ((i + 0.5) / kiosks - 0.5) * 0.7), base, W * 0.1, base * 0.95, 8);
  drawPlinth(site, 0, H, W, plinth, random.int(1, 3));
}

/** A triumphal arch, or a fort's gate between towers. */
export function gate(site: Site): void {
  const { board, random, style } = site;
  const { width: W, height: H } = board;
  const plinth = H * 0.03;
  const base = H - plinth;
  const towers = style.sideRoof === 'battlement' || style.sideRoof === 'hip' || style.sideRoof === 'spire';
  const side = towers ? W * random.range(0.2, 0.26) : 0;
  const body = W * 0.97 - side * 1.6;
  const bodyHeight = H * random.range(0.54, 0.62);
  const attic = H * random.range(0.12, 0.18);
  const arches = random.chance(0.5) ? 3 : 1;
  const left = (W - body) / 2;
  let top = drawBlock(site, {
    left,
    base,
    width: body,
    storeys: [bodyHeight],
    bays: 5,
    level: 4,
    portalBays: arches === 3 ? [0, 1, 2, 3, 4] : [1, 2, 3],
    niches: 0.6,
  });
  const centre = body * (arches === 3 ? 0.3 : random.range(0.36, 0.44));
  drawPortal(board, random, W / 2, top + bodyHeight * 0.28, base, centre, style.portal, 2, site.trim, 6);
  for (const s of [-1, 1]) {
    const x = W / 2 + s * body * 0.33;
    if (arches === 3)
      drawPortal(board, random, x, top + bodyHeight * 0.5, base, body * 0.17, style.portal, 2, site.trim, 6);
    const size = body * 0.13;
    if (arches === 3)
      drawOrnament(
        board,
        random,
        x - size / 2,
        top + bodyHeight * 0.26,
        size,
        size,
        { ground: shade(site.trim.trimColor, 0.7), figure: site.trim.trimColor, accent: site.trim.accent },
        3,
      );
    for (const u of [0.2, 0.45])
      drawColumn(board, random, W / 2 + s * body * u, top + bodyHeight * 0.17, base, body * 0.05, site.trim, 12, true);
  }
  const atticBase = top;
  top -= attic;
  board.fill([rectangle(left + body * 0.02, top, body * 0.96, attic)], { color: site.wall, relief: 4 });
  board.fill([rectangle(left + body * 0.22, top + attic * 0.24, body * 0.56, attic * 0.6)], {
    color: site.trim.trim,
    relief: 8,
  });
  drawInscription(
    board,
    random,
    left + body * 0.23,
    top + attic * 0.26,
    body * 0.54,
    attic * 0.56,
    shade(site.trim.trimColor, 0.4),
  );
  for (const s of [-1, 1])
    drawOrnament(
      board,
      random,
      W / 2 + s * body * 0.38 - attic * 0.32,
      top + attic * 0.22,
      attic * 0.64,
      attic * 0.64,
      { ground: shade(site.trim.trimColor, 0.75), figure: site.trim.trimColor, accent: site.trim.accent },
      3,
    );
  drawCornice(board, random, left, top, body, attic * 0.2, style.cornice, site.trim, 6);
  roof(site, style.mainRoof, W / 2, top, body * 0.96, top - 4, 4);
  if (towers) {
    for (const s of [-1, 1]) {
      const x = s < 0 ? W * 0.01 : W * 0.99 - side;
      const t = drawBlock(site, {
        left: x,
        base,
        width: side,
        storeys: splitHeights(
          random,
          atticBase < H ? H - plinth - top * random.range(0.7, 1.05) : bodyHeight,
          style.storeys + 1,
        ),
        bays: 2,
        level: 22,
        openingWidth: 0.3,
      });
      roof(site, style.sideRoof, x + side / 2, t, side, Math.max(20, t - 4), 22);
    }
  }
  drawPlinth(site, 0, H, W, plinth, 2);
}
