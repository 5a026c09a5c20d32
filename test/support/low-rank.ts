import { Matrix } from 'ml-matrix';

/** Values in (-1, 1) without order. */
const noise = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1;

/** Whole numbers, so that float32 holds them, of rank `span` at most: [rows, channels]. */
export function lowRank(rows: number, channels: number, span: number): Matrix {
  const whole = (height: number, width: number, seed: number) =>
    new Matrix(
      Array.from({ length: height }, (_, i) =>
        Array.from({ length: width }, (_unused, j) => Math.floor(8 * noise(seed + 100 * i + j))),
      ),
    );
  return whole(rows, span, 0).mmul(whole(span, channels, 1e4));
}

export function unitRows(matrix: Matrix): Matrix {
  return new Matrix(matrix.to2DArray().map((row) => row.map((value) => value / Math.hypot(...row))));
}
