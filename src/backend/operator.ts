/** @file ONNX operators that tfjs has no kernel for. */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { emit, plain } from './record.js';
import type { Attribute, Value } from './value.js';

/**
 * Records a standard operator (opset 17) of one float32 output of `shape` on tensors in the order of their shapes. It has no
 * gradient. Needs the project's own engine.
 */
export function recordOperator(
  type: string,
  inputs: readonly tf.Tensor[],
  { shape, attributes = {} }: { shape: readonly number[]; attributes?: Readonly<Record<string, Attribute>> },
): tf.Tensor {
  return recordOperators(inputs, (...values) => emit(type, values.map(plain), { shape }, attributes));
}

/** Records what `build` emits on tensors, of which the last value becomes a tensor. It has no gradient. Needs the project's own engine. */
export function recordOperators(inputs: readonly tf.Tensor[], build: (...values: Value[]) => Value): tf.Tensor {
  return recordOutputs(inputs, (...values) => [build(...values)])[0];
}

/** The same where several values become tensors. */
export function recordOutputs(inputs: readonly tf.Tensor[], build: (...values: Value[]) => Value[]): tf.Tensor[] {
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend)) {
    throw new Error("Recording ONNX's operators needs the project engine: use --device cpu.");
  }
  const results = build(...inputs.map((input) => backend.recorded(input)));
  return results.map((result) => backend.newTensor(result));
}

/** Whether the project's own engine computes, so that `recordOperators` can be called. */
export function recordsOperators(): boolean {
  return tf.backend() instanceof OnnxBackend;
}
