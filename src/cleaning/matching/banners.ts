/**
 * @file Matches that come from what was put over the photographs, not from what they show: the same strip of text along a border, or the same
 * mark over the picture, in photographs of different things. Its keypoints lie at the same place in both images, which no two
 * photographs taken by hand do.
 */
import type { AffineMap } from './affine-map.js';
import type { Size } from '../boxes/boxes.js';

export interface OverlayOptions {
  /** Depth of a border strip, share of the image's side. Default 0.15. */
  depth?: number;
  /** Share of the inliers that must lie in the strip. Default 0.8. */
  share?: number;
  /** How far places may differ that count as the same, share of the image's diagonal. Default 0.01. */
  shift?: number;
  /** Correlation of the whole pictures (near-duplicates.ts) from which on a common place is no surprise: copies of one photograph. Default 0.7. */
  sameAbove?: number;
}

/** Which features to leave out of a second comparison: those on `side`'s strip, or the inliers themselves. */
export type Overlay = { kind: 'strip'; side: 'top' | 'bottom' | 'left' | 'right' } | { kind: 'mark' };

/**
 * What a verified pair of images seems to share besides the scene. Positions of the inliers, [K, 2] as x, y; `correlation` is that of the
 * two pictures as a whole. Undefined where nothing is suspicious, and for pictures that are alike as a whole.
 */
export function findOverlay(
  pair: {
    from: ArrayLike<number>;
    to: ArrayLike<number>;
    affine: AffineMap;
    sizeA: Size;
    sizeB: Size;
    correlation: number;
  },
  { depth = 0.15, share = 0.8, shift = 0.01, sameAbove = 0.7 }: OverlayOptions = {},
): Overlay | undefined {
  const { affine, from, to, sizeA, sizeB, correlation } = pair;
  if (correlation >= sameAbove) return undefined;
  const [a, b, , c, d] = affine;
  const scale = (a + d) / 2;
  // Turned, sheared or stretched: not laid over both in the same way. A strip says little about the direction across it.
  const bent = Math.max(Math.abs(b), Math.abs(c), Math.abs(a - d)) / scale;
  if (!(scale > 0) || bent > 0.1) return undefined;
  const tolerance = shift * Math.hypot(sizeB.width, sizeB.height);
  const x = (column: number) => affine[0] * column + affine[1] * (sizeA.height / 2) + affine[2];
  const y = (row: number) => affine[3] * (sizeA.width / 2) + affine[4] * row + affine[5];
  // Where each border of a arrives in b, against b's own border.
  const arrives = {
    top: Math.abs(y(0)) <= tolerance,
    bottom: Math.abs(y(sizeA.height) - sizeB.height) <= tolerance,
    left: Math.abs(x(0)) <= tolerance,
    right: Math.abs(x(sizeA.width) - sizeB.width) <= tolerance,
  };
  for (const side of ['bottom', 'top', 'left', 'right'] as const) {
    if (!arrives[side]) continue;
    let inside = 0;
    for (let i = 0; i < from.length; i += 2) {
      if (inStrip(from[i], from[i + 1], sizeA, side, depth) && inStrip(to[i], to[i + 1], sizeB, side, depth)) inside++;
    }
    if (inside >= share * (from.length / 2)) return { kind: 'strip', side };
  }
  return bent <= 0.04 && arrives.top && arrives.bottom && arrives.left && arrives.right ? { kind: 'mark' } : undefined;
}

/** Whether a point lies on the strip of `depth` (share of the side) along a border. */
export function inStrip(
  x: number,
  y: number,
  { width, height }: Size,
  side: 'top' | 'bottom' | 'left' | 'right',
  depth = 0.15,
): boolean {
  if (side === 'top') return y < depth * height;
  if (side === 'bottom') return y > (1 - depth) * height;
  return side === 'left' ? x < depth * width : x > (1 - depth) * width;
}
