/** @file Outlines of the shapes that scenes are made of, as polygons in pixels (x right, y down). */
import type { Polygon } from './rasterize.js';

/** Top edge of an opening or a niche: the height of its curve above the springing line, in half-widths, at |u| in [0, 1]. */
const archHeights = {
  flat: () => 0,
  round: (a: number) => Math.sqrt(1 - a * a),
  pointed: (a: number) => Math.sqrt(Math.max(0, 4 - (1 + a) * (1 + a))) * 0.85,
  ogee: (a: number) =>
    a > 0.5 ? Math.sqrt(Math.max(0, 1 - a * a)) * 0.85 : 0.74 + 0.65 * (0.5 - a) * (0.5 - a) * 4 - 0.1 * (0.5 - a),
  segmental: (a: number) => 0.4 * (1 - a * a),
  horseshoe: (a: number) => Math.sqrt(1 - a * a),
  trefoil: (a: number) =>
    Math.max(a < 0.45 ? 0.6 + Math.sqrt(0.2025 - a * a) : 0, Math.sqrt(Math.max(0, 0.3025 - (a - 0.45) * (a - 0.45)))),
};
export type ArchShape = keyof typeof archHeights;

export function rectangle(left: number, top: number, width: number, height: number): Polygon {
  return [left, top, left + width, top, left + width, top + height, left, top + height];
}

/** The point `radius * share` px from (cx, cy) in the direction `angle`. */
export function polar(cx: number, cy: number, radius: number, angle: number, share = 1): [number, number] {
  return [cx + Math.cos(angle) * radius * share, cy + Math.sin(angle) * radius * share];
}

/** `count` points around (cx, cy), the first at `angle`; `radius(i)` in px. */
function around(cx: number, cy: number, count: number, angle: number, radius: (i: number) => number): Polygon {
  return Array.from({ length: count }, (_, i) => polar(cx, cy, radius(i), angle + (2 * Math.PI * i) / count)).flat();
}

export function ellipse(cx: number, cy: number, rx: number, ry = rx, sides = 0): Polygon {
  const count = sides || Math.max(12, Math.min(64, Math.round(Math.max(rx, ry) * 2)));
  return place(
    around(0, 0, count, 0, () => 1),
    cx,
    cy,
    rx,
    ry,
  );
}

/** A regular polygon, its first corner at `angle`. */
export function regularPolygon(cx: number, cy: number, radius: number, sides: number, angle = -Math.PI / 2): Polygon {
  return around(cx, cy, sides, angle, () => radius);
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
  return around(cx, cy, points * 2, angle, (i) => (i % 2 === 0 ? outer : inner));
}

/** A flower: radius varies between `inner` and `outer` with `petals` lobes. */
export function rosette(cx: number, cy: number, outer: number, inner: number, petals: number, angle = 0): Polygon {
  const lobe = (i: number) => Math.abs(Math.cos((petals * ((2 * Math.PI * i) / (petals * 8))) / 2));
  return around(cx, cy, petals * 8, angle, (i) => inner + (outer - inner) * lobe(i));
}

/** An opening: straight jambs from `bottom` up, closed by an arch whose crown is at `top`. */
export function archedOpening(cx: number, top: number, bottom: number, width: number, shape: ArchShape): Polygon {
  const half = width / 2;
  const crown = archHeights[shape](0);
  const rise = Math.min(crown * half, (bottom - top) * 0.8);
  const scale = shape === 'flat' ? 0 : rise / crown;
  const spring = top + rise;
  const points: number[] = [cx + half, bottom, cx - half, bottom];
  if (shape === 'horseshoe') points.push(cx - half, spring + half * 0.35, cx - half * 1.08, spring + half * 0.15);
  const steps = shape === 'flat' ? 1 : 24;
  for (let i = 0; i <= steps; i++) {
    const u = -Math.cos((Math.PI * i) / steps);
    points.push(cx + u * half, spring - archHeights[shape](Math.min(1, Math.abs(u))) * scale);
  }
  if (shape === 'horseshoe') points.push(cx + half * 1.08, spring + half * 0.15, cx + half, spring + half * 0.35);
  return points;
}

/**
 * Outline of a roof body or a vessel on the line y = `base`. `curve`: pairs (height fraction 0 at the base to 1 at the top, half-width
 * fraction) from base to top.
 */
export function profile(cx: number, base: number, height: number, half: number, curve: readonly number[]): Polygon {
  const left: number[] = [];
  const right: number[] = [];
  for (let i = 0; i < curve.length; i += 2) {
    left.push(cx - half * curve[i + 1], base - height * curve[i]);
    right.unshift(cx + half * curve[i + 1], base - height * curve[i]);
  }
  return [...left, ...right];
}

/** Thickens the open line x0, y0, x1, y1, ... to `width` px. */
export function stroke(points: readonly number[], width: number): Polygon[] {
  const result: Polygon[] = [];
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [ax, ay, bx, by] = points.slice(i, i + 4);
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
