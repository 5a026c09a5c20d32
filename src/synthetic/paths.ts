/** @file Outlines of the shapes that scenes are made of, as polygons in pixels (x right, y down). */
import type { Polygon } from './rasterize.js';

/** Top edge of an opening or a niche. */
export type ArchShape = 'flat' | 'round' | 'pointed' | 'ogee' | 'segmental' | 'horseshoe' | 'trefoil';

export const archShapes: readonly ArchShape[] = [
  'flat',
  'round',
  'pointed',
  'ogee',
  'segmental',
  'horseshoe',
  'trefoil',
];

export function rectangle(left: number, top: number, width: number, height: number): Polygon {
  return [left, top, left + width, top, left + width, top + height, left, top + height];
}

export function ellipse(cx: number, cy: number, rx: number, ry = rx, sides = 0): Polygon {
  const count = sides || Math.max(12, Math.min(64, Math.round(Math.max(rx, ry) * 2)));
  const points: number[] = [];
  for (let i = 0; i < count; i++) {
    const angle = (2 * Math.PI * i) / count;
    points.push(cx + rx * Math.cos(angle), cy + ry * Math.sin(angle));
  }
  return points;
}

/** A regular polygon, its first corner at `angle`. */
export function regularPolygon(cx: number, cy: number, radius: number, sides: number, angle = -Math.PI / 2): Polygon {
  const points: number[] = [];
  for (let i = 0; i < sides; i++) {
    const a = angle + (2 * Math.PI * i) / sides;
    points.push(cx + radius * Math.cos(a), cy + radius * Math.sin(a));
  }
  return points;
}

/** A star: `points` tips at `outer`, valleys at `inner`. */
export function star(
  cx: number,
  cy: number,
  outer: number,
  inner: number,
  points: number,
  angle = -Math.PI / 2,
): Polygon {
  const result: number[] = [];
  for (let i = 0; i < points * 2; i++) {
    const radius = i % 2 === 0 ? outer : inner;
    const a = angle + (Math.PI * i) / points;
    result.push(cx + radius * Math.cos(a), cy + radius * Math.sin(a));
  }
  return result;
}

/** A flower: radius varies between `inner` and `outer` with `petals` lobes. */
export function rosette(cx: number, cy: number, outer: number, inner: number, petals: number, angle = 0): Polygon {
  const result: number[] = [];
  const count = petals * 8;
  for (let i = 0; i < count; i++) {
    const a = (2 * Math.PI * i) / count;
    const radius = inner + (outer - inner) * Math.abs(Math.cos((petals * a) / 2));
    result.push(cx + radius * Math.cos(a + angle), cy + radius * Math.sin(a + angle));
  }
  return result;
}

/** Heights of an arch's curve above its springing line, as fractions of the half-width, at u in [-1, 1]. */
function archHeight(shape: ArchShape, u: number): number {
  const a = Math.abs(u);
  switch (shape) {
    case 'flat':
      return 0;
    case 'round':
    case 'horseshoe':
      return Math.sqrt(1 - a * a);
    case 'pointed':
      return Math.sqrt(Math.max(0, 4 - (1 + a) * (1 + a))) * 0.85;
    case 'ogee':
      return a > 0.5
        ? Math.sqrt(Math.max(0, 1 - a * a)) * 0.85
        : 0.74 + 0.65 * (0.5 - a) * (0.5 - a) * 4 - 0.1 * (0.5 - a);
    case 'segmental':
      return 0.4 * (1 - a * a);
    case 'trefoil':
      break;
  }
  const centre = a < 0.45 ? 0.6 + Math.sqrt(0.2025 - a * a) : 0;
  const side = Math.sqrt(Math.max(0, 0.3025 - (a - 0.45) * (a - 0.45)));
  return Math.max(centre, side);
}

/** Rise of an arch over its springing line for a half-width of 1. */
export function archRise(shape: ArchShape): number {
  return archHeight(shape, 0);
}

/** An opening: straight jambs from `bottom` up, closed by an arch whose crown is at `top`. */
export function archedOpening(cx: number, top: number, bottom: number, width: number, shape: ArchShape): Polygon {
  const half = width / 2;
  const rise = Math.min(archRise(shape) * half, (bottom - top) * 0.8);
  const scale = shape === 'flat' ? 0 : rise / archRise(shape);
  const spring = top + rise;
  const points: number[] = [cx + half, bottom, cx - half, bottom];
  if (shape === 'horseshoe') points.push(cx - half, spring + half * 0.35, cx - half * 1.08, spring + half * 0.15);
  const steps = shape === 'flat' ? 1 : 24;
  for (let i = 0; i <= steps; i++) {
    const u = -Math.cos((Math.PI * i) / steps);
    points.push(cx + u * half, spring - archHeight(shape, Math.max(-1, Math.min(1, u))) * scale);
  }
  if (shape === 'horseshoe') points.push(cx + half * 1.08, spring + half * 0.15, cx + half, spring + half * 0.35);
  return points;
}

/** Outline of a roof body: pairs (height fraction 0 at the base to 1 at the top, half-width fraction) from base to top. */
export function profile(
  cx: number,
  base: number,
  height: number,
  half: number,
  curve: readonly (readonly [number, number])[],
): Polygon {
  const left: number[] = [];
  const right: number[] = [];
  for (const [t, r] of curve) {
    left.push(cx - half * r, base - height * t);
    right.unshift(cx + half * r, base - height * t);
  }
  return [...left, ...right];
}

/** Thickens the open line x0, y0, x1, y1, ... to `width` px. */
export function stroke(points: readonly number[], width: number): Polygon[] {
  const result: Polygon[] = [];
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [ax, ay, bx, by] = [points[i], points[i + 1], points[i + 2], points[i + 3]];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const nx = ((by - ay) / length) * (width / 2);
    const ny = ((ax - bx) / length) * (width / 2);
    result.push([ax + nx, ay + ny, bx + nx, by + ny, bx - nx, by - ny, ax - nx, ay - ny]);
  }
  return result;
}

/** Moves, scales and turns a polygon drawn around the origin. */
export function place(polygon: Polygon, x: number, y: number, scaleX: number, scaleY = scaleX, angle = 0): Polygon {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const result: number[] = [];
  for (let i = 0; i < polygon.length; i += 2) {
    const px = polygon[i] * scaleX;
    const py = polygon[i + 1] * scaleY;
    result.push(x + px * c - py * s, y + px * s + py * c);
  }
  return result;
}
