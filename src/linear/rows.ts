/** @file Tables of row vectors, and their dot products with others, on plain typed arrays. */

/** Rows of descriptors without names. */
export interface DescriptorRows {
  /** D, the row length. */
  dimension: number;
  /** [N, D] row-major. */
  data: Float32Array;
}

/** N of rows [N, D]. */
export function rowCount({ data, dimension }: DescriptorRows): number {
  return dimension === 0 ? 0 : data.length / dimension;
}

/** Gives the similarities [B, N] of a block of query rows [B, D] to every database row. */
export type Similarity = (queries: Float32Array) => Float32Array | Promise<Float32Array>;

// One tile of database rows (64 x 2048 floats = 512 KB) stays in the L2 cache while all queries of a block pass over it.
const databaseTile = 64;

/** Dot products on this thread with float64 sums, about 1 G multiply-adds/s; see engineSimilarity for big tables. */
export function plainSimilarity(database: DescriptorRows): Similarity {
  const { data, dimension } = database;
  const rows = rowCount(database);
  return (queries) => {
    const count = queries.length / dimension;
    const out = new Float32Array(count * rows); // [B, N]
    for (let tile = 0; tile < rows; tile += databaseTile) {
      const end = Math.min(rows, tile + databaseTile);
      for (let q = 0; q < count; q++) {
        const a = q * dimension;
        let n = tile;
        // Four rows at a time: each query value is loaded once and the four sums do not wait for each other.
        for (; n + 4 <= end; n += 4) {
          const b = n * dimension;
          let s0 = 0;
          let s1 = 0;
          let s2 = 0;
          let s3 = 0;
          for (let i = 0; i < dimension; i++) {
            const value = queries[a + i];
            s0 += value * data[b + i];
            s1 += value * data[b + dimension + i];
            s2 += value * data[b + 2 * dimension + i];
            s3 += value * data[b + 3 * dimension + i];
          }
          out[q * rows + n] = s0;
          out[q * rows + n + 1] = s1;
          out[q * rows + n + 2] = s2;
          out[q * rows + n + 3] = s3;
        }
        for (; n < end; n++) {
          let sum = 0;
          for (let i = 0; i < dimension; i++) sum += queries[a + i] * data[n * dimension + i];
          out[q * rows + n] = sum;
        }
      }
    }
    return out;
  };
}

/** Dot product of two rows of one length. */
export function innerProduct(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}

/** |x|² of each row. [N] */
export function squaredNorms(rows: Float32Array, dimension: number): Float64Array {
  const squares = new Float64Array(rows.length / dimension);
  for (let i = 0; i < rows.length; i++) squares[Math.floor(i / dimension)] += rows[i] * rows[i];
  return squares;
}

/** Columns [D, N] as rows [N, D]. */
export function transposed(columns: Float32Array, rows: number): Float32Array {
  const dimension = columns.length / rows;
  const out = new Float32Array(columns.length);
  for (let r = 0; r < rows; r++) for (let d = 0; d < dimension; d++) out[r * dimension + d] = columns[d * rows + r];
  return out;
}
