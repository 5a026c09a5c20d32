/** @file Roofs: domes, spires, gables, kiosks. All stand on a base line and may be cut by the board's top. */
import { drawBalustrade, drawBattlement } from './mouldings.js';
import { fractalNoise } from './noise.js';
import { drawFigure, drawOrnament } from './ornaments.js';
import { drawRoseWindow, drawWindow } from './openings.js';
import { archedOpening, ellipse, place, profile, rectangle, star, stroke } from './paths.js';
import { shade } from './materials.js';
import { cellRandom } from './random.js';
import type { Shape } from './rasterize.js';
import { type Rgb, setColor, type Shader } from './relief.js';
import { type Site, toneColor } from './site.js';
import type { RoofKind } from './style.js';

export interface Roof {
  cx: number;
  /** y of the line that the roof stands on. */
  base: number;
  width: number;
  /** Height available to the roof. */
  height: number;
  level: number;
}

const domeCurve = [0, 0.94, 0.15, 1, 0.35, 0.97, 0.55, 0.86, 0.72, 0.68, 0.86, 0.44, 0.95, 0.2, 1, 0.04];
const onionCurve = [0, 0.72, 0.12, 0.95, 0.25, 1.06, 0.4, 1, 0.56, 0.76, 0.7, 0.45, 0.82, 0.22, 0.92, 0.1, 1, 0.02];

/** Sheets, ribs or tiles of a roof, lighter towards random spots. */
function covering({ style, random }: Site, { cx, half, ribs }: { cx: number; half: number; ribs: number }): Shader {
  const color = style.roofColor;
  const seed = Math.floor(random.range(0, 1 << 30));
  const course = random.range(7, 13);
  const scales = random.chance(0.5);
  const bright = shade(color, 1.3);
  return (x, y, out) => {
    const row = Math.floor(y / course);
    const u = Math.asin(Math.max(-1, Math.min(1, (x - cx) / half))) * ribs * 0.64;
    const column = Math.floor(u + (scales && row % 2 ? 0.5 : 0));
    const seam = scales ? y / course - row > 0.85 : u - Math.floor(u) < 0.09;
    const tone = cellRandom(seed, column, row);
    const stain = 0.75 + 0.35 * fractalNoise(x * 0.12 + (seed & 255), y * 0.08);
    setColor(out, tone > 0.9 ? bright : color, stain * (0.78 + 0.4 * tone) * (seam ? 0.72 : 1));
    out[3] = seam ? (scales ? -1 : 1.5) : 0;
  };
}

/** `base`: where it stands. */
function drawFinial(site: Site, { cx, base: bottom, height }: Pick<Roof, 'cx' | 'base' | 'height'>): void {
  const { random } = site;
  const gold: Rgb = random.chance(0.5) ? [0.8, 0.65, 0.25] : toneColor(0.9, site);
  const h = height * random.range(0.7, 1);
  const fill = (shape: Shape, relief: number) => site.board.fill(shape, gold, { relief });
  fill(rectangle(cx - h * 0.03, bottom - h, h * 0.06, h), 4);
  fill(ellipse(cx, bottom - h * 0.2, h * 0.13, h * 0.1), 6);
  fill(ellipse(cx, bottom - h * 0.45, h * 0.09), 6);
  const top = random.int(0, 3);
  if (top === 0) fill(star(cx, bottom - h, h * 0.14, h * 0.06, random.int(4, 8)), 4);
  else if (top === 1) fill(rectangle(cx - h * 0.13, bottom - h * 0.9, h * 0.26, h * 0.06), 4);
  else if (top === 2) fill([ellipse(cx, bottom - h, h * 0.13), ellipse(cx + h * 0.06, bottom - h * 1.02, h * 0.11)], 4);
}

/** A dome on a drum; the drum has windows. */
function drawDome(site: Site, roof: Roof, curve: readonly number[]): void {
  const { board, random, style, trim } = site;
  const { cx, base, width, height, level } = roof;
  const finial = height * 0.14;
  const drum = height * random.range(0.16, 0.26);
  const half = width * 0.46;
  const round = (x: number) => level + half * 0.7 * Math.sqrt(Math.max(0, 1 - ((x - cx) / half) ** 2));
  board.fill(rectangle(cx - half * 0.9, base - drum, half * 1.8, drum + 2), trim, { relief: round });
  const count = Math.max(3, Math.round(random.range(5, 9) * Math.min(1, width / 160 + 0.4)));
  const row = { top: base - drum * 0.82, bottom: base - drum * 0.18, level: level + half * 0.4 };
  for (let i = 0; i < count; i++) {
    const u = Math.sin(((i + 0.5) / count - 0.5) * Math.PI * 0.9);
    const w = (half * 1.1 * Math.cos(Math.asin(u))) / count;
    if (w > 4) drawWindow(site, { ...row, cx: cx + u * half * 0.9, width: w, glazing: 'dark' });
  }
  const belt = rectangle(cx - half * 0.98, base - drum * 1.08, half * 1.96, drum * 0.14);
  board.fill(belt, trim, { relief: level + half * 0.75 });
  const rise = height - drum - finial;
  const top = base - drum;
  const ball = (x: number, y: number) => {
    const u = (x - cx) / half;
    const v = Math.max(0, (top - y) / rise - 0.2) / 0.85;
    return level + half * 0.7 * Math.sqrt(Math.max(0, 1 - u * u - v * v * 0.9));
  };
  const sheets = covering(site, { cx, half: half * 1.1, ribs: random.int(8, 18) });
  board.fill(profile(cx, top, rise, half, curve), sheets, { relief: ball });
  if (random.chance(0.5)) {
    const band = [cx - half * 0.85, top - rise * 0.24, half * 1.7, rise * 0.14] as const;
    drawOrnament(site, band, { depth: 1.5, ground: shade(style.roofColor, 0.7) });
  }
  drawFinial(site, { cx, base: top - rise + 2, height: finial });
}

function drawSpire(site: Site, { cx, base, width, height, level }: Roof): void {
  const { random } = site;
  const half = width * 0.46;
  const h = height * 0.9;
  const sheets = covering(site, { cx, half, ribs: random.int(5, 9) });
  const relief = (x: number, y: number) =>
    level + half * 0.6 * Math.max(0, 1 - Math.abs(x - cx) / half - (base - y) / h);
  site.board.fill(place([-1, 0, 1, 0, 0.03, -1, -0.03, -1], cx, base, half, h), sheets, { relief });
  const rows = random.int(1, 3);
  for (let i = 0; i < rows; i++) {
    const y = base - h * (0.12 + i * 0.2);
    const w = half * 0.5 * (1 - (base - y) / h);
    const opening = { cx, top: y - w * 1.6, bottom: y, width: w, level: level + half * 0.4 };
    if (w > 5) drawWindow(site, { ...opening, glazing: 'dark' });
  }
  drawFinial(site, { cx, base: base - h + 3, height: height * 0.16 });
}

/** A triangular pediment with a carved field. */
function drawPediment(site: Site, { cx, base, width, height, level }: Roof): void {
  const { board, random, trim, wall } = site;
  const half = width / 2;
  const h = Math.min(height * 0.8, width * random.range(0.2, 0.3));
  board.fill(place([-1.04, 0, 1.04, 0, 0, -1], cx, base, half, h), trim, { relief: level + 12 });
  board.fill(place([-0.84, -0.08, 0.84, -0.08, 0, -0.86], cx, base, half, h), wall, { relief: level });
  const figures = random.int(5, 9);
  for (let i = 0; i < figures; i++) {
    const u = ((i + 0.5) / figures - 0.5) * 1.3;
    const tall = h * 0.72 * (1 - Math.abs(u)) * random.range(0.8, 1);
    if (tall < 8) continue;
    const ground = toneColor(random.range(0.75, 1.15), site);
    const [x, bottom] = [cx + u * half * 0.9, base - h * 0.09];
    if (random.chance(0.75)) drawFigure(site, { cx: x, bottom, height: tall, depth: level + 5 }, ground);
    else drawOrnament(site, [x - tall * 0.4, bottom - tall * 0.8, tall * 0.8, tall * 0.8], { depth: 3, ground });
  }
  for (const u of [-1, 0, 1]) {
    if (!random.chance(0.6)) continue;
    const bottom = base - (u === 0 ? h * 0.97 : h * 0.03);
    drawFigure(site, { cx: cx + u * half * 0.97, bottom, height: h * 0.34, depth: level + 8 }, 1);
  }
}

function drawGable(site: Site, { cx, base, width, height, level }: Roof): void {
  const { board, random, wall, trim } = site;
  const half = width / 2;
  const h = Math.min(height * 0.92, width * random.range(0.55, 0.8));
  const steps = random.chance(0.35) ? random.int(4, 7) : 0;
  const outline: number[] = [cx - half, base];
  for (let i = 0; i < steps; i++) {
    const y = base - (h * (i + 1)) / steps;
    const next = cx - half * (1 - (i + 1) / steps) - (i === steps - 1 ? half * 0.1 : 0);
    outline.push(cx - half * (1 - i / steps), y, next, y);
  }
  if (steps === 0) outline.push(cx, base - h);
  for (let i = outline.length - 2; i >= 0; i -= 2) outline.push(2 * cx - outline[i], outline[i + 1]);
  board.fill(outline, wall, { relief: level });
  const ridge = [cx - half * 1.03, base, cx, base - h - 3, cx + half * 1.03, base];
  if (steps === 0) board.fill(stroke(ridge, height * 0.06), trim, { relief: level + 10 });
  const radius = Math.min(half, h) * 0.27;
  if (random.chance(0.6)) drawRoseWindow(site, { cx, cy: base - h * 0.36, radius, level });
  else drawWindow(site, { cx, top: base - h * 0.66, bottom: base - h * 0.14, width: radius * 1.3, level });
  drawFinial(site, { cx, base: base - h + 2, height: height * 0.14 });
}

/** A roof slope seen from the front, its ridge `inset` as long as its base; some have dormers. */
function drawSlope(site: Site, roof: Roof, { inset, dormers }: { inset: number; dormers: boolean }): void {
  const { board, random, trimColor, wall } = site;
  const { cx, base, width, height, level } = roof;
  const half = width / 2;
  const h = Math.min(height * 0.75, width * 0.34);
  const sheets = covering(site, { cx, half: half * 1.3, ribs: random.int(14, 30) });
  const relief = (_x: number, y: number) => level - (base - y) * 0.5;
  board.fill(place([-1.05, 0, 1.05, 0, inset, -1, -inset, -1], cx, base, half, h), sheets, { relief });
  board.fill(rectangle(cx - half * inset, base - h - 3, width * inset, 5), trimColor, { relief: level });
  const count = dormers ? random.int(2, 5) : 0;
  for (let i = 0; i < count; i++) {
    const x = cx + ((i + 0.5) / count - 0.5) * width * 0.86 * Math.min(1, inset + 0.1);
    const w = Math.min(h * 0.4, (width / count) * 0.45);
    board.fill(archedOpening(x, base - h * 0.82, base - h * 0.08, w * 1.5, 'round'), wall, { relief: level + 4 });
    const opening = { cx: x, top: base - h * 0.66, bottom: base - h * 0.16, width: w * 0.8, level: level + 4 };
    drawWindow(site, { ...opening, glazing: 'bars' });
  }
  for (const side of [-1, 1]) {
    if (!random.chance(0.5)) continue;
    const x = cx + side * half * inset * random.range(0.4, 0.9);
    board.fill(rectangle(x - width * 0.018, base - h * 1.3, width * 0.036, h * 0.5), wall, { relief: level });
  }
}

/** An open pavilion: slim columns under a small dome. */
function drawKiosk(site: Site, { cx, base, width, height, level }: Roof): void {
  const { board, random, trim } = site;
  const half = width * 0.42;
  const open = height * random.range(0.3, 0.4);
  const fill = (shape: Shape, relief: number) => board.fill(shape, trim, { relief: level + relief });
  fill(rectangle(cx - half, base - height * 0.06, half * 2, height * 0.06), 6);
  const count = random.int(3, 5);
  for (let i = 0; i < count; i++) {
    const x = cx - half * 0.9 + (i * half * 1.8) / (count - 1);
    fill(rectangle(x - half * 0.07, base - open, half * 0.14, open), 4);
  }
  fill(rectangle(cx - half * 1.15, base - open - height * 0.06, half * 2.3, height * 0.07), 12);
  const dome = { cx, base: base - open - height * 0.05, width: half * 2, height: height - open, level };
  drawDome(site, dome, random.chance(0.5) ? domeCurve : onionCurve);
}

function drawFlat(site: Site, { cx, base, width, height, level }: Roof): void {
  const { random } = site;
  const left = cx - width / 2;
  const h = Math.min(height * 0.3, width * 0.08);
  drawBalustrade(site, { left, bottom: base + 1, width, height: h, level });
  const statues = Math.round(random.range(2, 6));
  for (let i = 0; i < statues; i++) {
    if (!random.chance(0.7)) continue;
    const standing = {
      cx: left + ((i + 0.5) * width) / statues,
      bottom: base - h,
      height: Math.min(height * 0.5, h * 1.6),
    };
    drawFigure(site, { ...standing, depth: level + 3 }, random.range(0.8, 1.1));
  }
}

/** Narrowing carved tiers. */
function drawSteps(site: Site, { cx, base, width, height, level }: Roof): void {
  const count = site.random.int(3, 5);
  const h = (height * 0.7) / count;
  for (let i = 0; i < count; i++) {
    const w = width * (1 - (i + 0.3) / (count + 0.6));
    site.board.fill(rectangle(cx - w / 2, base - h * (i + 1), w, h + 1), site.wall, { relief: level - i * 4 });
    drawOrnament(site, [cx - w * 0.46, base - h * (i + 0.88), w * 0.92, h * 0.74], { depth: 2 });
  }
  drawFinial(site, { cx, base: base - height * 0.7 + 2, height: height * 0.25 });
}

const draw: Record<RoofKind, (site: Site, roof: Roof) => void> = {
  flat: drawFlat,
  battlement(site, { cx, base, width, height, level }) {
    const row = { left: cx - width / 2, bottom: base + 1, width, height: Math.min(height * 0.4, width * 0.14), level };
    drawBattlement(site, { ...row, shape: site.random.int(0, 2) });
  },
  pediment: drawPediment,
  gable: drawGable,
  hip: (site, roof) => drawSlope(site, roof, { inset: site.random.range(0.45, 0.75), dormers: false }),
  mansard: (site, roof) => drawSlope(site, roof, { inset: site.random.range(0.8, 0.92), dormers: true }),
  dome: (site, roof) => drawDome(site, roof, domeCurve),
  onion: (site, roof) => drawDome(site, roof, onionCurve),
  spire: drawSpire,
  kiosk: drawKiosk,
  steps: drawSteps,
};

export function drawRoof(site: Site, kind: RoofKind, roof: Roof): void {
  draw[kind](site, roof);
}
