/**
 * @file Where on a picture its matches lie: on a printed page at the border may be as many as on the thing in the middle. The cells of an
 * 8 x 8 grid, row by row, as the bits of a number, the first cell the lowest.
 */
import type { Size } from '../boxes/boxes.js';

/** Cells of a side. */
const side = 8;

export const allCells = 2n ** BigInt(side * side) - 1n;

/** Cells that have at least one of `points` ([K, 2]: x, y in px). */
export function coveredCells(points: ArrayLike<number>, { width, height }: Size): bigint {
  const cell = (at: number, length: number) => Math.min(side - 1, Math.max(0, Math.floor((side * at) / length)));
  let cells = 0n;
  for (let i = 0; i < points.length; i += 2) {
    cells |= 1n << BigInt(cell(points[i + 1], height) * side + cell(points[i], width));
  }
  return cells;
}

/** Share of the picture. */
export function coveredShare(cells: bigint): number {
  return cellCount(cells) / (side * side);
}

/** Of the cells that either covers, the share that both do (Jaccard); 0 where there are none. */
export function sharedCells(a: bigint, b: bigint): number {
  return cellCount(a & b) / Math.max(1, cellCount(a | b));
}

/** As 16 hexadecimal digits, and back. */
export function cellsText(cells: bigint): string {
  return cells.toString(16).padStart((side * side) / 4, '0');
}

export function parseCells(text: string): bigint {
  return BigInt(`0x${text}`);
}

function cellCount(cells: bigint): number {
  let count = 0;
  for (let left = cells; left !== 0n; left &= left - 1n) count++;
  return count;
}
