/** @file Maxima of a map's regions in plain numbers, for regions that are others in every image. */
import type { Region } from '../models/regions.js';

export interface RegionMaxima {
  /** [R, C]. An empty region gives 0, as in Caffe. */
  pooled: Float32Array;
  /** [R, C] places of the maxima in the map's values, the first of equals; that of an empty region is the first cell. */
  positions: Int32Array;
}

/**
 * What `regionMaxPool` computes, values [h, w, C] -> [R, C], in `slots` rows of which those without a region are as of an empty
 * one. On the engine a new set of regions is a new graph to compile: 64 of a map of 15 x 20 x 256 took 43 ms of CPU
 * there, 3 ms here; of 19 x 25 x 2048 70 and 16 ms.
 */
export function poolRegions(
  values: Float32Array,
  { width, channels, slots }: { width: number; channels: number; slots?: number },
  regions: readonly Region[],
): RegionMaxima {
  const rows = slots ?? regions.length;
  const pooled = new Float32Array(rows * channels);
  const positions = new Int32Array(rows * channels);
  for (let i = 0; i < rows; i++) {
    const at = positions.subarray(i * channels, (i + 1) * channels);
    for (let c = 0; c < channels; c++) at[c] = c;
    const { yMin, xMin, yMax, xMax } = regions[i] ?? noRegion;
    if (yMax <= yMin || xMax <= xMin) continue;
    const row = pooled.subarray(i * channels, (i + 1) * channels).fill(-Infinity);
    for (let y = yMin; y < yMax; y++) {
      for (let x = xMin; x < xMax; x++) {
        const first = (y * width + x) * channels;
        for (let c = 0; c < channels; c++) {
          if (values[first + c] > row[c]) {
            row[c] = values[first + c];
            at[c] = first + c;
          }
        }
      }
    }
  }
  return { pooled, positions };
}

const noRegion: Region = { yMin: 0, xMin: 0, yMax: 0, xMax: 0 };
