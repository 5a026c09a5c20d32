/** @file Runs generated calls on tfjs's JavaScript backend and on the engine, there many in one graph, and compares. */
import * as tf from '@tensorflow/tfjs';
import type { OnnxBackend } from '../../../src/backend/backend.js';
import { emit, plain, toLayout } from '../../../src/backend/record.js';
import { isHostType } from '../../../src/backend/javascript-backend.js';
import type { Call, Tensor } from './arbitraries.js';

export interface Result {
  shape: number[];
  dtype: string;
  values: (number | string)[];
}

/** What a call gives: tensors, or the message of its error. */
export type Outcome = Result[] | { error: string };

const outcomeOf = <T>(f: () => T): T | { error: string } => {
  try {
    return f();
  } catch (error) {
    return { error: (error as Error).message };
  }
};

/** Disposes of the tensors that `f` makes. */
function scoped<T>(f: () => T): T {
  tf.engine().startScope();
  try {
    return f();
  } finally {
    tf.engine().endScope();
  }
}

/** A tensor that the open scope disposes of. */
const owned = (info: tf.TensorInfo): tf.Tensor => tf.engine().makeTensorFromTensorInfo(info);

function tensorOf({ values, shape, dtype, form }: Tensor, backend?: OnnxBackend): tf.Tensor {
  if (dtype === 'complex64') {
    const half = values.length / 2;
    const [real, imaginary] = [values.slice(0, half), values.slice(half)] as [number[], number[]];
    return tf.complex(tf.tensor(real, shape), tf.tensor(imaginary, shape));
  }
  const given = tf.tensor(values, shape, dtype);
  if (backend === undefined || form === 'known' || isHostType(dtype)) return given;
  const value = backend.recorded(given);
  const moved = form === 'channels first' && shape.length === 4 ? toLayout(value, 'nchw') : value;
  return owned(backend.tensorOf(emit('Identity', [moved], moved)));
}

function runKernel(kernel: string, { inputs, attributes }: Call, backend?: OnnxBackend): tf.Tensor[] {
  type Given = Tensor | readonly Tensor[] | undefined;
  const made = (input: Given): unknown =>
    input && (Array.isArray(input) ? input.map(made) : tensorOf(input as Tensor, backend));
  const tensors = Array.isArray(inputs)
    ? inputs.map(made)
    : Object.fromEntries(Object.entries(inputs as Record<string, Given>).map(([name, input]) => [name, made(input)]));
  // The JavaScript backend has no kernel of its own for this one.
  if (kernel === 'LogSoftmax' && backend === undefined) {
    return [tf.logSoftmax((tensors as Record<string, tf.Tensor>).logits)];
  }
  const config = tf.getKernel(kernel, tf.getBackend());
  const results = config.kernelFunc({
    inputs: tensors as tf.NamedTensorInfoMap,
    backend: tf.backend(),
    attrs: structuredClone(attributes) as unknown as tf.NamedAttrMap,
  });
  return (Array.isArray(results) ? results : [results]).map(owned);
}

const read = (tensor: tf.Tensor): Result => {
  const { shape, dtype } = tensor;
  const values = Array.from(tensor.dataSync() as Iterable<number | string>);
  return { shape, dtype, values };
};

export function expectedOutcome(kernel: string, given: Call): Outcome {
  void tf.setBackend('cpu');
  return scoped(() => outcomeOf(() => runKernel(kernel, given).map(read)));
}

/** The engine's outcomes of calls, computed in one native run; or, if that fails, each by itself. */
export function actualOutcomes(kernel: string, calls: readonly Call[]): Outcome[] {
  void tf.setBackend('onnx');
  const backend = tf.backend() as OnnxBackend;
  return scoped(() => {
    const recorded = calls.map((given) => outcomeOf(() => runKernel(kernel, given, backend)));
    const tensors = recorded.flatMap((results) => ('error' in results ? [] : results));
    const native = tensors.filter(({ dtype }) => !isHostType(dtype));
    const values = native.map((info) => plain(backend.recorded(info)));
    const pending = values.filter(({ memory }) => memory === undefined);
    const numbers = outcomeOf(() => {
      const computed = pending.length === 0 ? [] : backend.execute(pending, () => undefined);
      return values.map((value) => value.memory?.data ?? computed[pending.indexOf(value)]);
    });
    if ('error' in numbers) {
      if (calls.length === 1) return [numbers];
      return calls.map((given) => actualOutcomes(kernel, [given])[0]);
    }
    const at = new Map(native.map((info, i) => [info, i]));
    return recorded.map((results) => {
      if ('error' in results) return results;
      return results.map((info): Result => {
        const index = at.get(info);
        if (index === undefined) return read(info);
        return { shape: info.shape, dtype: info.dtype, values: Array.from(numbers[index]) };
      });
    });
  });
}

export interface Tolerance {
  /** Of each number. */
  relative: number;
  /** Of all; `sums` of about ten small numbers lose more than element-wise functions. */
  absolute: number;
}

/** What differs, in words; undefined if nothing does. */
export function difference(expected: Outcome, actual: Outcome, { relative, absolute }: Tolerance): string | undefined {
  if ('error' in expected) return 'error' in actual ? undefined : `no error, where "${expected.error}" was expected`;
  if ('error' in actual) return `error "${actual.error}"`;
  if (expected.length !== actual.length) return `${actual.length} results for ${expected.length}`;
  for (const [k, { shape, dtype, values }] of expected.entries()) {
    const other = actual[k];
    if (other.dtype !== dtype) return `type ${other.dtype} for ${dtype}`;
    if (other.shape.join() !== shape.join()) return `shape [${other.shape.join()}] for [${shape.join()}]`;
    if (other.values.length !== values.length) return `${other.values.length} values for ${values.length}`;
    const wrong = values.findIndex((value, i) => {
      const seen = other.values[i];
      if (Object.is(value, seen) || value === seen) return false;
      if (typeof value === 'string' || typeof seen === 'string' || dtype === 'int32' || dtype === 'bool') return true;
      return !(Math.abs(seen - value) <= relative * Math.abs(value) + absolute);
    });
    if (wrong >= 0) return `[${other.values.join()}] for [${values.join()}] (at ${wrong})`;
  }
  return undefined;
}
