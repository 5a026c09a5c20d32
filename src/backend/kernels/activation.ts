/** @file What tfjs fuses behind a convolution: the bias, then the activation by its name. */
import { emit, reshape, toLayout } from '../record.js';
import { floatConstant, type Value } from '../value.js';
import { add, relu } from './elementwise.js';
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
  const apply = (op: string, others: Parameters<typeof emit>[1] = [], attributes: Parameters<typeof emit>[3] = {}) =>
    emit(op, [x, ...others], x, attributes);
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return relu(x);
    case 'relu6':
      return apply('Clip', [floatConstant(0), floatConstant(6)]);
    case 'leakyrelu':
      return apply('LeakyRelu', [], { alpha: { float: leakyreluAlpha } });
    case 'prelu': {
      const slope = preluActivationWeights;
      const shape = [...new Array<number>(4 - slope.shape.length).fill(1), ...slope.shape];
      return apply('PRelu', [toLayout(reshape(slope, shape), x.layout)]);
    }
    case 'elu':
      return apply('Elu');
    case 'sigmoid':
      return apply('Sigmoid');
    default:
      throw new Error(`The onnx backend has no activation "${activation as string}".`);
  }
}
