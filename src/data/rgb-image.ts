/** @file An image in memory, and its quarter turns. Sizing is by the longer side, so turning after resizing gives the same image. */

/** Rows of RGB bytes from the top left. */
export interface RgbImage {
  data: Uint8Array; // [height * width * 3]
  width: number;
  height: number;
}

/** Degrees clockwise. */
export const quarterTurns = [90, 180, 270] as const;
export type QuarterTurn = (typeof quarterTurns)[number];

/** The image turned clockwise: at 90 degrees its first row becomes its last column. */
export function rotatePixels({ data, width, height }: RgbImage, turn: QuarterTurn): RgbImage {
  const turned = new Uint8Array(data.length);
  const side = turn === 180 ? width : height; // width of the result
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = turn === 90 ? height - 1 - y : turn === 180 ? width - 1 - x : y;
      const row = turn === 90 ? x : turn === 180 ? height - 1 - y : width - 1 - x;
      const from = 3 * (y * width + x);
      turned.set(data.subarray(from, from + 3), 3 * (row * side + column));
    }
  }
  return { data: turned, width: side, height: turn === 180 ? height : width };
}
