/** @file k-means (Lloyd) with seeded k-means++ starts (Arthur and Vassilvitskii 2007), on rows [N, D]. */
import seedrandom from 'seedrandom';
import { plainSimilarity, squaredNorms } from './rows.js';

export interface Clusters {
  /** Nearest centre of each row. [N] */
  assignment: Int32Array;
  /** [k, D] */
  centres: Float32Array;
}

export interface KMeansOptions {
  seed?: number;
  /** Most passes; it ends earlier where no row changes its cluster. Default 50. */
  iterations?: number;
}

/** Clusters of `rows` [N, D], 1 <= k <= N. No cluster is empty: one that loses its rows takes the row furthest from its centre. */
export function kMeans(
  rows: Float32Array,
  dimension: number,
  k: number,
  { seed = 0, iterations = 50 }: KMeansOptions = {},
): Clusters {
  const count = rows.length / dimension;
  if (k < 1 || k > count) throw new Error(`kMeans: ${k} clusters of ${count} rows.`);
  let centres = firstCentres(rows, dimension, k, seed);
  let assignment: Int32Array = new Int32Array(count).fill(-1);
  for (let i = 0; i < iterations; i++) {
    const { nearest, distances } = nearestCentres(rows, dimension, centres);
    fillEmpty(nearest, distances, k);
    if (nearest.every((centre, row) => centre === assignment[row])) break;
    assignment = nearest;
    centres = means(rows, dimension, assignment, k);
  }
  return { assignment, centres };
}

/** Nearest of `centres` [k, D] to each row and its squared distance; of equal ones the first. */
export function nearestCentres(
  rows: Float32Array,
  dimension: number,
  centres: Float32Array,
): { nearest: Int32Array; distances: Float64Array } {
  const count = rows.length / dimension;
  const k = centres.length / dimension;
  const products = plainSimilarity({ dimension, data: centres })(rows) as Float32Array; // [N, k]
  const centreSquares = squaredNorms(centres, dimension);
  const rowSquares = squaredNorms(rows, dimension);
  const nearest = new Int32Array(count);
  const distances = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    let best = Infinity;
    for (let centre = 0; centre < k; centre++) {
      const distance = centreSquares[centre] - 2 * products[row * k + centre];
      if (distance < best) {
        best = distance;
        nearest[row] = centre;
      }
    }
    distances[row] = Math.max(0, best + rowSquares[row]);
  }
  return { nearest, distances };
}

/** k-means++: each next centre is a row drawn with probability proportional to its squared distance from those before. */
function firstCentres(rows: Float32Array, dimension: number, k: number, seed: number): Float32Array {
  const random = seedrandom(`${seed}`);
  const count = rows.length / dimension;
  const rowAt = (row: number) => rows.subarray(row * dimension, (row + 1) * dimension);
  const centres = new Float32Array(k * dimension);
  const distances = new Float64Array(count).fill(Infinity);
  let chosen = Math.floor(random() * count);
  for (let centre = 0; ; centre++) {
    centres.set(rowAt(chosen), centre * dimension);
    if (centre === k - 1) return centres;
    let total = 0;
    for (let row = 0; row < count; row++) {
      distances[row] = Math.min(distances[row], squaredDistance(rowAt(row), rowAt(chosen)));
      total += distances[row];
    }
    let left = random() * total;
    let next = -1;
    for (let row = 0; row < count; row++) {
      if (distances[row] === 0) continue;
      next = row;
      left -= distances[row];
      if (left < 0) break;
    }
    chosen = next < 0 ? Math.floor(random() * count) : next; // fewer different rows than clusters
  }
}

/** Gives each empty cluster the row that is furthest from its centre, of clusters with more than one. In place. */
function fillEmpty(nearest: Int32Array, distances: Float64Array, k: number): void {
  const sizes = new Int32Array(k);
  for (const centre of nearest) sizes[centre]++;
  for (let centre = 0; centre < k; centre++) {
    if (sizes[centre] > 0) continue;
    let furthest = -1;
    for (let row = 0; row < nearest.length; row++) {
      if (sizes[nearest[row]] > 1 && (furthest < 0 || distances[row] > distances[furthest])) furthest = row;
    }
    sizes[nearest[furthest]]--;
    nearest[furthest] = centre;
    distances[furthest] = 0;
    sizes[centre] = 1;
  }
}

function means(rows: Float32Array, dimension: number, assignment: Int32Array, k: number): Float32Array {
  const sums = new Float64Array(k * dimension);
  const sizes = new Int32Array(k);
  for (const [row, centre] of assignment.entries()) {
    sizes[centre]++;
    for (let i = 0; i < dimension; i++) sums[centre * dimension + i] += rows[row * dimension + i];
  }
  return Float32Array.from(sums, (sum, i) => sum / sizes[Math.floor(i / dimension)]);
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}
