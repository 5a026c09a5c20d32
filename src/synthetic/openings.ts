/** @file Windows, doors and niches: a moulded frame, a recess and what is seen in it. */
import { type Shader, type Relief, type Rgb } from './relief.js';
import { shade } from './materials.js';
import { fractalNoise } from './noise.js';
import { drawFigure, drawOrnament } from './ornaments.js';
import { type ArchShape, archedOpening, ellipse, rectangle, regularPolygon, rosette, stroke } from './paths.js';
import type { Random } from './random.js';
import type { GlazingKind } from './style.js';

export interface OpeningColors {
  trim: Shader;
  trimColor: Rgb;
  accent: Rgb;
}

/** The frame that runs around an opening, `margin` px wide. */
function drawFrame(
  board: Relief,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  shape: ArchShape,
  margin: number,
  level: number,
  trim: Shader,
): void {
  board.fill([archedOpening(cx, top - margin, bottom, width + 2 * margin, shape)], {
    color: trim,
    relief: level + margin * 0.7,
  });
  board.fill([archedOpening(cx, top - margin * 0.4, bottom, width + 0.8 * margin, shape)], {
    relief: level + margin * 0.2,
  });
}

/** A window; the sill is at `bottom`. `level` is the wall's relief. */
export function drawWindow(
  board: Relief,
  random: Random,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  shape: ArchShape,
  glazing: GlazingKind,
  colors: OpeningColors,
  level: number,
): void {
  const margin = Math.max(2, width * 0.13);
  drawFrame(board, cx, top, bottom, width, shape, margin, level, colors.trim);
  board.fill([rectangle(cx - width / 2 - margin * 1.4, bottom, width + margin * 2.8, margin * 0.8)], {
    color: colors.trim,
    relief: level + margin,
  });
  const inner = archedOpening(cx, top, bottom, width, shape);
  const lit = random.chance(0.6) ? random.range(0.4, 1) : 0;
  const tone = random.range(0.08, 0.24);
  const ox = random.range(0, 400);
  const glass: Shader = (x, y, point) => {
    const sheen = fractalNoise(x * 0.25 + ox, y * 0.25) * 0.22;
    point.r = tone * 0.8 + sheen * 0.7;
    point.g = tone * 0.9 + sheen * 0.9;
    point.b = tone + sheen;
  };
  board.fill([inner], { color: glass, relief: level - width * 0.22, glow: lit });
  const bar = Math.max(1.2, width * 0.05);
  const barColor = random.chance(0.5)
    ? shade(colors.trimColor, random.range(0.7, 1.1))
    : shade(colors.accent, random.range(0.8, 1.2));
  const barPaint = { color: barColor, relief: level - width * 0.12, solid: false };
  const height = bottom - top;
  switch (glazing) {
    case 'bars': {
      const rows = random.int(2, 4);
      const columns = random.int(1, 2);
      for (let i = 1; i <= columns; i++)
        board.fill([rectangle(cx - width / 2 + (width * i) / (columns + 1) - bar / 2, top, bar, height)], barPaint);
      for (let j = 1; j <= rows; j++)
        board.fill([rectangle(cx - width / 2, top + (height * j) / (rows + 1) - bar / 2, width, bar)], barPaint);
      break;
    }
    case 'tracery': {
      board.fill([rectangle(cx - bar / 2, top, bar, height)], barPaint);
      const ring = width * random.range(0.2, 0.3);
      board.fill(
        [
          ellipse(cx, top + width * 0.45, ring),
          rosette(cx, top + width * 0.45, ring * 0.85, ring * 0.4, random.int(3, 6), random.range(0, 2)),
        ],
        { ...barPaint, color: shade(colors.trimColor, 0.95) },
      );
      board.fill(
        [
          archedOpening(cx - width * 0.25, top + height * 0.38, bottom, width * 0.46, 'pointed'),
          archedOpening(cx - width * 0.25, top + height * 0.38 + bar, bottom, width * 0.46 - 2 * bar, 'pointed'),
        ],
        barPaint,
      );
      board.fill(
        [
          archedOpening(cx + width * 0.25, top + height * 0.38, bottom, width * 0.46, 'pointed'),
          archedOpening(cx + width * 0.25, top + height * 0.38 + bar, bottom, width * 0.46 - 2 * bar, 'pointed'),
        ],
        barPaint,
      );
      break;
    }
    case 'shutters': {
      const color = shade(colors.accent, random.range(0.75, 1.25));
      const open = random.range(0.1, 0.5);
      for (const side of [-1, 1]) {
        const w = width * (0.5 - open * 0.4 * random.range(0.5, 1));
        const x = side < 0 ? cx - width / 2 : cx + width / 2 - w;
        const slat = Math.max(2.4, height / 16);
        const louvre: Shader = (_x, y, point) => {
          const k = (y % slat) / slat < 0.35 ? 0.55 : 1;
          point.r = color[0] * k;
          point.g = color[1] * k;
          point.b = color[2] * k;
          point.relief = k < 1 ? -0.8 : 0;
        };
        board.fill(
          [rectangle(x, top + (shape === 'flat' ? 0 : width * 0.3), w, height - (shape === 'flat' ? 0 : width * 0.3))],
          { color: louvre, relief: level, solid: false },
        );
      }
      break;
    }
    case 'lattice': {
      const step = Math.max(4, width / random.int(3, 5));
      const offset = random.range(0, step);
      const color = shade(colors.trimColor, random.range(0.75, 1));
      const cell: Shader = (x, y, point) => {
        const a = (((x + y + offset) % step) + step) % step;
        const b = (((x - y + offset) % step) + step) % step;
        const on = a < step * 0.3 || b < step * 0.3;
        const k = on ? 1 : 0.12;
        point.r = color[0] * k;
        point.g = color[1] * k;
        point.b = color[2] * k;
        point.relief = on ? width * 0.08 : 0;
      };
      board.fill([inner], { color: cell, relief: level - width * 0.2, solid: false, glow: lit * 0.5 });
      break;
    }
    case 'curtain': {
      const color: Rgb = [random.range(0.5, 0.95), random.range(0.4, 0.9), random.range(0.35, 0.85)];
      const drop = random.range(0.2, 0.75);
      board.fill([rectangle(cx - width * 0.42, top + height * 0.1, width * 0.84, height * drop)], {
        color,
        relief: level - width * 0.2,
        solid: false,
        opacity: 0.8,
      });
      board.fill([rectangle(cx - bar / 2, top, bar, height)], barPaint);
      break;
    }
    case 'dark':
      break;
  }
}

/** A portal of `orders` receding frames around double doors or a dark passage; `wide` ones have a carved tympanum. */
export function drawPortal(
  board: Relief,
  random: Random,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  shape: ArchShape,
  orders: number,
  colors: OpeningColors,
  level: number,
): void {
  const step = width * 0.07;
  let w = width;
  let t = top;
  for (let i = 0; i < orders; i++) {
    const tone = shade(colors.trimColor, i % 2 ? 0.82 : 1.02);
    board.fill([archedOpening(cx, t, bottom, w, shape)], {
      color: i % 2 ? tone : colors.trim,
      relief: level + step * (orders * 0.4 - i),
    });
    if (i === 0 && random.chance(0.7)) {
      // Carved blocks along the outer arch.
      const count = random.int(9, 17);
      for (let j = 0; j < count; j++) {
        const a = Math.PI * (1 + (j + 0.5) / count);
        const r = w / 2 - step * 0.5;
        drawOrnament(
          board,
          random,
          cx + Math.cos(a) * r - step * 0.45,
          t + w / 2 + Math.sin(a) * r - step * 0.45,
          step * 0.9,
          step * 0.9,
          { ground: shade(tone, 0.7), figure: tone, accent: colors.accent },
          1.5,
        );
      }
    }
    w -= 2 * step;
    t += step;
  }
  const floor = level - width * 0.25;
  const passage: Shader = (x, y, point) => {
    const k = 0.05 + 0.1 * fractalNoise(x * 0.2, y * 0.2) + 0.1 * Math.max(0, (y - t) / (bottom - t) - 0.6);
    point.r = k * 1.1;
    point.g = k;
    point.b = k * 0.9;
  };
  board.fill([archedOpening(cx, t, bottom, w, shape)], { color: passage, relief: floor, glow: 0.35 });
  const lintel = t + (bottom - t) * (shape === 'flat' ? 0.12 : 0.36);
  if (random.chance(0.8)) {
    // Tympanum: the field above the door leaves.
    const clip = archedOpening(cx, t, lintel, w, shape);
    board.fill([clip], { color: shade(colors.trimColor, 0.9), relief: level - width * 0.1, glow: 0.15, solid: false });
    const figures = random.int(1, 4);
    for (let i = 0; i < figures; i++) {
      const fx = cx + ((i + 0.5) / figures - 0.5) * w * 0.6;
      drawFigure(
        board,
        random,
        fx,
        lintel - 1,
        (lintel - t) * random.range(0.5, 0.72),
        shade(colors.trimColor, random.range(0.7, 1.15)),
        level - width * 0.06,
      );
    }
    board.fill([rectangle(cx - w / 2, lintel - step * 0.3, w, step * 0.7)], {
      color: colors.trim,
      relief: level - width * 0.05,
      solid: false,
    });
  }
  if (random.chance(0.75)) {
    const leaf = shade(colors.accent, random.range(0.5, 0.9));
    for (const side of [-1, 1]) {
      const x = side < 0 ? cx - w / 2 : cx + 1;
      board.fill([rectangle(x, lintel + step * 0.4, w / 2 - 1, bottom - lintel)], {
        color: leaf,
        relief: level - width * 0.18,
        solid: false,
      });
      const panels = random.int(2, 4);
      for (let i = 0; i < panels; i++) {
        const h = (bottom - lintel - step) / panels;
        drawOrnament(
          board,
          random,
          x + w * 0.06,
          lintel + step * 0.6 + i * h,
          w * 0.38,
          h * 0.84,
          { ground: shade(leaf, 0.6), figure: shade(leaf, 1.5), accent: colors.trimColor },
          1.5,
        );
      }
    }
  }
}

/** A blind niche with a statue or a relief. */
export function drawNiche(
  board: Relief,
  random: Random,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  shape: ArchShape,
  colors: OpeningColors,
  level: number,
): void {
  const margin = Math.max(2, width * 0.1);
  drawFrame(board, cx, top, bottom, width, shape, margin, level, colors.trim);
  const back = shade(random.chance(0.4) ? colors.accent : colors.trimColor, random.range(0.45, 0.75));
  const hollow = (x: number) => level - width * 0.3 * Math.sqrt(Math.max(0, 1 - ((2 * (x - cx)) / width) ** 2));
  board.fill([archedOpening(cx, top, bottom, width, shape)], { color: back, relief: hollow, glow: 0.2 });
  if (random.chance(0.65))
    drawFigure(
      board,
      random,
      cx,
      bottom,
      (bottom - top) * random.range(0.72, 0.9),
      shade(colors.trimColor, random.range(0.8, 1.15)),
      level - width * 0.1,
    );
  else
    drawOrnament(
      board,
      random,
      cx - width * 0.42,
      top + (bottom - top) * 0.25,
      width * 0.84,
      (bottom - top) * 0.7,
      { ground: back, figure: colors.trimColor, accent: colors.accent },
      2.5,
    );
}

/** A round window with stone spokes. */
export function drawRoseWindow(
  board: Relief,
  random: Random,
  cx: number,
  cy: number,
  radius: number,
  colors: OpeningColors,
  level: number,
): void {
  const petals = random.int(6, 14);
  board.fill([ellipse(cx, cy, radius * 1.18)], { color: colors.trim, relief: level + radius * 0.08 });
  const ring = random.int(10, 20);
  for (let i = 0; i < ring; i++) {
    const a = (2 * Math.PI * i) / ring;
    drawOrnament(
      board,
      random,
      cx + Math.cos(a) * radius * 1.09 - radius * 0.08,
      cy + Math.sin(a) * radius * 1.09 - radius * 0.08,
      radius * 0.16,
      radius * 0.16,
      { ground: shade(colors.trimColor, 0.7), figure: shade(colors.trimColor, 1.1), accent: colors.accent },
      1,
    );
  }
  const tints: Rgb[] = [
    [0.2, 0.25, 0.5],
    [0.45, 0.14, 0.16],
    [0.16, 0.32, 0.25],
    [0.45, 0.36, 0.12],
  ];
  board.fill([ellipse(cx, cy, radius)], { color: [0.1, 0.1, 0.14], relief: level - radius * 0.1, glow: 0.7 });
  for (let i = 0; i < petals; i++) {
    const a = (2 * Math.PI * (i + 0.5)) / petals;
    const r = (radius * 0.9 * Math.PI) / petals;
    board.fill(
      [ellipse(cx + Math.cos(a) * radius * 0.72, cy + Math.sin(a) * radius * 0.72, Math.min(radius * 0.26, r * 0.7))],
      { color: random.pick(tints), relief: level - radius * 0.1, glow: 0.9 },
    );
    board.fill(
      stroke(
        [
          cx + Math.cos(a + Math.PI / petals) * radius * 0.25,
          cy + Math.sin(a + Math.PI / petals) * radius * 0.25,
          cx + Math.cos(a + Math.PI / petals) * radius,
          cy + Math.sin(a + Math.PI / petals) * radius,
        ],
        radius * 0.05,
      ),
      { color: colors.trimColor, relief: level },
    );
  }
  board.fill([rosette(cx, cy, radius * 0.36, radius * 0.2, random.int(5, 9), random.range(0, 1))], {
    color: colors.trimColor,
    relief: level + 1,
  });
  board.fill([regularPolygon(cx, cy, radius * 0.16, random.int(4, 8))], {
    color: random.pick(tints),
    relief: level - 2,
    glow: 0.9,
  });
}
