/** @file Max and average pooling with their gradients, in physical order [n, c, h, w]. */
import { backend_util } from '@tensorflow/tfjs-core';
import {
  asActivation,
  cast,
  emit,
  expanded,
  filled,
  known,
  physically,
  reshape,
  sameShape,
  toLayout,
} from '../record.js';
import { int64s, makeOp, Value } from '../value.js';
import { mul, sub } from './elementwise.js';
import { defineKernel } from './kernel.js';
import { bordered, concat, strided } from './shape.js';
import { fitted, reached, unreached } from './windows.js';

interface PoolAttributes {
  filterSize: number | [number, number];
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function poolInfo(shape: readonly number[], { filterSize, strides, pad, dimRoundingMode }: PoolAttributes) {
  const info = backend_util.computePool2DInfo(
    [...shape] as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  return fitted(info);
}

type PoolInfo = ReturnType<typeof poolInfo>;

function windows({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: PoolInfo) {
  return {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
  };
}

/** tfjs takes a pool of single cells that keeps the shape for none, whatever the strides and the padding. */
function givesBack(x: Value, { filterHeight, filterWidth, outShape }: PoolInfo): boolean {
  return filterHeight === 1 && filterWidth === 1 && sameShape(x.shape, outShape);
}

/** ONNX has no windows that lie wholly in the padding. */
function hasEmptyWindows({ filterHeight, filterWidth, padInfo }: PoolInfo): boolean {
  return Math.max(padInfo.top, padInfo.bottom) >= filterHeight || Math.max(padInfo.left, padInfo.right) >= filterWidth;
}

/** The cells that windows reach, channels first, and where windows lie; where some lie in the padding, with that as cells of `fill`. */
function pooledInput(x: Value, info: PoolInfo, fill: number): { input: Value; attributes: ReturnType<typeof windows> } {
  const input = toLayout(reached(x, info), 'nchw');
  const attributes = windows(info);
  if (!hasEmptyWindows(info)) return { input, attributes };
  const bordering = asActivation(bordered(physically(input), attributes.pads, fill));
  return { input: bordering, attributes: { ...attributes, pads: [0, 0, 0, 0] } };
}

defineKernel<PoolAttributes>('MaxPool', ({ x }, attributes) => {
  const info = poolInfo(x.shape, attributes);
  if (givesBack(x, info)) return x;
  if (info.inShape.includes(0)) return filled(info.outShape, Number.NEGATIVE_INFINITY, x.type);
  // ONNX pools no int32; float64 holds all of them.
  const pooled = pooledInput(x.type === 'float32' ? x : cast(x, 'float64'), info, Number.NEGATIVE_INFINITY);
  const spec = { shape: info.outShape, type: pooled.input.type, layout: 'nchw' } as const;
  return cast(emit('MaxPool', [pooled.input], spec, pooled.attributes), x.type);
});

defineKernel<PoolAttributes>('MaxPoolGrad', ({ dy, input }, attributes, { accelerated }) => {
  const info = poolInfo(input.shape, attributes);
  if (info.inShape.includes(0)) return filled(input.shape, 0);
  if (accelerated) {
    const cut = toLayout(reached(input, info), 'nchw');
    return unreached(maxPoolGradientByMasks(cut, toLayout(dy, 'nchw'), info), input.shape);
  }
  const pooled = pooledInput(cast(input, 'float32'), info, Number.NEGATIVE_INFINITY);
  const x = pooled.input;
  const size = x.size;
  // The planner merges this MaxPool with the forward one; its second output is the flat position of each maximum.
  const pool = makeOp('MaxPool', [x], pooled.attributes, 2);
  const [n, h, w, c] = info.outShape;
  const positions = new Value([n, c, h, w], 'int64', 'plain', pool, 1, undefined);
  const count = n * c * h * w;
  const flat = [expanded(0, [size]), reshape(positions, [count]), reshape(physically(toLayout(dy, 'nchw')), [count])];
  const gradient = emit('ScatterElements', flat, { shape: [size] }, { axis: 0, reduction: 'add' });
  const whole = asActivation(reshape(gradient, x.physical));
  const { top, left } = hasEmptyWindows(info) ? info.padInfo : { top: 0, left: 0 };
  return unreached(strided(whole, [0, top, left, 0], info.inShape), input.shape);
});

/**
 * Where MaxPool gives no positions (the WebGPU provider): compares each place of the window with the maximum, keeps the
 * first that equals it, and spreads the masked gradients by a transposed convolution with one kernel per place.
 */
function maxPoolGradientByMasks(x: Value, dy: Value, info: PoolInfo): Value {
  const { filterHeight: kh, filterWidth: kw, strideHeight, strideWidth, inHeight, inWidth, inChannels: c } = info;
  const { top, left, bottom, right } = info.padInfo;
  const [n, h, w] = info.outShape;
  const shape = [n, c, h, w];
  const maximum = physically(emit('MaxPool', [x], { shape: info.outShape, layout: 'nchw' }, windows(info)));
  const lowest = bordered(physically(x), [top, left, bottom, right], Number.NEGATIVE_INFINITY);
  const upstream = physically(dy);
  let free: Value | undefined;
  const places = Array.from({ length: kh * kw }, (_, k) => {
    const begin = [0, 0, Math.floor(k / kw), k % kw];
    const seen = strided(lowest, begin, shape, [1, 1, strideHeight, strideWidth]);
    const equal = cast(emit('Equal', [seen, maximum], { shape, type: 'bool' }), 'float32');
    const first = free === undefined ? equal : mul(equal, free);
    const rest = sub(expanded(1, shape), equal);
    free = free === undefined ? rest : mul(free, rest);
    return reshape(mul(first, upstream), [n, c, 1, h, w]);
  });
  // The WebGPU provider (1.30.0) computes a ConvTranspose wrongly whose groups have a multiple of 4 channels: one more.
  if (places.length % 4 === 0) places.push(expanded(0, [n, c, 1, h, w]));
  const count = places.length;
  const masked = reshape(concat(places, 2), [n, c * count, h, w]);
  const oneHot = new Float32Array(count * kh * kw);
  for (let k = 0; k < kh * kw; k++) oneHot[k * (kh * kw + 1)] = 1;
  const kernels = emit('Tile', [known(oneHot, [count, 1, kh, kw]), int64s([c, 1, 1, 1])], {
    shape: [c * count, 1, kh, kw],
  });
  const [reachY, reachX] = [(h - 1) * strideHeight + kh, (w - 1) * strideWidth + kw];
  const spread = emit(
    'ConvTranspose',
    [masked, kernels],
    { shape: [n, c, reachY, reachX] },
    { strides: [strideHeight, strideWidth], pads: [0, 0, 0, 0], group: c },
  );
  // The windows may end before the input does, or reach over it.
  const [below, beside] = [Math.max(0, top + inHeight - reachY), Math.max(0, left + inWidth - reachX)];
  const whole = bordered(spread, [0, 0, below, beside]);
  return asActivation(strided(whole, [0, 0, top, left], [n, c, inHeight, inWidth]));
}

defineKernel<PoolAttributes>('AvgPool', ({ x }, attributes) => {
  const info = poolInfo(x.shape, attributes);
  if (givesBack(x, info)) return x;
  if (info.inShape.includes(0)) return filled(info.outShape, Number.NaN, x.type);
  const pooled = pooledInput(cast(x, 'float32'), info, 0);
  const means = emit(
    'AveragePool',
    [pooled.input],
    { shape: info.outShape, layout: 'nchw' },
    { ...pooled.attributes, count_include_pad: 0 },
  );
  if (!hasEmptyWindows(info)) return cast(means, x.type);
  // The mean of no cells is 0 / 0.
  const size = info.filterHeight * info.filterWidth;
  const shares = coveredCells(info).map((cells) => size / cells);
  return cast(mul(means, known(shares, [1, info.outHeight, info.outWidth, 1])), x.type);
});

/** Cells of the input in each window. */
function coveredCells(info: PoolInfo): number[] {
  const { padInfo, filterHeight, filterWidth, strideHeight, strideWidth, outHeight, outWidth } = info;
  const covered = (at: number, stride: number, before: number, filter: number, extent: number) =>
    Math.max(0, Math.min(at * stride - before + filter, extent) - Math.max(at * stride - before, 0));
  return Array.from({ length: outHeight * outWidth }, (_, i) => {
    const rows = covered(Math.floor(i / outWidth), strideHeight, padInfo.top, filterHeight, info.inHeight);
    return rows * covered(i % outWidth, strideWidth, padInfo.left, filterWidth, info.inWidth);
  });
}

defineKernel<PoolAttributes>('AvgPoolGrad', ({ dy, input }, attributes) => {
  const info = poolInfo(input.shape, attributes);
  if (info.inShape.includes(0)) return filled(input.shape, 0);
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
  const shares = coveredCells(info).map((cells) => (cells === 0 ? 0 : 1 / cells));
  const shared = mul(toLayout(dy, 'nchw'), known(shares, [1, outHeight, outWidth, 1]));
  // Each window spreads its share over its cells: a transposed convolution with ones, channel by channel.
  const reach = (out: number, stride: number, filter: number, before: number, after: number) =>
    (out - 1) * stride + filter - before - after;
  const rest = [
    inHeight - reach(outHeight, strideHeight, filterHeight, padInfo.top, padInfo.bottom),
    inWidth - reach(outWidth, strideWidth, filterWidth, padInfo.left, padInfo.right),
  ] as const;
  const ones = expanded(1, [inChannels, 1, filterHeight, filterWidth]);
  const shape = [info.batchSize, inHeight - rest[0], inWidth - rest[1], inChannels];
  const spread = emit(
    'ConvTranspose',
    [shared, ones],
    { shape, layout: 'nchw' },
    { ...windows(info), group: inChannels },
  );
  return unreached(asActivation(bordered(physically(spread), [0, 0, ...rest])), input.shape);
});
