/** @file The kernels of kernels/forwarded.ts: what the graph has no form for runs in tfjs's JavaScript backend, on data read from the graph. */
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from './backend.js';
import { isHostType, javaScriptBackend } from './javascript-backend.js';

/** tfjs passes most inputs by name, some as lists. */
type KernelInput = tf.TensorInfo | tf.TensorInfo[] | null | undefined;

/** Runs a kernel of the JavaScript backend on tensors of this one. Reads its inputs, so the graph up to them runs. */
export function forward(
  backend: OnnxBackend,
  kernelName: string,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap,
): tf.TensorInfo | tf.TensorInfo[] {
  const host = javaScriptBackend();
  const kernel = tf.getKernel(kernelName, 'cpu');
  if (kernel === undefined) throw new Error(`tfjs's JavaScript backend has no kernel ${kernelName}.`);
  backend.stats.forwarded++;
  const copies: tf.TensorInfo[] = [];
  const lend = (info: tf.TensorInfo): tf.TensorInfo => {
    const { shape, dtype } = info;
    const hosted = backend.hosted(info);
    const lent = hosted ?? host.makeTensorInfo(shape, dtype, backend.readSync(info.dataId));
    if (hosted === undefined) copies.push(lent);
    return Object.assign(lent, { rank: shape.length }); // some kernels look at the rank of a tensor
  };
  const lendAll = (value: KernelInput): KernelInput =>
    Array.isArray(value) ? value.map((info) => lendAll(info) as tf.TensorInfo) : value && lend(value);
  const lent = Array.isArray(inputs)
    ? lendAll(inputs)
    : Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, lendAll(input)]));
  const results = kernel.kernelFunc({ inputs: lent as tf.NamedTensorInfoMap, backend: host, attrs });
  const taken = (Array.isArray(results) ? results : [results]).map((result) => {
    if (isHostType(result.dtype)) return backend.hostedTensor(result);
    const dataId = backend.write(host.readSync(result.dataId), result.shape, result.dtype);
    host.disposeIntermediateTensorInfo(result);
    return { dataId, shape: result.shape, dtype: result.dtype };
  });
  for (const copy of copies) host.disposeIntermediateTensorInfo(copy);
  return Array.isArray(results) ? taken : taken[0];
}
