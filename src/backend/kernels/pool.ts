/** @file Max and average pooling with their gradients, in physical order [n, c, h, w]. */
import { backend_util } from '@tensorflow/tfjs';
import { asActivation, emit, known, physically, reshape, toLayout } from '../record.js';
import { int64s, makeOp, Value } from '../value.js';
import { mul } from './elementwise.js';
import { defineKernel } from './kernel.js';

interface PoolAttributes {
  filterSize: number | [number, number];
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function poolInfo(shape: readonly number[], { filterSize, strides, pad, dimRoundingMode }: PoolAttributes) {
  return backend_util.computePool2DInfo(
    [...shape] as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
}

type PoolInfo = ReturnType<typeof poolInfo>;

function windows({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: PoolInfo) {
  return {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
  };
}

defineKernel<PoolAttributes>('MaxPool', ({ x }, attributes) => {
  const info = poolInfo(x.shape, attributes);
  return emit('MaxPool', [toLayout(x, 'nchw')], { shape: info.outShape, layout: 'nchw' }, windows(info));
});

defineKernel<PoolAttributes>('MaxPoolGrad', ({ dy, input }, attributes) => {
  const x = toLayout(input, 'nchw');
  const info = poolInfo(x.shape, attributes);
  const size = x.size;
  // The planner merges this MaxPool with the forward one; its second output is the flat position of each maximum.
  const pool = makeOp('MaxPool', [x], windows(info), 2);
  const [n, h, w, c] = info.outShape;
  const positions = new Value([n, c, h, w], 'int64', 'plain', pool, 1, undefined);
  const zeros = emit('Expand', [{ constant: 'float32', dims: [], values: [0] }, int64s([size])], { shape: [size] });
  const count = n * c * h * w;
  const flat = [zeros, reshape(positions, [count]), reshape(physically(toLayout(dy, 'nchw')), [count])];
  const gradient = emit('ScatterElements', flat, { shape: [size] }, { axis: 0, reduction: 'add' });
  return asActivation(reshape(gradient, x.physical));
});

defineKernel<PoolAttributes>('AvgPool', ({ x }, attributes) => {
  const info = poolInfo(x.shape, attributes);
  return emit(
    'AveragePool',
    [toLayout(x, 'nchw')],
    { shape: info.outShape, layout: 'nchw' },
    {
      ...windows(info),
      count_include_pad: 0,
    },
  );
});

defineKernel<PoolAttributes>('AvgPoolGrad', ({ dy, input }, attributes) => {
  const info = poolInfo(input.shape, attributes);
  const {
    padInfo,
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    inHeight,
    inWidth,
    inChannels,
    outHeight,
    outWidth,
  } = info;
  /** Cells of the input that window `at` covers along one axis. */
  const covered = (at: number, stride: number, before: number, filter: number, extent: number) =>
    Math.min(at * stride - before + filter, extent) - Math.max(at * stride - before, 0);
  const shares = Array.from({ length: outHeight * outWidth }, (_, i) => {
    const rows = covered(Math.floor(i / outWidth), strideHeight, padInfo.top, filterHeight, inHeight);
    const columns = covered(i % outWidth, strideWidth, padInfo.left, filterWidth, inWidth);
    return 1 / (rows * columns);
  });
  const shared = mul(toLayout(dy, 'nchw'), known(shares, [1, outHeight, outWidth, 1]));
  // Each window spreads its share over its cells: a transposed convolution with ones, channel by channel.
  const reach = (out: number, stride: number, filter: number, before: number, after: number) =>
    (out - 1) * stride + filter - before - after;
  const rest = [
    inHeight - reach(outHeight, strideHeight, filterHeight, padInfo.top, padInfo.bottom),
    inWidth - reach(outWidth, strideWidth, filterWidth, padInfo.left, padInfo.right),
  ] as const;
  const one = { constant: 'float32', dims: [], values: [1] } as const;
  const spreadShape = [inChannels, 1, filterHeight, filterWidth];
  const ones = emit('Expand', [one, int64s(spreadShape)], { shape: spreadShape });
  const shape = [info.batchSize, inHeight - rest[0], inWidth - rest[1], inChannels];
  const spread = emit(
    'ConvTranspose',
    [shared, ones],
    { shape, layout: 'nchw' },
    { ...windows(info), group: inChannels },
  );
  if (rest[0] === 0 && rest[1] === 0) return spread;
  const pads = int64s([0, 0, 0, 0, 0, 0, rest[0], rest[1]]);
  const zero = { constant: 'float32', dims: [], values: [0] } as const;
  return emit('Pad', [spread, pads, zero], { shape: input.shape, layout: 'nchw' });
});
