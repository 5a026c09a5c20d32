/** @file How a kernel is written: recorded values and attributes in, recorded values out. */
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../backend.js';
import { forward } from '../forward.js';
import { isHostType } from '../javascript-backend.js';
import type { Value } from '../value.js';

export const backendName = 'onnx';

/** Named inputs of a kernel (`x`, `a`, `dy`, ...), or numbered ones where tfjs passes a list. */
export type Inputs = Readonly<Record<string, Value>>;
/** Attributes as tfjs passes them; each kernel states the ones it reads. */
export type Attributes<A> = A;

/** Registers a kernel of this backend. */
export function defineKernel<A = Record<string, never>>(
  kernelName: string,
  record: (inputs: Inputs, attributes: A, backend: OnnxBackend) => Value | Value[],
): void {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const onnx = backend as OnnxBackend;
      const elsewhere = () => forward(onnx, kernelName, inputs, attrs ?? {});
      const dtype = (attrs as { dtype?: tf.DataType } | undefined)?.dtype;
      if (dtype !== undefined && isHostType(dtype)) return elsewhere();
      const values: Record<string, Value> = {};
      for (const name in inputs) {
        const info = inputs[name] as tf.TensorInfo | null | undefined;
        if (info === undefined || info === null) continue;
        if (isHostType(info.dtype)) return elsewhere();
        values[name] = onnx.recorded(info);
      }
      const result = record(values, (attrs ?? {}) as A, onnx);
      return Array.isArray(result) ? result.map((value) => onnx.tensorOf(value)) : onnx.tensorOf(result);
    },
  });
}

/**
 * Registers a kernel whose result is its input under another shape: the same data id, held once more.
 */
export function defineView<A = Record<string, never>>(
  kernelName: string,
  input: string,
  shapeOf: (x: tf.TensorInfo, attributes: A) => number[],
): void {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const x = inputs[input] as tf.TensorInfo;
      const shape = shapeOf(x, (attrs ?? {}) as A);
      (backend as OnnxBackend).incRef(x.dataId);
      return { dataId: x.dataId, shape, dtype: x.dtype };
    },
  });
}

/** A kernel's list of inputs in order (tfjs numbers them). */
export function inputList(inputs: Inputs): Value[] {
  return Object.values(inputs);
}
