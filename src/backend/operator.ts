/** @file ONNX operators that tfjs has no kernel for. */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { emit, plain } from './record.js';
import type { Attribute } from './value.js';

/**
 * Records a standard operator (opset 17) of one float32 output of `shape` on tensors in the order of their shapes. It has no
 * gradient. Needs the project's own engine.
 */
export function recordOperator(
  type: string,
  inputs: readonly tf.Tensor[],
  { shape, attributes = {} }: { shape: readonly number[]; attributes?: Readonly<Record<string, Attribute>> },
): tf.Tensor {
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend))
    throw new Error(`Recording ${type} needs the project engine: use --device cpu.`);
  const values = inputs.map((input) => plain(backend.recorded(input)));
  return tf.engine().makeTensorFromTensorInfo(backend.tensorOf(emit(type, values, { shape }, attributes)));
}
