/** @file How a kernel is written: recorded values and attributes in, recorded values out. */
import * as tf from '@tensorflow/tfjs';
import type { OnnxBackend } from '../backend.js';
import type { Value } from '../value.js';

export const backendName = 'onnx';

/** Named inputs of a kernel (`x`, `a`, `dy`, ...), or numbered ones where tfjs passes a list. */
export type Inputs = Readonly<Record<string, Value>>;
/** Attributes as tfjs passes them; each kernel states the ones it reads. */
export type Attributes<A> = A;

/** Registers a kernel of this backend. */
export function defineKernel<A = Record<string, never>>(
  kernelName: string,
  record: (inputs: Inputs, attributes: A) => Value | Value[],
): void {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const onnx = backend as OnnxBackend;
      const values: Record<string, Value> = {};
      for (const name in inputs) {
        const info = inputs[name] as tf.TensorInfo | null | undefined;
        if (info !== undefined && info !== null) values[name] = onnx.recorded(info);
      }
      const result = record(values, (attrs ?? {}) as A);
      return Array.isArray(result) ? result.map((value) => onnx.tensorOf(value)) : onnx.tensorOf(result);
    },
  });
}

/** A kernel's list of inputs in order (tfjs numbers them). */
export function inputList(inputs: Inputs): Value[] {
  return Object.values(inputs);
}
