/**
 * @file The point with the least weighted sum of distances to given points, by the modified Weiszfeld algorithm of Vardi and Zhang
 * (PNAS 97, 2000), which does not stall where an iterate hits one of the points.
 */

import { lengthOf } from '../../extremes.js';

export interface GeometricMedianOptions {
  /** Weight of each point, above zero. Default 1. */
  weights?: ArrayLike<number>;
  /** Iteration ends when the median moves less than this. Default 1e-6 times the points' extent. */
  tolerance?: number;
  /** Default 500. */
  maxIterations?: number;
}

/**
 * Geometric median of `points`, [N, D] row-major, N at least 1. Unique unless all points lie on one line.
 *
 * With y not a point, y <- T(y) = sum(w x / |x - y|) / sum(w / |x - y|). With y = x_k of weight eta, sums over the other
 * points, R = sum(w (x - y) / |x - y|) and gamma = min(1, eta / |R|): y <- (1 - gamma) T(y) + gamma y, so y stays where eta >= |R|.
 */
export function geometricMedian(
  points: ArrayLike<number>,
  dimension: number,
  { weights, tolerance, maxIterations = 500 }: GeometricMedianOptions = {},
): Float64Array {
  const count = points.length / dimension;
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`geometricMedian: ${points.length} numbers make no points of ${dimension}.`);
  }
  const weightOf = (i: number) => (weights === undefined ? 1 : weights[i]);
  const y = new Float64Array(dimension); // starts at the weighted mean
  let total = 0;
  for (let i = 0; i < count; i++) {
    const weight = weightOf(i);
    if (!(weight > 0)) throw new Error(`geometricMedian: weight ${weight} of point ${i}; expected one above 0.`);
    total += weight;
    for (let d = 0; d < dimension; d++) y[d] += weight * points[i * dimension + d];
  }
  for (let d = 0; d < dimension; d++) y[d] /= total;
  let extent = 0;
  for (let i = 0; i < points.length; i++) extent = Math.max(extent, Math.abs(points[i] - y[i % dimension]));
  const stop = tolerance ?? 1e-6 * extent;
  // Points nearer than rounding errors count as hit: 1 / distance would swamp all others.
  const hit = 1e-12 * Math.max(extent, 1e-300);

  const pulled = new Float64Array(dimension);
  const direction = new Float64Array(dimension);
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    pulled.fill(0);
    direction.fill(0);
    let sum = 0;
    let eta = 0;
    for (let i = 0; i < count; i++) {
      const row = i * dimension;
      let squared = 0;
      for (let d = 0; d < dimension; d++) squared += (points[row + d] - y[d]) ** 2;
      const distance = Math.sqrt(squared);
      if (distance <= hit) {
        eta += weightOf(i);
        continue;
      }
      const share = weightOf(i) / distance;
      sum += share;
      for (let d = 0; d < dimension; d++) {
        pulled[d] += share * points[row + d];
        direction[d] += share * (points[row + d] - y[d]);
      }
    }
    if (sum === 0) break; // every point is here
    const r = lengthOf(direction);
    const gamma = eta === 0 ? 0 : r === 0 ? 1 : Math.min(1, eta / r);
    let moved = 0;
    for (let d = 0; d < dimension; d++) {
      const next = (1 - gamma) * (pulled[d] / sum) + gamma * y[d];
      moved = Math.max(moved, Math.abs(next - y[d]));
      y[d] = next;
    }
    if (moved <= stop) break;
  }
  return y;
}
