/** @file Maxima of a map's regions in plain numbers, for regions that are others in every image. */
import type { Region } from '../models/regions.js';

export interface PoolRegionsOptions {
  /** Of the map, and its channels. */
  width: number;
  channels: number;
  /** Rows of the result where there are more than regions; those without one are as of an empty region. */
  slots?: number;
  /** [R, C], filled with the places of the maxima in the values, the first of equals; those of an empty region are its first cell's. */
  positions?: Int32Array;
}

/**
 * What `regionMaxPool` computes, values [h, w, C] -> [R, C]; an empty region gives 0, as in Caffe. On the engine a new set of
 * regions is a new graph to compile: 64 of a map of 15 x 20 x 256 took 43 ms of CPU there, 3 ms here; of 19 x 25 x 2048
 * 70 and 16 ms.
 */
export function poolRegions(
  values: Float32Array,
  { width, channels, slots, positions }: PoolRegionsOptions,
  regions: readonly Region[],
): Float32Array {
  const rows = slots ?? regions.length;
  const pooled = new Float32Array(rows * channels);
  for (let i = 0; i < rows; i++) {
    const at = positions?.subarray(i * channels, (i + 1) * channels);
    at?.forEach((_, c) => {
      at[c] = c;
    });
    const { yMin, xMin, yMax, xMax } = regions[i] ?? noRegion;
    if (yMax <= yMin || xMax <= xMin) continue;
    const row = pooled.subarray(i * channels, (i + 1) * channels).fill(-Infinity);
    for (let y = yMin; y < yMax; y++) {
      for (let x = xMin; x < xMax; x++) raise(row, values, { first: (y * width + x) * channels, at });
    }
  }
  return pooled;
}

/** Raises the maxima of `row` by the cell that begins at `first`. */
function raise(
  row: Float32Array,
  values: Float32Array,
  { first, at }: { first: number; at: Int32Array | undefined },
): void {
  for (let c = 0; c < row.length; c++) {
    if (values[first + c] > row[c]) {
      row[c] = values[first + c];
      if (at !== undefined) at[c] = first + c;
    }
  }
}

const noRegion: Region = { yMin: 0, xMin: 0, yMax: 0, xMax: 0 };
