/** @file Variables that take numbers over: weights are large, and `tf.tensor` copies what it is given. */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { Memory, Value } from './value.js';

/** A trainable variable of the numbers in `data`, which nobody may change from then on. */
export function ownedVariable(data: Float32Array, shape: readonly number[], name: string): tf.Variable {
  const size = tf.util.sizeFromShape([...shape]);
  tf.util.assert(data.length === size, () => `${name} has ${data.length} numbers for the shape [${shape.join()}].`);
  return tf.tidy(() => {
    const backend = tf.backend();
    const tensor =
      backend instanceof OnnxBackend
        ? backend.newTensor(new Value(shape, 'float32', 'plain', undefined, 0, new Memory(data)))
        : tf.tensor(data, [...shape]);
    return tf.variable(tensor, true, name);
  });
}
