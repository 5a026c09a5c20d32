/**
 * @file Whitening as the paper's two layers: a shift and a fully connected layer without bias, both trainable.
 * descriptor = l2((x + shift) . kernel). Started from a PCA: shift = -mean, kernel columns = eigenvectors / sqrt(eigenvalue).
 */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { ModelMeta } from './meta.js';
import type { NamedArrays } from './safetensors.js';

export const shiftName = 'whitening/shift';
export const kernelName = 'whitening/kernel';

/** (x + shift) . kernel along the last axis: x [..., C], shift [C], kernel [C, D] -> [..., D]. Not normalised. */
export function whiten(x: tf.Tensor, shift: tf.Tensor1D, kernel: tf.Tensor2D): tf.Tensor {
  return tf.tidy(() => {
    const [channels, dimension] = kernel.shape;
    const rows = x.add(shift).reshape([-1, channels]);
    return tf.matMul(rows, kernel).reshape([...x.shape.slice(0, -1), dimension]);
  });
}

export interface PcaWhitening {
  /** [C] mean of the training vectors. */
  mean: Float32Array | Float64Array | readonly number[];
  /** [D, C] row-major, rows already divided by the square root of their eigenvalue. */
  components: Float32Array | Float64Array;
  /** D, at most C. */
  dimension: number;
}

/** The model whose region vectors are raised to `power`; 1 = as they are. */
export function withPower<T extends { meta: ModelMeta }>(model: T, power: number): T {
  const { power: _earlier, ...pooling } = model.meta.pooling;
  return { ...model, meta: { ...model.meta, pooling: power === 1 ? pooling : { ...pooling, power } } };
}

/** Meta and arrays of the same model with this whitening in place of the one it had. Inputs are left alone. */
export function withWhitening(
  meta: ModelMeta,
  weights: NamedArrays,
  { mean, components, dimension }: PcaWhitening,
): { meta: ModelMeta; weights: NamedArrays } {
  const channels = mean.length;
  if (components.length !== dimension * channels) {
    throw new InputError(`Whitening: ${components.length} component values, ${dimension} x ${channels} expected.`);
  }
  const kernel = new Float32Array(channels * dimension);
  for (let d = 0; d < dimension; d++) {
    for (let c = 0; c < channels; c++) kernel[c * dimension + d] = components[d * channels + c]!;
  }
  const result: NamedArrays = new Map(weights);
  result.set(shiftName, { shape: [channels], data: Float32Array.from(mean, (m) => -m) });
  result.set(kernelName, { shape: [channels, dimension], data: kernel });
  return { meta: { ...meta, whitening: { dimension } }, weights: result };
}

/** Meta and arrays of the same model without whitening. */
export function withoutWhitening(meta: ModelMeta, weights: NamedArrays): { meta: ModelMeta; weights: NamedArrays } {
  const { whitening: _, ...rest } = meta;
  const result: NamedArrays = new Map(weights);
  result.delete(shiftName);
  result.delete(kernelName);
  return { meta: rest, weights: result };
}
