/** @file tfjs's JavaScript backend, where tensors of strings and complex numbers lie. */
import * as tf from '@tensorflow/tfjs-core';

/** The part of tfjs's MathBackendCPU that is used. */
export interface JavaScriptBackend extends tf.KernelBackend {
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.BackendValues | string[]): tf.TensorInfo;
  disposeIntermediateTensorInfo(info: tf.TensorInfo): void;
}

/** True for element types that only the JavaScript backend has. */
export function isHostType(dtype: tf.DataType): dtype is 'string' | 'complex64' {
  return dtype === 'string' || dtype === 'complex64';
}

export function javaScriptBackend(): JavaScriptBackend {
  const backend = tf.findBackend('cpu');
  if (backend === null)
    throw new Error("tfjs's JavaScript backend is not registered: import @tensorflow/tfjs-backend-cpu.");
  return backend as JavaScriptBackend;
}
