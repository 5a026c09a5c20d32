/** @file The descriptors of a collection: row r is its D values, times scales[r] where these are bytes. */

/** @typedef {{ dimension: number, values: Int8Array | Float32Array, scales?: Float32Array }} Rows values: [N, D], scales: [N] */

/**
 * @param {Rows} rows
 * @param {number} row
 * @returns {Float32Array} [D]
 */
export function rowOf({ dimension, values, scales }, row) {
  const scale = scales?.[row] ?? 1;
  return Float32Array.from(values.subarray(row * dimension, (row + 1) * dimension), (value) => scale * value);
}

/**
 * The nearest rows to a query, best first; of equal ones the earlier.
 * @param {Rows} rows
 * @param {Float32Array} query [D]
 * @param {number} count at most
 * @param {(row: number) => boolean} [allowed]
 * @returns {{ row: number, similarity: number }[]} similarity: the dot product
 */
export function nearest({ dimension, values, scales }, query, count, allowed = () => true) {
  const found = [];
  for (let row = 0; row * dimension < values.length; row++) {
    if (!allowed(row)) continue;
    let sum = 0;
    for (let d = 0, at = row * dimension; d < dimension; d++, at++) sum += query[d] * values[at];
    found.push({ row, similarity: (scales?.[row] ?? 1) * sum });
  }
  return found.sort((a, b) => b.similarity - a.similarity).slice(0, count);
}
