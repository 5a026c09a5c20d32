/** @file test/golden/rpn.json in this program's order of axes. */
import { readFileSync } from 'node:fs';

interface File {
  anchors: number[][];
  targets: number[][];
  scores: number[];
  labels: number[];
  bestTarget: number[];
  bestOverlap: number[];
  kept: Record<string, number[]>;
  order: number[];
  deltas: number[][];
  noise: number[][];
  decoded: number[][];
  odds: number[];
  wanted: number[];
  logLoss: number;
  difference: number[][];
  smoothL1: number[][];
}

export const golden = JSON.parse(readFileSync(new URL('../golden/rpn.json', import.meta.url), 'utf8')) as File;

/** Rows x, y, x, y -> flat rows y, x, y, x. */
export function rowsOf(rows: readonly number[][]): number[] {
  return rows.flatMap(([x0, y0, x1, y1]) => [y0, x0, y1, x1]);
}
