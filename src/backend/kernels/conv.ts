/**
 * @file Convolution and its two gradients. Everything here works in physical order: activations [n, c, h, w], filters
 * [o, i, kh, kw]. The choices between formulations are measured (ResNet-50 at 384x512, 2 cores): a product per filter
 * position, im2col where the output map is small, a convolution of input and output gradient where the input has few
 * channels; ConvTranspose for the input gradient where the output map is small or strided.
 */
import { backend_util } from '@tensorflow/tfjs';
import { asFilter, emit, physically, reshape, toLayout } from '../record.js';
import { int64s, type Value } from '../value.js';
import { add, relu } from './elementwise.js';
import { defineKernel } from './kernel.js';
import { concat, strided } from './shape.js';

export interface ConvAttributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

type Shape4 = [number, number, number, number];

function convInfo(inputShape: readonly number[], filterShape: readonly number[], attributes: ConvAttributes) {
  const { strides, pad, dataFormat = 'NHWC', dilations = 1, dimRoundingMode } = attributes;
  if (dataFormat !== 'NHWC') throw new Error(`The onnx backend convolves NHWC tensors; got dataFormat ${dataFormat}.`);
  return backend_util.computeConv2DInfo(
    [...inputShape] as Shape4,
    [...filterShape] as Shape4,
    strides,
    dilations,
    pad,
    dimRoundingMode,
  );
}

type ConvInfo = ReturnType<typeof convInfo>;

const padsOf = ({ padInfo: { top, left, bottom, right } }: ConvInfo) => [top, left, bottom, right];
const stridesOf = ({ strideHeight, strideWidth }: ConvInfo) => [strideHeight, strideWidth];
const dilationsOf = ({ dilationHeight, dilationWidth }: ConvInfo) => [dilationHeight, dilationWidth];

/** x: [n, h, w, c], filter: [kh, kw, c, o] -> [n, oh, ow, o]. */
function conv2d(x: Value, filter: Value, attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filter.shape, attributes);
  return emit(
    'Conv',
    [toLayout(x, 'nchw'), toLayout(filter, 'oihw')],
    { shape: info.outShape, layout: 'nchw' },
    {
      strides: stridesOf(info),
      pads: padsOf(info),
      dilations: dilationsOf(info),
      group: info.inChannels / filter.shape[2],
    },
  );
}

/** Gradient with respect to the input. dy: [n, oh, ow, o] -> [n, h, w, c]. */
function inputGradient(dy: Value, filter: Value, inputShape: readonly number[], attributes: ConvAttributes): Value {
  const info = convInfo(inputShape, filter.shape, attributes);
  const { filterHeight: kh, filterWidth: kw, inChannels, outChannels, outHeight, outWidth } = info;
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  const upstream = toLayout(dy, 'nchw');
  const kernel = toLayout(filter, 'oihw');
  const [spanY, spanX] = [(kh - 1) * info.dilationHeight, (kw - 1) * info.dilationWidth];
  const unitStride = info.strideHeight === 1 && info.strideWidth === 1;
  const insidePads = top <= spanY && bottom <= spanY && left <= spanX && right <= spanX;
  if (unitStride && insidePads && outHeight * outWidth >= outChannels) {
    return emit(
      'Conv',
      [upstream, rotated(kernel, kh * kw)],
      { shape: inputShape, layout: 'nchw' },
      {
        strides: [1, 1],
        pads: [spanY - top, spanX - left, spanY - bottom, spanX - right],
        dilations: dilationsOf(info),
        group: 1,
      },
    );
  }
  // Rows that no window reaches (a stride that does not divide) get zeros through output_padding.
  const extent = (out: number, stride: number, span: number, before: number, after: number) =>
    (out - 1) * stride + span + 1 - before - after;
  const outputPadding = [
    info.inHeight - extent(outHeight, info.strideHeight, spanY, top, bottom),
    info.inWidth - extent(outWidth, info.strideWidth, spanX, left, right),
  ];
  // ONNX wants output_padding below the stride; larger remainders (a window smaller than its stride) are padded after.
  const fits = outputPadding.every((rest, i) => rest < Math.max(stridesOf(info)[i], dilationsOf(info)[i]));
  const shape = [
    info.batchSize,
    info.inHeight - (fits ? 0 : outputPadding[0]),
    info.inWidth - (fits ? 0 : outputPadding[1]),
    inChannels,
  ];
  const gradient = emit(
    'ConvTranspose',
    [upstream, kernel],
    { shape, layout: 'nchw' },
    {
      strides: stridesOf(info),
      pads: padsOf(info),
      dilations: dilationsOf(info),
      output_padding: fits ? outputPadding : [0, 0],
      group: 1,
    },
  );
  if (fits) return gradient;
  const pads = int64s([0, 0, 0, 0, 0, 0, outputPadding[0], outputPadding[1]]);
  return emit('Pad', [gradient, pads, { constant: 'float32', dims: [], values: [0] }], {
    shape: inputShape,
    layout: 'nchw',
  });
}

/** [o, i, kh, kw] turned by 180 degrees with input and output exchanged: the filter of the input gradient. */
function rotated(kernel: Value, positions: number): Value {
  const [o, i, kh, kw] = kernel.physical as Shape4;
  let flat = reshape(physically(kernel), [o, i, positions]);
  if (positions > 1) {
    const reversed = int64s(Array.from({ length: positions }, (_, k) => positions - 1 - k));
    flat = emit('Gather', [flat, reversed], { shape: [o, i, positions] }, { axis: 2 });
  }
  const swapped = emit('Transpose', [flat], { shape: [i, o, positions] }, { perm: [1, 0, 2] });
  return asFilter(reshape(swapped, [i, o, kh, kw]));
}

/** Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, o] -> [kh, kw, c, o]. */
function filterGradient(x: Value, dy: Value, filterShape: readonly number[], attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filterShape, attributes);
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, outHeight, outWidth, batchSize: n } = info;
  const positions = kh * kw;
  const pixels = n * outHeight * outWidth;
  const upstream = channelRows(physically(toLayout(dy, 'nchw')), o, pixels);
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  let padded = physically(toLayout(x, 'nchw'));
  if (top + left + bottom + right > 0) {
    const shape = [n, c, info.inHeight + top + bottom, info.inWidth + left + right];
    const pads = int64s([0, 0, top, left, 0, 0, bottom, right]);
    padded = emit('Pad', [padded, pads, { constant: 'float32', dims: [], values: [0] }], { shape });
  }
  /** What filter position k sees: [c, pixels]. */
  const seenAt = (k: number): Value => {
    const begin = [0, 0, Math.floor(k / kw) * info.dilationHeight, (k % kw) * info.dilationWidth];
    const step = [1, 1, info.strideHeight, info.strideWidth];
    return channelRows(strided(padded, begin, [n, c, outHeight, outWidth], step), c, pixels);
  };
  const product = (columns: Value, rows: number) =>
    emit('Gemm', [upstream, columns], { shape: [o, rows] }, { transA: 0, transB: 1 });
  if (positions === 1) return asFilter(reshape(product(seenAt(0), c), [o, c, 1, 1]));
  if (c < 16) return filterGradientByConv(padded, physically(toLayout(dy, 'nchw')), info);
  if (o * c > 64 * outHeight * outWidth) {
    const seen = Array.from({ length: positions }, (_, k) => reshape(seenAt(k), [c, 1, pixels]));
    const columns = reshape(concat(seen, 1), [c * positions, pixels]);
    return asFilter(reshape(product(columns, c * positions), [o, c, kh, kw]));
  }
  const products = Array.from({ length: positions }, (_, k) => reshape(product(seenAt(k), c), [o, c, 1]));
  return asFilter(reshape(concat(products, 2), [o, c, kh, kw]));
}

/**
 * For few input channels (a stem), where products per position are thin: the filter gradient is itself a convolution, of
 * the input (channels as batch) with the output gradient, dilated by the stride. padded: [n, c, H, W], dy: [n, o, h, w].
 */
function filterGradientByConv(padded: Value, dy: Value, info: ConvInfo): Value {
  const { inChannels: c, outChannels: o, filterHeight: kh, filterWidth: kw } = info;
  const [, , height, width] = padded.shape as Shape4;
  const [, , outHeight, outWidth] = dy.shape as Shape4;
  const exchanged = (value: Value) => {
    const [first, second, h, w] = value.shape as Shape4;
    return first === 1
      ? reshape(value, [second, first, h, w])
      : emit('Transpose', [value], { shape: [second, first, h, w] }, { perm: [1, 0, 2, 3] });
  };
  // Rows beyond the last window give filter positions that do not exist; they are cut off.
  const reach = (extent: number, out: number, stride: number, dilation: number) =>
    Math.floor((extent - (out - 1) * stride - 1) / dilation) + 1;
  const rows = reach(height, outHeight, info.strideHeight, info.dilationHeight);
  const columns = reach(width, outWidth, info.strideWidth, info.dilationWidth);
  const gradient = emit(
    'Conv',
    [exchanged(padded), exchanged(dy)],
    { shape: [c, o, rows, columns] },
    { strides: dilationsOf(info), pads: [0, 0, 0, 0], dilations: stridesOf(info), group: 1 },
  );
  const cut = strided(gradient, [0, 0, 0, 0], [c, o, kh, kw]);
  return asFilter(emit('Transpose', [cut], { shape: [o, c, kh, kw] }, { perm: [1, 0, 2, 3] }));
}

/** [n, c, h, w] -> [c, n * h * w]. */
function channelRows(value: Value, channels: number, pixels: number): Value {
  const [n, c, h, w] = value.shape as Shape4;
  if (n === 1) return reshape(value, [channels, pixels]);
  return reshape(emit('Transpose', [value], { shape: [c, n, h, w] }, { perm: [1, 0, 2, 3] }), [channels, pixels]);
}

defineKernel<ConvAttributes>('Conv2D', ({ x, filter }, attributes) => conv2d(x, filter, attributes));
defineKernel<ConvAttributes & { inputShape: number[] }>('Conv2DBackpropInput', ({ dy, filter }, attributes) =>
  inputGradient(dy, filter, attributes.inputShape, attributes),
);
defineKernel<ConvAttributes & { filterShape: number[] }>('Conv2DBackpropFilter', ({ x, dy }, attributes) =>
  filterGradient(x, dy, attributes.filterShape, attributes),
);
defineKernel<ConvAttributes & { activation: string }>('FusedConv2D', ({ x, filter, bias }, attributes) => {
  const { activation = 'linear' } = attributes;
  const linear = conv2d(x, filter, attributes);
  const biased = bias === undefined ? linear : add(linear, bias);
  if (activation === 'linear') return biased;
  if (activation === 'relu') return relu(biased);
  throw new Error(`The onnx backend fuses relu into a convolution, not "${activation}".`);
});
