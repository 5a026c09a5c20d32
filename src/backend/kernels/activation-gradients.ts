/** @file Where an activation lets a gradient through: the masks of ReLU and ReLU6, from their outputs. */
import * as tf from '@tensorflow/tfjs-core';
import { cast, emit, sameShape } from '../record.js';
import { floatConstant, type Value } from '../value.js';
import { like, relu } from './elementwise.js';
import { defineKernel } from './kernel.js';

const largestFloat = 3.4028234663852886e38;
/** Scales a number without rounding, and any difference of float32 of about 1 to more than 1. */
const largePower = 2 ** 120;

function hardSigmoid(x: Value, alpha: number, beta: number): Value {
  return emit('HardSigmoid', [x], x, { alpha: { float: alpha }, beta: { float: beta } });
}

/** The value and the bound if `difference` is a known bound less a value: where the value is below is then seen without the difference. */
function underBound({ op, shape }: Value): { value: Value; bound: number } | undefined {
  if (op?.type !== 'Sub') return undefined;
  const [left, value] = op.inputs as [Value, Value];
  const bound = left.size === 1 ? left.memory?.data[0] : undefined;
  // The differences from smaller bounds may be less than 1 / largePower, larger ones overflow.
  const fits = bound !== undefined && bound >= 1 && bound < 100 && sameShape(value.shape, shape);
  return fits ? { value, bound } : undefined;
}

// The mask of a ReLU, from its output: in a gradient the planner merges this Relu with the forward one, so that the
// value before it need not be kept. HardSigmoid with the largest slope, min(1, max(0, x * 3.4e38)), is the one operator
// that makes the mask in one pass; numbers below 3e-39 (denormal) get a value between 0 and 1.
defineKernel<{ alpha: number }>('Step', ({ x }, { alpha = 0 }) => {
  const value = x;
  if (alpha !== 0 || value.type !== 'float32') {
    const number = cast(value, 'float32');
    const positive = like(number, 'Greater', [number, floatConstant(0)], 'bool');
    const slope = like(number, 'Where', [positive, floatConstant(1), floatConstant(alpha)]);
    const nan = like(number, 'IsNaN', [number], 'bool');
    return cast(like(number, 'Where', [nan, number, slope]), value.type);
  }
  const under = underBound(value);
  if (under !== undefined) return hardSigmoid(under.value, -largePower, under.bound * largePower);
  // Of a clipped value nobody takes the ReLU.
  return hardSigmoid(value.op?.type === 'Clip' ? value : relu(value), largestFloat, 0);
});

/**
 * ReLU6's from its output, where tfjs has it from the input: the value before it need not be kept, and the convolution before it can
 * clip. At an input of exactly 6 the gradient is 0, as in PyTorch, and not 1. A program that imports `@tensorflow/tfjs` after this
 * package registers tfjs's own over it, so this is called when the engine starts.
 */
export function registerActivationGradients(): void {
  tf.registerGradient({
    kernelName: 'Relu6',
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({
      x: () => tf.mul(dy as tf.Tensor, tf.mul(tf.step(y), tf.step(tf.sub(6, y)))),
    }),
  });
}
