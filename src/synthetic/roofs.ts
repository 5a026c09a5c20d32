/** @file Roofs: domes, spires, gables, kiosks. All stand on a base line and may be cut by the board's top. */
import { drawBalustrade, drawBattlement, type Trim } from './mouldings.js';
import { fractalNoise } from './noise.js';
import { drawFigure, drawOrnament } from './ornaments.js';
import { drawRoseWindow, drawWindow } from './openings.js';
import { archedOpening, ellipse, profile, rectangle, star, stroke } from './paths.js';
import { shade } from './materials.js';
import { cellRandom, type Random } from './random.js';
import type { Relief, Rgb, Shader } from './relief.js';
import type { RoofKind, Style } from './style.js';

export interface RoofSite {
  board: Relief;
  random: Random;
  style: Style;
  wall: Shader;
  trim: Trim;
  cx: number;
  /** y of the line that the roof stands on. */
  base: number;
  width: number;
  /** Height available to the roof. */
  height: number;
  level: number;
}

const domeCurve = [
  [0, 0.94],
  [0.15, 1],
  [0.35, 0.97],
  [0.55, 0.86],
  [0.72, 0.68],
  [0.86, 0.44],
  [0.95, 0.2],
  [1, 0.04],
] as const;
const onionCurve = [
  [0, 0.72],
  [0.12, 0.95],
  [0.25, 1.06],
  [0.4, 1],
  [0.56, 0.76],
  [0.7, 0.45],
  [0.82, 0.22],
  [0.92, 0.1],
  [1, 0.02],
] as const;

/** Sheets, ribs or tiles of a roof, lighter towards random spots. */
function covering(style: Style, random: Random, cx: number, half: number, ribs: number): Shader {
  const color = style.roofColor;
  const seed = Math.floor(random.range(0, 1 << 30));
  const course = random.range(7, 13);
  const scales = random.chance(0.5);
  const bright = shade(color, 1.3);
  return (x, y, point) => {
    const row = Math.floor(y / course);
    const u = Math.asin(Math.max(-1, Math.min(1, (x - cx) / half))) * ribs * 0.64;
    const column = Math.floor(u + (scales && row % 2 ? 0.5 : 0));
    const fraction = u - Math.floor(u);
    const seam = scales ? (y / course - row > 0.85 ? 1 : 0) : fraction < 0.09 ? 1 : 0;
    const tone = cellRandom(seed, column, row);
    const light =
      (0.75 + 0.35 * fractalNoise(x * 0.12 + (seed & 255), y * 0.08)) * (0.78 + 0.4 * tone) * (seam ? 0.72 : 1);
    const from = tone > 0.9 ? bright : color;
    point.r = from[0] * light;
    point.g = from[1] * light;
    point.b = from[2] * light;
    point.relief = seam ? (scales ? -1 : 1.5) : 0;
  };
}

function drawFinial({ board, random, trim }: RoofSite, cx: number, bottom: number, height: number): void {
  const gold: Rgb = random.chance(0.5) ? [0.8, 0.65, 0.25] : shade(trim.trimColor, 0.9);
  const h = height * random.range(0.7, 1);
  board.fill([rectangle(cx - h * 0.03, bottom - h, h * 0.06, h)], { color: gold, relief: 4 });
  board.fill([ellipse(cx, bottom - h * 0.2, h * 0.13, h * 0.1)], { color: gold, relief: 6 });
  board.fill([ellipse(cx, bottom - h * 0.45, h * 0.09)], { color: gold, relief: 6 });
  const top = random.int(0, 3);
  if (top === 0) board.fill([star(cx, bottom - h, h * 0.14, h * 0.06, random.int(4, 8))], { color: gold, relief: 4 });
  else if (top === 1)
    board.fill([rectangle(cx - h * 0.13, bottom - h * 0.9, h * 0.26, h * 0.06)], { color: gold, relief: 4 });
  else if (top === 2)
    board.fill([ellipse(cx, bottom - h, h * 0.13), ellipse(cx + h * 0.06, bottom - h * 1.02, h * 0.11)], {
      color: gold,
      relief: 4,
    });
}

/** A dome on a drum; the drum has windows. */
function drawDome(site: RoofSite, curve: readonly (readonly [number, number])[]): void {
  const { board, random, style, trim, cx, base, width, height, level } = site;
  const finial = height * 0.14;
  const drum = height * random.range(0.16, 0.26);
  const half = width * 0.46;
  const round = (x: number) => level + half * 0.7 * Math.sqrt(Math.max(0, 1 - ((x - cx) / half) ** 2));
  board.fill([rectangle(cx - half * 0.9, base - drum, half * 1.8, drum + 2)], { color: trim.trim, relief: round });
  const count = Math.max(3, Math.round(random.range(5, 9) * Math.min(1, width / 160 + 0.4)));
  for (let i = 0; i < count; i++) {
    const u = Math.sin(((i + 0.5) / count - 0.5) * Math.PI * 0.9);
    const w = (half * 1.1 * Math.cos(Math.asin(u))) / count;
    if (w > 4)
      drawWindow(
        board,
        random,
        cx + u * half * 0.9,
        base - drum * 0.82,
        base - drum * 0.18,
        w,
        style.window,
        'dark',
        trim,
        level + half * 0.4,
      );
  }
  board.fill([rectangle(cx - half * 0.98, base - drum * 1.08, half * 1.96, drum * 0.14)], {
    color: trim.trim,
    relief: level + half * 0.75,
  });
  const rise = height - drum - finial;
  const top = base - drum;
  const ball = (x: number, y: number) => {
    const u = (x - cx) / half;
    const v = Math.max(0, (top - y) / rise - 0.2) / 0.85;
    return level + half * 0.7 * Math.sqrt(Math.max(0, 1 - u * u - v * v * 0.9));
  };
  board.fill([profile(cx, top, rise, half, curve)], {
    color: covering(style, random, cx, half * 1.1, random.int(8, 18)),
    relief: ball,
  });
  if (random.chance(0.5))
    drawOrnament(
      board,
      random,
      cx - half * 0.85,
      top - rise * 0.24,
      half * 1.7,
      rise * 0.14,
      { ground: shade(style.roofColor, 0.7), figure: trim.trimColor, accent: trim.accent },
      1.5,
    );
  drawFinial(site, cx, top - rise + 2, finial);
}

function drawSpire(site: RoofSite): void {
  const { board, random, style, cx, base, width, height, level } = site;
  const half = width * 0.46;
  const h = height * 0.9;
  board.fill([[cx - half, base, cx + half, base, cx + half * 0.03, base - h, cx - half * 0.03, base - h]], {
    color: covering(style, random, cx, half, random.int(5, 9)),
    relief: (x, y) => level + half * 0.6 * Math.max(0, 1 - Math.abs(x - cx) / half - (base - y) / h),
  });
  const rows = random.int(1, 3);
  for (let i = 0; i < rows; i++) {
    const y = base - h * (0.12 + i * 0.2);
    const w = half * 0.5 * (1 - (base - y) / h);
    if (w > 5) drawWindow(board, random, cx, y - w * 1.6, y, w, style.window, 'dark', site.trim, level + half * 0.4);
  }
  drawFinial(site, cx, base - h + 3, height * 0.16);
}

/** A triangular pediment with a carved field. */
function drawPediment(site: RoofSite): void {
  const { board, random, trim, wall, cx, base, width, height, level } = site;
  const half = width / 2;
  const h = Math.min(height * 0.8, width * random.range(0.2, 0.3));
  board.fill([[cx - half * 1.04, base, cx + half * 1.04, base, cx, base - h]], {
    color: trim.trim,
    relief: level + 12,
  });
  board.fill([[cx - half * 0.84, base - h * 0.08, cx + half * 0.84, base - h * 0.08, cx, base - h * 0.86]], {
    color: wall,
    relief: level,
  });
  const figures = random.int(5, 9);
  for (let i = 0; i < figures; i++) {
    const u = ((i + 0.5) / figures - 0.5) * 1.3;
    const tall = h * 0.72 * (1 - Math.abs(u)) * random.range(0.8, 1);
    if (tall < 8) continue;
    const color = shade(trim.trimColor, random.range(0.75, 1.15));
    if (random.chance(0.75)) drawFigure(board, random, cx + u * half * 0.9, base - h * 0.09, tall, color, level + 5);
    else
      drawOrnament(
        board,
        random,
        cx + u * half * 0.9 - tall * 0.4,
        base - h * 0.09 - tall * 0.8,
        tall * 0.8,
        tall * 0.8,
        { ground: color, figure: trim.trimColor, accent: trim.accent },
        3,
      );
  }
  for (const u of [-1, 0, 1])
    if (random.chance(0.6))
      drawFigure(
        board,
        random,
        cx + u * half * 0.97,
        base - (u === 0 ? h * 0.97 : h * 0.03),
        h * 0.34,
        trim.trimColor,
        level + 8,
      );
}

function drawGable(site: RoofSite): void {
  const { board, random, style, wall, trim, cx, base, width, height, level } = site;
  const half = width / 2;
  const h = Math.min(height * 0.92, width * random.range(0.55, 0.8));
  const steps = random.chance(0.35) ? random.int(4, 7) : 0;
  const outline: number[] = [cx - half, base];
  for (let i = 0; i < steps; i++) {
    const x = cx - half * (1 - i / steps);
    outline.push(
      x,
      base - (h * (i + 1)) / steps,
      cx - half * (1 - (i + 1) / steps) - (i === steps - 1 ? half * 0.1 : 0),
      base - (h * (i + 1)) / steps,
    );
  }
  if (steps === 0) outline.push(cx, base - h);
  for (let i = outline.length - 2; i >= 0; i -= 2) outline.push(2 * cx - outline[i], outline[i + 1]);
  board.fill([outline], { color: wall, relief: level });
  if (steps === 0)
    board.fill(stroke([cx - half * 1.03, base, cx, base - h - 3, cx + half * 1.03, base], height * 0.06), {
      color: trim.trim,
      relief: level + 10,
    });
  const r = Math.min(half, h) * 0.27;
  if (random.chance(0.6)) drawRoseWindow(board, random, cx, base - h * 0.36, r, trim, level);
  else
    drawWindow(board, random, cx, base - h * 0.66, base - h * 0.14, r * 1.3, style.window, style.glazing, trim, level);
  drawFinial(site, cx, base - h + 2, height * 0.14);
}

/** A roof slope seen from the front, with dormers. */
function drawSlope(site: RoofSite, inset: number, dormers: boolean): void {
  const { board, random, style, trim, wall, cx, base, width, height, level } = site;
  const half = width / 2;
  const h = Math.min(height * 0.75, width * 0.34);
  board.fill(
    [[cx - half * 1.05, base, cx + half * 1.05, base, cx + half * inset, base - h, cx - half * inset, base - h]],
    {
      color: covering(style, random, cx, half * 1.3, random.int(14, 30)),
      relief: (_x, y) => level - (base - y) * 0.5,
    },
  );
  board.fill([rectangle(cx - half * inset, base - h - 3, width * inset, 5)], { color: trim.trimColor, relief: level });
  if (dormers) {
    const count = random.int(2, 5);
    for (let i = 0; i < count; i++) {
      const x = cx + ((i + 0.5) / count - 0.5) * width * 0.86 * Math.min(1, inset + 0.1);
      const w = Math.min(h * 0.4, (width / count) * 0.45);
      board.fill([archedOpening(x, base - h * 0.82, base - h * 0.08, w * 1.5, 'round')], {
        color: wall,
        relief: level + 4,
      });
      drawWindow(board, random, x, base - h * 0.66, base - h * 0.16, w * 0.8, style.window, 'bars', trim, level + 4);
    }
  }
  for (const side of [-1, 1]) {
    if (!random.chance(0.5)) continue;
    const x = cx + side * half * inset * random.range(0.4, 0.9);
    board.fill([rectangle(x - width * 0.018, base - h * 1.3, width * 0.036, h * 0.5)], { color: wall, relief: level });
  }
}

/** An open pavilion: slim columns under a small dome. */
function drawKiosk(site: RoofSite): void {
  const { board, random, trim, cx, base, width, height, level } = site;
  const half = width * 0.42;
  const open = height * random.range(0.3, 0.4);
  board.fill([rectangle(cx - half, base - height * 0.06, half * 2, height * 0.06)], {
    color: trim.trim,
    relief: level + 6,
  });
  const count = random.int(3, 5);
  for (let i = 0; i < count; i++) {
    const x = cx - half * 0.9 + (i * half * 1.8) / (count - 1);
    board.fill([rectangle(x - half * 0.07, base - open, half * 0.14, open)], { color: trim.trim, relief: level + 4 });
  }
  board.fill([rectangle(cx - half * 1.15, base - open - height * 0.06, half * 2.3, height * 0.07)], {
    color: trim.trim,
    relief: level + 12,
  });
  drawDome(
    { ...site, base: base - open - height * 0.05, width: half * 2, height: height - open },
    random.chance(0.5) ? domeCurve : onionCurve,
  );
}

/** Draws a roof of `kind` on its site. */
export function drawRoof(kind: RoofKind, site: RoofSite): void {
  const { board, random, trim, cx, base, width, height, level } = site;
  const left = cx - width / 2;
  switch (kind) {
    case 'flat': {
      const h = Math.min(height * 0.3, width * 0.08);
      drawBalustrade(board, random, left, base + 1, width, h, trim, level);
      const statues = Math.round(random.range(2, 6));
      for (let i = 0; i < statues; i++) {
        if (random.chance(0.7))
          drawFigure(
            board,
            random,
            left + ((i + 0.5) * width) / statues,
            base - h,
            Math.min(height * 0.5, h * 1.6),
            shade(trim.trimColor, random.range(0.8, 1.1)),
            level + 3,
          );
      }
      break;
    }
    case 'battlement':
      drawBattlement(
        board,
        random,
        left,
        base + 1,
        width,
        Math.min(height * 0.4, width * 0.14),
        site.wall,
        level,
        random.int(0, 2),
      );
      break;
    case 'pediment':
      drawPediment(site);
      break;
    case 'gable':
      drawGable(site);
      break;
    case 'hip':
      drawSlope(site, random.range(0.45, 0.75), false);
      break;
    case 'mansard':
      drawSlope(site, random.range(0.8, 0.92), true);
      break;
    case 'dome':
      drawDome(site, domeCurve);
      break;
    case 'onion':
      drawDome(site, onionCurve);
      break;
    case 'spire':
      drawSpire(site);
      break;
    case 'kiosk':
      drawKiosk(site);
      break;
    case 'steps': {
      const count = random.int(3, 5);
      for (let i = 0; i < count; i++) {
        const w = width * (1 - (i + 0.3) / (count + 0.6));
        const h = (height * 0.7) / count;
        board.fill([rectangle(cx - w / 2, base - h * (i + 1), w, h + 1)], { color: site.wall, relief: level - i * 4 });
        drawOrnament(
          board,
          random,
          cx - w * 0.46,
          base - h * (i + 0.88),
          w * 0.92,
          h * 0.74,
          { ground: shade(trim.trimColor, 0.75), figure: trim.trimColor, accent: trim.accent },
          2,
        );
      }
      drawFinial(site, cx, base - height * 0.7 + 2, height * 0.25);
      break;
    }
  }
}
