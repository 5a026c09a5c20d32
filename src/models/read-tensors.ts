/** @file Tensors by name as plain numbers. */
import type * as tf from '@tensorflow/tfjs-core';
import type { NamedArrays } from './safetensors.js';

/** Copies of the tensors' numbers, read from the device. */
export async function readTensors(tensors: Iterable<readonly [name: string, tensor: tf.Tensor]>): Promise<NamedArrays> {
  const arrays: NamedArrays = new Map();
  for (const [name, tensor] of tensors) {
    arrays.set(name, { shape: [...tensor.shape], data: Float32Array.from(await tensor.data()) });
  }
  return arrays;
}
