/**
 * @file Reliefs, statues, inscriptions and inlays. Each call draws a new one, so that a landmark carries details that no
 * other building has: they are what keypoints of two photographs can agree on.
 */
import { shade } from './materials.js';
import { archedOpening, ellipse, place, rectangle, regularPolygon, rosette, star, stroke } from './paths.js';
import type { Random } from './random.js';
import type { Path } from './rasterize.js';
import type { Relief, Rgb } from './relief.js';

export interface OrnamentColors {
  ground: Rgb;
  figure: Rgb;
  accent: Rgb;
}

const kinds = [
  'rosette',
  'star',
  'inscription',
  'figure',
  'shield',
  'scroll',
  'mosaic',
  'interlace',
  'sunburst',
] as const;

/** Draws a random ornament that fills the box (px), standing `depth` px out of the wall. */
export function drawOrnament(
  board: Relief,
  random: Random,
  left: number,
  top: number,
  width: number,
  height: number,
  colors: OrnamentColors,
  depth: number,
): void {
  const wide = width > height * 2;
  const kind = wide ? random.pick(['inscription', 'frieze', 'scroll', 'frieze'] as const) : random.pick(kinds);
  const cx = left + width / 2;
  const cy = top + height / 2;
  const r = Math.min(width, height) / 2;
  const raise = (path: Path, color: Rgb, by = depth) =>
    board.fill(path, { color, relief: by, raise: true, solid: false });
  switch (kind) {
    case 'rosette': {
      const petals = random.int(4, 11);
      raise([ellipse(cx, cy, r * 0.95)], colors.ground, -depth);
      raise([rosette(cx, cy, r * 0.9, r * random.range(0.35, 0.6), petals, random.range(0, 3))], colors.figure);
      raise([rosette(cx, cy, r * 0.5, r * 0.25, random.int(4, 9), random.range(0, 3))], colors.accent);
      raise([ellipse(cx, cy, r * random.range(0.1, 0.2))], shade(colors.figure, 0.6));
      break;
    }
    case 'star': {
      const tips = random.int(5, 12);
      raise([star(cx, cy, r * 0.95, r * random.range(0.4, 0.7), tips)], colors.figure);
      raise([star(cx, cy, r * 0.6, r * random.range(0.2, 0.4), tips, random.range(0, 1))], colors.accent);
      raise([regularPolygon(cx, cy, r * 0.22, random.int(3, 8))], colors.ground, -depth);
      break;
    }
    case 'inscription':
      raise([rectangle(left, top, width, height)], colors.ground, 0);
      drawInscription(board, random, left, top, width, height, shade(colors.accent, 0.7));
      break;
    case 'frieze': {
      const cells = Math.max(2, Math.round(width / height));
      const step = width / cells;
      for (let i = 0; i < cells; i++) {
        drawOrnament(
          board,
          random,
          left + i * step + step * 0.08,
          top + height * 0.06,
          step * 0.84,
          height * 0.88,
          colors,
          depth,
        );
      }
      break;
    }
    case 'figure':
      drawFigure(
        board,
        random,
        cx,
        top + height,
        height * 0.97,
        random.chance(0.7) ? colors.figure : colors.accent,
        depth,
      );
      break;
    case 'shield': {
      const w = r * 1.5;
      raise([archedOpeningFlipped(cx, cy - r * 0.9, cy + r * 0.9, w)], colors.figure);
      const quarter = random.int(0, 3);
      raise(
        [rectangle(cx - (quarter % 2 ? 0 : w * 0.42), cy - (quarter < 2 ? r * 0.75 : 0), w * 0.42, r * 0.7)],
        colors.accent,
        0,
      );
      raise([star(cx, cy, r * 0.4, r * 0.15, random.int(3, 8))], colors.ground, 1);
      raise([rectangle(cx - r * 0.2, cy - r * 1, r * 0.4, r * 0.25)], colors.figure);
      break;
    }
    case 'scroll': {
      const turns = Math.max(1, Math.round(width / height));
      for (let i = 0; i < turns; i++) {
        const points: number[] = [];
        const sx = left + (width * (i + 0.5)) / turns;
        const dir = random.chance(0.5) ? 1 : -1;
        const rate = random.range(0.55, 0.9);
        for (let t = 0; t < 22; t++) {
          const a = dir * t * 0.5 + i;
          const radius = (r * 0.92 * (22 - t * rate)) / 22;
          points.push(sx + radius * Math.cos(a), cy + radius * Math.sin(a));
        }
        for (const polygon of stroke(points, Math.max(1.5, r * 0.16))) raise([polygon], colors.figure);
      }
      break;
    }
    case 'mosaic': {
      const n = random.int(4, 6);
      const cw = width / (2 * n);
      const ch = height / (2 * n);
      raise([rectangle(left, top, width, height)], colors.ground, 0);
      for (let j = 0; j < 2 * n; j++) {
        for (let i = 0; i < n; i++) {
          const choice = random.int(0, 3);
          if (choice === 0) continue;
          const color = choice === 1 ? colors.accent : choice === 2 ? colors.figure : shade(colors.accent, 0.55);
          raise(
            [
              rectangle(left + i * cw, top + j * ch, cw, ch),
              rectangle(left + width - (i + 1) * cw, top + j * ch, cw, ch),
            ],
            color,
            0.6,
          );
        }
      }
      break;
    }
    case 'interlace': {
      const n = random.int(3, 6);
      for (let i = 0; i < n; i++) {
        const angle = (Math.PI * i) / n + random.range(-0.2, 0.2);
        const square = [-1, -1, 1, -1, 1, 1, -1, 1];
        const outer = place(square, cx, cy, r * 0.66, r * random.range(0.25, 0.66), angle);
        const inner = place(square, cx, cy, r * 0.55, r * 0.2, angle);
        raise([outer, inner], i % 2 ? colors.accent : colors.figure);
      }
      break;
    }
    case 'sunburst': {
      const rays = random.int(9, 18);
      for (let i = 0; i < rays; i++) {
        const a = (2 * Math.PI * i) / rays;
        const length = r * random.range(0.6, 0.98);
        const spread = random.range(0.06, 0.16);
        raise(
          [
            [
              cx + Math.cos(a - spread) * r * 0.3,
              cy + Math.sin(a - spread) * r * 0.3,
              cx + Math.cos(a) * length,
              cy + Math.sin(a) * length,
              cx + Math.cos(a + spread) * r * 0.3,
              cy + Math.sin(a + spread) * r * 0.3,
            ],
          ],
          i % 2 ? colors.figure : colors.accent,
        );
      }
      drawMask(board, random, cx, cy, r * 0.36, colors.figure, depth);
      break;
    }
  }
}

function archedOpeningFlipped(cx: number, top: number, bottom: number, width: number): number[] {
  const polygon = archedOpening(cx, top, bottom, width, 'pointed');
  return polygon.map((value, i) => (i % 2 === 1 ? top + bottom - value : value));
}

/** Lines of an invented script. */
export function drawInscription(
  board: Relief,
  random: Random,
  left: number,
  top: number,
  width: number,
  height: number,
  color: Rgb,
): void {
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
      const strokes = random.int(2, 4);
      for (let s = 0; s < strokes; s++) {
        const points = [
          x + w * random.next(),
          y + size * random.next(),
          x + w * random.next(),
          y + size * random.next(),
          x + w * random.next(),
          y + size * random.next(),
        ];
        for (const polygon of stroke(points, Math.max(1.1, size * 0.14)))
          board.fill([polygon], { color, relief: -1, raise: true, solid: false });
      }
      x += w + size * 0.14;
    }
  }
}

/** A statue standing on (cx, bottom). */
export function drawFigure(
  board: Relief,
  random: Random,
  cx: number,
  bottom: number,
  height: number,
  color: Rgb,
  depth: number,
): void {
  const h = height;
  const w = h * random.range(0.26, 0.36);
  const lean = random.range(-0.06, 0.06) * h;
  const round = (x: number) => depth + 0.25 * w * Math.sqrt(Math.max(0, 1 - ((x - cx) / w) ** 2));
  const body = (path: Path, c: Rgb) => board.fill(path, { color: c, relief: round, raise: false, solid: false });
  body([rectangle(cx - w * 0.6, bottom - h * 0.08, w * 1.2, h * 0.08)], shade(color, 0.85));
  body(
    [
      [
        cx - w * 0.5,
        bottom - h * 0.07,
        cx + w * 0.5,
        bottom - h * 0.07,
        cx + lean + w * 0.28,
        bottom - h * 0.45,
        cx + lean + w * 0.42,
        bottom - h * 0.78,
        cx + lean - w * 0.42,
        bottom - h * 0.78,
        cx + lean - w * 0.28,
        bottom - h * 0.45,
      ],
    ],
    color,
  );
  body([ellipse(cx + lean, bottom - h * 0.88, w * 0.26, h * 0.1)], shade(color, 1.08));
  for (const side of [-1, 1]) {
    const elbowX = cx + lean + side * w * random.range(0.5, 0.75);
    const elbowY = bottom - h * random.range(0.5, 0.72);
    const handX = cx + lean + side * w * random.range(-0.1, 0.8);
    const handY = bottom - h * random.range(0.35, 0.98);
    for (const polygon of stroke(
      [cx + lean + side * w * 0.35, bottom - h * 0.75, elbowX, elbowY, handX, handY],
      w * 0.2,
    ))
      body([polygon], shade(color, 0.95));
  }
  for (let fold = 0; fold < 3; fold++) {
    const x = cx + random.range(-0.35, 0.35) * w;
    for (const polygon of stroke([x, bottom - h * 0.1, x + lean * 0.6, bottom - h * random.range(0.4, 0.7)], w * 0.06))
      body([polygon], shade(color, 0.6));
  }
  if (random.chance(0.5))
    body([star(cx + lean, bottom - h * 0.97, w * 0.22, w * 0.1, random.int(3, 6))], shade(color, 1.15));
}

/** A carved face. */
function drawMask(board: Relief, random: Random, cx: number, cy: number, r: number, color: Rgb, depth: number): void {
  const dome = (x: number, y: number) =>
    depth + r * 0.5 * Math.sqrt(Math.max(0, 1 - ((x - cx) ** 2 + (y - cy) ** 2) / (r * r)));
  board.fill([ellipse(cx, cy, r, r * 1.1)], { color, relief: dome, solid: false });
  const dark = shade(color, 0.45);
  for (const side of [-1, 1])
    board.fill([ellipse(cx + side * r * random.range(0.3, 0.45), cy - r * 0.2, r * 0.16, r * 0.1)], {
      color: dark,
      solid: false,
    });
  board.fill([ellipse(cx, cy + r * 0.5, r * random.range(0.2, 0.45), r * random.range(0.06, 0.2))], {
    color: dark,
    solid: false,
  });
}
