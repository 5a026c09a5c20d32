/** @file A map of values drawn over its photograph. */
import type { RgbImage } from '../data/rgb-image.js';
import { heatColour } from './heat-map.js';
import type { SimilarityMap } from '../retrieval/similarity-map.js';

/** Weight of the colours where the map is 0, and where it is largest. */
const [weakest, strongest] = [0.35, 0.7];

/**
 * The photograph in grey under the map in colours, from dark blue at 0 and below to yellow at the map's largest value, smooth between
 * the middles of the cells.
 */
export function heatOverlay({ data, width, height }: RgbImage, map: SimilarityMap): RgbImage {
  const highest = map.values.reduce((a, b) => Math.max(a, b), 0);
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = highest > 0 ? Math.max(0, valueAt(map, (y + 0.5) / height, (x + 0.5) / width)) / highest : 0;
      const alpha = weakest + (strongest - weakest) * value;
      const i = 3 * (y * width + x);
      const grey = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
      const colour = heatColour(value);
      for (let c = 0; c < 3; c++) out[i + c] = Math.round((1 - alpha) * grey + alpha * colour[c]);
    }
  }
  return { data: out, width, height };
}

/** Bilinear, with the border's values beyond the outer middles. `y` and `x` in shares of the sides. */
function valueAt({ values, height, width }: SimilarityMap, y: number, x: number): number {
  const place = (share: number, cells: number) => {
    const at = Math.min(Math.max(share * cells - 0.5, 0), cells - 1);
    const first = Math.min(Math.floor(at), cells - 1);
    return { first, second: Math.min(first + 1, cells - 1), part: at - first };
  };
  const [row, column] = [place(y, height), place(x, width)];
  const along = (r: number) =>
    (1 - column.part) * values[r * width + column.first] + column.part * values[r * width + column.second];
  return (1 - row.part) * along(row.first) + row.part * along(row.second);
}
