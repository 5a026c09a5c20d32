/** @file Calls that the engine answers otherwise than tfjs's JavaScript backend, and why it is left so. */
import { type Call, sizeOf, type Tensor } from './arbitraries.js';
import type { Outcome } from './compare.js';

export interface Difference {
  reason: string;
  of(call: Call, expected: Outcome): boolean;
}

const named = ({ inputs }: Call, name: string) => (inputs as Record<string, Tensor>)[name];
const isEmpty = (call: Call) => sizeOf(named(call, 'x').shape) === 0;
const hasNaN = ({ values }: Tensor) => values.some(Number.isNaN);
const largest = 2 ** 24;
const throughFloat: Difference = {
  reason: 'the JavaScript backend holds the integers of its result as float32',
  of: (call) =>
    named(call, 'x').dtype === 'int32' && named(call, 'x').values.some((n) => Math.abs(Number(n)) > largest),
};
const extremeOf: Difference = {
  reason: 'the largest and the smallest of nothing are infinite, as in TensorFlow',
  of: isEmpty,
};

const neverNaN: Difference = {
  reason: 'a NaN is never the largest or smallest; the JavaScript backend keeps one that comes first',
  of: (call) => hasNaN(named(call, 'x')),
};

const overflowing: Difference = {
  reason:
    'products that overflow to both signs add up to NaN in float32, as in PyTorch; the JavaScript backend multiplies in float64',
  of: (call) => {
    const large = ['x', 'filter'].flatMap((name) => named(call, name).values).filter((n) => Math.abs(Number(n)) > 1e15);
    return named(call, 'x').dtype === 'float32' && large.length > 0 && hasNegative(call);
  },
};
const hasNegative = (call: Call) => ['x', 'filter'].some((name) => named(call, name).values.some((n) => Number(n) < 0));

export const differences: Readonly<Record<string, Difference>> = {
  Abs: throughFloat,
  DepthToSpace: throughFloat,
  Max: extremeOf,
  Min: extremeOf,
  MaxPool: { reason: "ONNX Runtime's MaxPool may keep a NaN", of: (call) => hasNaN(named(call, 'x')) },
  ArgMax: neverNaN,
  ArgMin: neverNaN,
  All: { reason: 'all of nothing is true, as in TensorFlow', of: isEmpty },
  Mean: {
    reason:
      'the mean of nothing is NaN, as in TensorFlow; the JavaScript backend rounds the share of each integer to float32',
    of: (call, expected) => isEmpty(call) || throughFloat.of(call, expected),
  },
  StridedSlice: {
    reason: 'a slice that ends before it begins is empty, as in TensorFlow; the JavaScript backend fails on some',
    of: (_, expected) => 'error' in expected,
  },
  AvgPoolGrad: {
    reason:
      'the JavaScript backend divides border windows by the whole window in the gradient only; here it fits the forward pass',
    of: ({ attributes: { pad } }) => pad !== 'valid',
  },
  ResizeBilinearGrad: {
    reason: 'the JavaScript backend exchanges height and width',
    of: (call) => named(call, 'images').shape[1] !== named(call, 'images').shape[2],
  },
  Einsum: {
    reason: 'the JavaScript backend leaves sums out that follow no product',
    of: ({ attributes: { equation } }) => equation === 'ij,jk->' || equation === 'ij,jk->j',
  },
  Conv2D: overflowing,
  DepthwiseConv2dNative: overflowing,
  Square: {
    reason: throughFloat.reason,
    of: (call) => named(call, 'x').dtype === 'int32' && named(call, 'x').values.some((n) => Number(n) ** 2 > largest),
  },
  Pow: {
    reason: 'a power of 1 is 1, as in C; in JavaScript it is NaN if the exponent is not finite',
    of: (call) => named(call, 'b').values.some((n) => !Number.isFinite(n)),
  },
  TopK: {
    reason: 'NaN comes first; the JavaScript backend loses numbers beside NaN and infinity',
    of: (call) => named(call, 'x').values.some((n) => !Number.isFinite(n)),
  },
  UnsortedSegmentSum: {
    reason: 'sums of integers are integers, as in TensorFlow',
    of: (call) => named(call, 'x').dtype === 'int32',
  },
  ResizeNearestNeighborGrad: {
    reason: 'the JavaScript backend takes the gradients of all images but the first from elsewhere',
    of: (call) => named(call, 'images').shape[0] > 1,
  },
  ScatterNd: {
    reason: 'the JavaScript backend takes a tuple beyond its own axes if it lies within the whole tensor',
    of: (call) => beyondAxes(named(call, 'indices'), call.attributes.shape as number[]),
  },
  TensorScatterUpdate: {
    reason: 'as for ScatterNd; and it does not look at indices where there is nothing to write',
    of: (call) =>
      sizeOf(named(call, 'updates').shape) === 0 || beyondAxes(named(call, 'indices'), named(call, 'tensor').shape),
  },
  GatherNd: {
    reason: 'the JavaScript backend takes a tuple beyond its own axes if it lies within the whole tensor',
    of: (call) => beyondAxes(named(call, 'indices'), named(call, 'params').shape),
  },
  GatherV2: {
    reason:
      'computed indices are not looked at where there is nothing to gather; the JavaScript backend fails on no batches',
    of: isEmpty,
  },
  Range: {
    reason: 'the JavaScript backend counts up from above with a step below 1',
    of: ({ attributes: { start, stop, step } }) => Number(stop) < Number(start) && Number(step) > 0 && Number(step) < 1,
  },
};

function beyondAxes({ values, shape }: Tensor, extents: readonly number[]): boolean {
  const depth = shape[shape.length - 1];
  return depth > 1 && values.some((index, i) => Number(index) < 0 || Number(index) >= extents[i % depth]);
}
