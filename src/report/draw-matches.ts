/** @file A picture of two photographs side by side with a line for every verified match. */
import { type DrawnImage, markColour, sideBySide } from './side-by-side.js';

/** Two positions that show the same point, px of the upright photographs. */
export interface MatchedPoint {
  a: readonly [number, number];
  b: readonly [number, number];
}

/**
 * The picture as PNG: a left, b right, shrunk to 800 px at most.
 * @throws InputError naming the photograph that cannot be decoded.
 */
export async function drawMatches(a: DrawnImage, b: DrawnImage, points: readonly MatchedPoint[]): Promise<Uint8Array> {
  return sideBySide(a, b, (inA, inB) => {
    const marks = points.map((point, n) => {
      // positions count from the centre of the first pixel, SVG's from its corner
      const p = inA(point.a[0] + 0.5, point.a[1] + 0.5);
      const q = inB(point.b[0] + 0.5, point.b[1] + 0.5);
      const ring = ({ x, y }: typeof p) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3"/>`;
      const line = `<line x1="${p.x.toFixed(1)}" y1="${p.y.toFixed(1)}" x2="${q.x.toFixed(1)}" y2="${q.y.toFixed(1)}"/>`;
      return `<g stroke="${markColour(n)}">${line}${ring(p)}${ring(q)}</g>`;
    });
    return marks.join('');
  });
}
