/**
 * @file Where a classifier sees its class (Zhou et al. 2016), as OS-RMAC uses it: the class c of the averaged last map,
 * heat = Σ_k w(k, c) map_k, and a mask of the cells where heat exceeds 0.9 times its mean.
 */
import type { FeatureMap } from './feature-map.js';

/** One fully connected layer behind global average pooling: kernel [C, K], bias [K]. */
export interface Classifier {
  channels: number;
  classes: number;
  kernel: Float32Array;
  bias: Float32Array;
}

/** One value per cell, 1 or 0. */
export interface CellMask {
  height: number;
  width: number;
  cells: Uint8Array;
}

/**
 * The mask of `map`, the last feature map or the sum of `summed` of them. Where no cell exceeds the threshold (heat that is
 * negative and the same everywhere) all are kept.
 */
export function activationMask(
  map: FeatureMap,
  classifier: Classifier,
  { threshold = 0.9, summed = 1 }: { threshold?: number; summed?: number } = {},
): CellMask {
  const { height, width, channels, data } = map;
  if (classifier.channels !== channels) {
    throw new Error(`activationMask: a classifier of ${classifier.channels} channels, a map of ${channels}.`);
  }
  const { classes, kernel, bias } = classifier;
  const cells = height * width;
  const mean = new Float64Array(channels);
  for (let i = 0; i < data.length; i++) mean[i % channels] += data[i] / (cells * summed);
  let best = 0;
  let bestScore = -Infinity;
  for (let k = 0; k < classes; k++) {
    let score = bias[k];
    for (let c = 0; c < channels; c++) score += mean[c] * kernel[c * classes + k];
    if (score > bestScore) [best, bestScore] = [k, score];
  }
  const heat = new Float64Array(cells);
  for (let i = 0; i < cells; i++) {
    for (let c = 0; c < channels; c++) heat[i] += data[i * channels + c] * kernel[c * classes + best];
  }
  const limit = threshold * (heat.reduce((sum, value) => sum + value, 0) / cells);
  const mask = Uint8Array.from(heat, (value) => (value > limit ? 1 : 0));
  return { height, width, cells: mask.includes(1) ? mask : mask.fill(1) };
}

/** The map with the cells outside the mask set to 0; a mask of another size is read at the nearest cell. */
export function maskMap(map: FeatureMap, mask: CellMask): FeatureMap {
  const { height, width, channels } = map;
  const data = new Float32Array(map.data.length);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * mask.height) / height);
    for (let x = 0; x < width; x++) {
      if (mask.cells[row * mask.width + Math.floor(((x + 0.5) * mask.width) / width)] === 0) continue;
      const at = (y * width + x) * channels;
      data.set(map.data.subarray(at, at + channels), at);
    }
  }
  return { ...map, data };
}
