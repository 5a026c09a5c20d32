/**
 * @file The pooling of OS-RMAC (its algorithm 1): square windows of side ceil(2 min(W, H) / (l + 1)) slid over the map by 0.4 of
 * their side ("an overlap of 60 %"); of each level the root of the sum of squared maxima, added over the levels. Windows that
 * would stick out are left out, so that the far edge of a 4:3 map is unseen at level 1.
 */
import type { Region } from '../models/regions.js';
import { poolRegions } from '../rpn/pool-regions.js';
import type { FeatureMap } from './feature-map.js';

/** The windows of level `level`, rows outer. */
export function slidingWindows(height: number, width: number, level: number, stride = 0.4): Region[] {
  const side = Math.max(1, Math.ceil((2 * Math.min(height, width)) / (level + 1)));
  const step = Math.max(1, Math.floor(stride * side));
  const windows: Region[] = [];
  for (let y = 0; y + side <= height; y += step) {
    for (let x = 0; x + side <= width; x += step) windows.push({ yMin: y, xMin: x, yMax: y + side, xMax: x + side });
  }
  return windows;
}

/** Σ over levels of sqrt(Σ over windows of max²), [C], not normalised. */
export function slidingPool(map: FeatureMap, { levels = 3, stride = 0.4 } = {}): Float32Array {
  const { channels } = map;
  const sum = new Float32Array(channels);
  for (let level = 1; level <= levels; level++) {
    const maxima = poolRegions(map.data, map, slidingWindows(map.height, map.width, level, stride));
    for (let c = 0; c < channels; c++) {
      let squares = 0;
      for (let i = c; i < maxima.length; i += channels) squares += maxima[i] * maxima[i];
      sum[c] += Math.sqrt(squares);
    }
  }
  return sum;
}
