/** @file What tfjs fuses behind a convolution or matrix product: the bias, then the activation by its name. */
import { emit } from '../record.js';
import type { Value } from '../value.js';
import { add, leakyRelu, prelu, relu, relu6 } from './elementwise.js';
import type { Inputs } from './kernel.js';

export interface Activation {
  activation?: 'linear' | 'relu' | 'relu6' | 'leakyrelu' | 'prelu' | 'elu' | 'sigmoid';
  leakyreluAlpha?: number;
}

/** activation(linear + bias), where there is a bias. */
export function activated(
  linear: Value,
  { bias, preluActivationWeights }: Inputs,
  { activation = 'linear', leakyreluAlpha = 0.2 }: Activation,
): Value {
  const x = bias === undefined ? linear : add(linear, bias);
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return relu(x);
    case 'relu6':
      return relu6(x);
    case 'leakyrelu':
      return leakyRelu(x, leakyreluAlpha);
    case 'prelu':
      return prelu(x, preluActivationWeights);
    case 'elu':
      return emit('Elu', [x], x);
    case 'sigmoid':
      return emit('Sigmoid', [x], x);
    default:
      throw new Error(`The onnx backend has no activation "${activation as string}".`);
  }
}
