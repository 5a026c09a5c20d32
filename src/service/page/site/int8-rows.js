/** @file The descriptors of a collection in bytes: row r is scales[r] times its D values. */

/** @typedef {{ dimension: number, scales: Float32Array, values: Int8Array }} Int8Rows */

/**
 * @param {Int8Rows} rows
 * @param {number} row
 * @returns {Float32Array} [D]
 */
export function rowOf({ dimension, scales, values }, row) {
  const from = row * dimension;
  return Float32Array.from(values.subarray(from, from + dimension), (value) => scales[row] * value);
}

/**
 * The nearest rows to a query, best first; of equal ones the earlier.
 * @param {Int8Rows} rows
 * @param {Float32Array} query [D]
 * @param {number} count at most
 * @param {(row: number) => boolean} [allowed]
 * @returns {{ row: number, similarity: number }[]} similarity: the dot product
 */
export function nearestInt8({ dimension, scales, values }, query, count, allowed = () => true) {
  const found = [];
  for (let row = 0; row < scales.length; row++) {
    if (!allowed(row)) continue;
    let sum = 0;
    for (let d = 0, at = row * dimension; d < dimension; d++, at++) sum += query[d] * values[at];
    found.push({ row, similarity: scales[row] * sum });
  }
  return found.sort((a, b) => b.similarity - a.similarity).slice(0, count);
}
