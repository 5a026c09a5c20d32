/**
 * @file Local response normalization across channels (Krizhevsky et al. 2012) and its gradient. tfjs, like TensorFlow,
 * multiplies the sum of squares by alpha; ONNX, like Caffe, its mean over `size = 2 * depthRadius + 1` channels.
 */
import { asActivation, emit, physically, reshape, toLayout } from '../record.js';
import { floatConstant, type Value } from '../value.js';
import { mul, sub } from './elementwise.js';
import { defineKernel } from './kernel.js';

interface NormalizationAttributes {
  depthRadius: number;
  bias: number;
  alpha: number;
  beta: number;
}

const times = (x: Value, by: number) => emit('Mul', [x, floatConstant(by)], x);

/** Sum over the channels c - radius ... c + radius of each cell. x: channels-first. */
function windowSum(x: Value, radius: number): Value {
  const [n, c, h, w] = x.physical as [number, number, number, number];
  const size = 2 * radius + 1;
  const mean = emit(
    'AveragePool',
    [reshape(physically(x), [n, 1, c, h * w])],
    { shape: [n, 1, c, h * w] },
    { kernel_shape: [size, 1], strides: [1, 1], pads: [radius, 0, radius, 0], count_include_pad: 1 },
  );
  return times(asActivation(reshape(mean, [n, c, h, w])), size);
}

/** y = x / (bias + alpha * windowSum(x^2))^beta. */
defineKernel<NormalizationAttributes>('LRN', ({ x }, { depthRadius, bias, alpha, beta }) => {
  const size = 2 * depthRadius + 1;
  const attributes = { size, alpha: { float: alpha * size }, beta: { float: beta }, bias: { float: bias } };
  return emit('LRN', [toLayout(x, 'nchw')], { shape: x.shape, layout: 'nchw' }, attributes);
});

/** dx = dy / s^beta - 2 alpha beta x windowSum(dy y / s), s = bias + alpha * windowSum(x^2). */
defineKernel<NormalizationAttributes>('LRNGrad', (inputs, { depthRadius, bias, alpha, beta }) => {
  const [x, y, dy] = [inputs.x, inputs.y, inputs.dy].map((value) => toLayout(value, 'nchw'));
  const squares = times(windowSum(mul(x, x), depthRadius), alpha);
  const s = emit('Add', [squares, floatConstant(bias)], squares);
  const power = emit('Pow', [s, floatConstant(-beta)], s);
  const pulled = windowSum(emit('Div', [mul(dy, y), s], s), depthRadius);
  return sub(mul(dy, power), times(mul(x, pulled), 2 * alpha * beta));
});
