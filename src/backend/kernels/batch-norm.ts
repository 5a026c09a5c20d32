/** @file Batch norm with given statistics: one scale and one shift per channel. */
import { cast, emit } from '../record.js';
import { floatConstant } from '../value.js';
import { add, mul, sub } from './elementwise.js';
import { defineKernel } from './kernel.js';

defineKernel<{ varianceEpsilon: number }>('FusedBatchNorm', ({ x, mean, variance, offset, scale }, attributes) => {
  const epsilon = floatConstant(attributes.varianceEpsilon);
  const deviation = emit('Sqrt', [emit('Add', [variance, epsilon], variance)], variance);
  const inverse = emit('Reciprocal', [deviation], variance);
  const factor = scale === undefined ? inverse : mul(inverse, scale);
  const shift = mul(mean, factor);
  const scaled = mul(cast(x, 'float32'), factor);
  return add(scaled, offset === undefined ? emit('Neg', [shift], shift) : sub(offset, shift));
});
