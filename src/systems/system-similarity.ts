/** @file How near a query is to each image of a database, where an image may be several vectors. */
import type { DescriptorTable } from '../retrieval/ranking.js';
import { plainSimilarity, type Similarity, squaredNorms } from '../linear/rows.js';
import type { SystemSettings } from './settings.js';

export interface VectorLayout {
  /** Values of one vector. */
  dimension: number;
  /** Vectors of a query and of a database image. One to many: the nearest counts. As many: each with its own, the nearest counts. */
  vectors: { query: number; database: number };
  /** Lengths of the maps' parts of a vector: for `distance: 'layers'`. */
  parts: readonly number[];
}

/** A similarity for rows of `layout`: dot products, or negative distances. */
export function systemSimilarity(
  settings: SystemSettings,
  layout: VectorLayout,
  database: DescriptorTable,
): Similarity {
  const nearest = nearestVectors(settings, layout, database);
  return (queries) => nearest(queries).values;
}

// Bounds the comparisons in memory: 64 MB of float32.
const comparisonsAtOnce = 1 << 24;

export interface Nearest {
  /** [B, N] */
  values: Float32Array;
  /** Which of an image's vectors was the nearest. [B, N] */
  best: Uint16Array;
}

/** Compares query rows with every image, and says by which of its vectors each is the nearest. */
export function nearestVectors(
  settings: SystemSettings,
  { dimension, vectors, parts }: VectorLayout,
  database: DescriptorTable,
): (queries: Float32Array) => Nearest {
  const images = database.ids.length;
  const { query: perQuery, database: perImage } = vectors;
  if (database.dimension !== perImage * dimension) {
    throw new Error(`systemSimilarity: rows of ${database.dimension} values, ${perImage} x ${dimension} expected.`);
  }
  const compare = comparison(settings, { dimension, parts }, database.data);
  const rowLength = perQuery * dimension;
  const atOnce = Math.max(1, Math.floor(comparisonsAtOnce / Math.max(1, images * perImage * perQuery)));
  return (queries) => {
    const count = queries.length / rowLength;
    const values = new Float32Array(count * images).fill(-Infinity);
    const best = new Uint16Array(count * images);
    for (let start = 0; start < count; start += atOnce) {
      const end = Math.min(count, start + atOnce);
      const compared = compare(queries.subarray(start * rowLength, end * rowLength)); // [B perQuery, N perImage]
      for (let q = start; q < end; q++) {
        for (let image = 0; image < images; image++) {
          const out = q * images + image;
          for (let v = 0; v < perImage; v++) {
            const row = (q - start) * perQuery + (perQuery === 1 ? 0 : v);
            const value = compared[(row * images + image) * perImage + v];
            if (value > values[out]) {
              values[out] = value;
              best[out] = v;
            }
          }
        }
      }
    }
    return { values, best };
  };
}

/** All vectors of queries against all of the database. */
function comparison(
  { distance, mapWeights }: SystemSettings,
  { dimension, parts }: Pick<VectorLayout, 'dimension' | 'parts'>,
  data: Float32Array,
): (queries: Float32Array) => Float32Array {
  const count = data.length / dimension;
  if (distance === 'dot' || distance === 'euclidean') {
    const products = plainSimilarity({ dimension, data });
    if (distance === 'dot') return (queries) => products(queries) as Float32Array;
    const squares = squaredNorms(data, dimension);
    return (queries) => {
      const querySquares = squaredNorms(queries, dimension);
      return (products(queries) as Float32Array).map(
        (product, i) => -Math.sqrt(Math.max(0, querySquares[Math.floor(i / count)] + squares[i % count] - 2 * product)),
      );
    };
  }
  const weights = parts.map(
    (_, i) => (mapWeights?.[i] ?? 1) / (mapWeights ?? parts.map(() => 1)).reduce((a, b) => a + b),
  );
  return (queries) => {
    const rows = queries.length / dimension;
    const out = new Float32Array(rows * count);
    for (let q = 0; q < rows; q++) {
      for (let n = 0; n < count; n++) {
        const [a, b] = [q * dimension, n * dimension];
        out[q * count + n] =
          distance === 'manhattan' ? -manhattan(queries, a, data, b, dimension) : -layers(queries, a, data, b);
      }
    }
    return out;
  };

  /** Σ_j α_j ‖a_j - b_j‖, α adding up to 1. */
  function layers(a: Float32Array, fromA: number, b: Float32Array, fromB: number): number {
    let sum = 0;
    let start = 0;
    for (const [j, length] of parts.entries()) {
      let squares = 0;
      for (let i = start; i < start + length; i++) squares += (a[fromA + i] - b[fromB + i]) ** 2;
      sum += weights[j] * Math.sqrt(squares);
      start += length;
    }
    return sum;
  }
}

function manhattan(a: Float32Array, fromA: number, b: Float32Array, fromB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += Math.abs(a[fromA + i] - b[fromB + i]);
  return sum;
}
