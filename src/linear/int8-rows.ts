/** @file Rows of descriptors in bytes: a fourth of the memory for about three digits of similarity. */
import type { DescriptorRows } from './rows.js';

/** Row r is `scales[r]` times its D `values`. */
export interface ScaledBytes {
  /** [N] */
  scales: Float32Array;
  /** [N, D], -127 to 127. */
  values: Int8Array;
}

/** Rounds each row by its own scale, so that its largest value becomes 127. */
export function toInt8({ data, dimension }: DescriptorRows): ScaledBytes {
  const scales = new Float32Array(data.length / dimension);
  const values = new Int8Array(data.length);
  for (let row = 0; row < scales.length; row++) {
    const of = data.subarray(row * dimension, (row + 1) * dimension);
    const most = of.reduce((sum, value) => Math.max(sum, Math.abs(value)), 0);
    if (most === 0) continue;
    scales[row] = most / 127;
    for (let d = 0; d < dimension; d++) values[row * dimension + d] = Math.round(of[d] / scales[row]);
  }
  return { scales, values };
}

/** The rows that bytes stand for. [N, D] */
export function fromInt8({ scales, values }: ScaledBytes): DescriptorRows {
  const dimension = values.length / scales.length;
  const data = new Float32Array(values.length);
  for (let i = 0; i < data.length; i++) data[i] = values[i] * scales[Math.floor(i / dimension)];
  return { dimension, data };
}
