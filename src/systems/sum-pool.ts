/** @file Sum pooling (Babenko and Lempitsky 2015, SPoC): of the whole map, under a Gaussian at its centre, or of regions. */
import type { Region } from '../models/regions.js';
import type { FeatureMap } from './feature-map.js';

/**
 * Sum of each channel, [C]. With `centrePrior` every cell is weighted by exp(-(dy² + dx²) / 2σ²), σ a third of the distance
 * from the centre to the nearest edge (their equation 5).
 */
export function sumPool(map: FeatureMap, { centrePrior = false } = {}): Float32Array {
  const { height, width, channels, data } = map;
  const sums = new Float64Array(channels);
  const sigma = Math.min(height, width) / 2 / 3;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const distance = (y + 0.5 - height / 2) ** 2 + (x + 0.5 - width / 2) ** 2;
      const weight = centrePrior ? Math.exp(-distance / (2 * sigma ** 2)) : 1;
      const at = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) sums[c] += weight * data[at + c];
    }
  }
  return Float32Array.from(sums);
}

/** Sum of each channel in each region, [R, C]; an empty one gives 0. */
export function sumRegions({ width, channels, data }: FeatureMap, regions: readonly Region[]): Float32Array {
  const pooled = new Float32Array(regions.length * channels);
  for (const [i, { yMin, xMin, yMax, xMax }] of regions.entries()) {
    const row = pooled.subarray(i * channels, (i + 1) * channels);
    for (let y = yMin; y < yMax; y++) {
      for (let x = xMin; x < xMax; x++) {
        const at = (y * width + x) * channels;
        for (let c = 0; c < channels; c++) row[c] += data[at + c];
      }
    }
  }
  return pooled;
}
