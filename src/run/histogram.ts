/** @file Histograms of weights, as TensorBoard shows them. */

export interface Histogram {
  min: number;
  max: number;
  count: number;
  sum: number;
  sumOfSquares: number;
  /** [B] upper bounds of the buckets, rising; the last is `max`. */
  limits: Float64Array;
  /** [B] values in each. */
  counts: Float64Array;
}

/** `buckets` of equal width from the smallest to the largest of the values, which must be finite and at least one. */
export function histogramOf(values: Float32Array, buckets = 64): Histogram {
  let [min, max, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    sumOfSquares += value * value;
  }
  if (values.length === 0 || !Number.isFinite(sumOfSquares)) {
    throw new Error(`histogramOf: finite values expected, got ${values.length} with the sum ${sum}.`);
  }
  const size = min === max ? 1 : buckets;
  const counts = new Float64Array(size);
  const scale = size / (max - min);
  for (const value of values) counts[size === 1 ? 0 : Math.min(size - 1, Math.floor((value - min) * scale))]++;
  const limits = Float64Array.from(counts, (_, i) => (i === size - 1 ? max : min + (i + 1) / scale));
  return { min, max, count: values.length, sum, sumOfSquares, limits, counts };
}
