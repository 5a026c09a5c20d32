/**
 * @file Convolution and its two gradients. Everything here works in physical order: activations [n, c, h, w], filters
 * [o, i, kh, kw]. The choices between formulations are measured (ResNet-50 and DenseNet-121 at 384x512, 2 cores). The input
 * gradient is a convolution with the turned filter (kept while the filter does not change), or ConvTranspose where it is
 * strided. The filter gradient is a product per filter position, im2col of the narrower side where that is smaller than the
 * input or the output map is small, a convolution of input and output gradient where the input has few channels.
 */
import { backend_util } from '@tensorflow/tfjs-core';
import {
  asActivation,
  asFilter,
  cast,
  emit,
  filled,
  physically,
  plain,
  reshape,
  toLayout,
  transpose,
} from '../record.js';
import { int64s, type Value } from '../value.js';
import { activated, type Activation } from './activation.js';
import { defineKernel } from './kernel.js';
import { sum } from './reduce.js';
import { bordered, concat, strided } from './shape.js';
import { fitted, reached, unreached } from './windows.js';

export interface ConvAttributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number] | null;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

type Shape4 = [number, number, number, number];

/** Products added up by one convolution at most, if there is another way. */
const longSum = 16_384;

export function convInfo(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: ConvAttributes,
  depthwise = false,
) {
  const { strides, dimRoundingMode, dataFormat } = attributes;
  const dilations = attributes.dilations ?? 1; // tfjs passes null on
  // Explicit padding comes in the order of the tensor's axes.
  const { pad } = attributes;
  const inOrder =
    dataFormat === 'NCHW' && typeof pad === 'object' ? ([pad[0], pad[2], pad[3], pad[1]] as typeof pad) : pad;
  const info = backend_util.computeConv2DInfo(
    [...inputShape] as Shape4,
    [...filterShape] as Shape4,
    strides,
    dilations,
    inOrder,
    dimRoundingMode,
    depthwise,
  );
  return fitted(info);
}

export type ConvInfo = ReturnType<typeof convInfo>;

export const padsOf = ({ padInfo: { top, left, bottom, right } }: ConvInfo) => [top, left, bottom, right];
export const stridesOf = ({ strideHeight, strideWidth }: ConvInfo) => [strideHeight, strideWidth];
export const dilationsOf = ({ dilationHeight, dilationWidth }: ConvInfo) => [dilationHeight, dilationWidth];

/** Calls `f` on [n, h, w, c] tensors; with `dataFormat` NCHW the caller's are [n, c, h, w], and so is an activation that comes back. */
function withFormat(
  { dataFormat }: ConvAttributes,
  tensors: readonly Value[],
  f: (...activations: Value[]) => Value,
  returnsActivation = true,
): Value {
  if (dataFormat !== 'NCHW') return f(...tensors);
  const result = f(...tensors.map((value) => asActivation(plain(value))));
  return returnsActivation ? physically(toLayout(result, 'nchw')) : result;
}

/** x: [n, h, w, c], filter: [kh, kw, c, o] -> [n, oh, ow, o]. */
function conv2d(x: Value, filter: Value, attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filter.shape, attributes);
  const [image, kernel] = [reached(x, info), filter].map((value) => cast(value, 'float32'));
  if (image.size === 0) return filled(info.outShape, 0, x.type);
  const result = emit(
    'Conv',
    [toLayout(image, 'nchw'), toLayout(kernel, 'oihw')],
    { shape: info.outShape, layout: 'nchw' },
    {
      strides: stridesOf(info),
      pads: padsOf(info),
      dilations: dilationsOf(info),
      group: info.inChannels / filter.shape[2],
    },
  );
  return cast(result, x.type);
}

/** No window lies wholly in the padding: a gradient can be padded the other way round without being cut. */
function insidePads(info: ConvInfo): boolean {
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  const [spanY, spanX] = [(info.filterHeight - 1) * info.dilationHeight, (info.filterWidth - 1) * info.dilationWidth];
  return top <= spanY && bottom <= spanY && left <= spanX && right <= spanX;
}

/** Gradient with respect to the input. dy: [n, oh, ow, o] -> [n, h, w, c]. */
function inputGradient(dy: Value, filter: Value, inputShape: readonly number[], attributes: ConvAttributes): Value {
  const info = convInfo(inputShape, filter.shape, attributes);
  // A gradient larger than the output that the input implies is read as far as that goes, as tfjs does.
  const upstream = strided(dy, [0, 0, 0, 0], info.outShape);
  if (info.inShape.includes(0)) return filled(inputShape, 0);
  return unreached(transposedConv(toLayout(upstream, 'nchw'), toLayout(filter, 'oihw'), info), inputShape);
}

/** The input gradient of the convolution `info` in `group` groups. kernel: physically [o, i / group, kh, kw]. */
export function transposedConv(upstream: Value, kernel: Value, info: ConvInfo, group = 1): Value {
  const { filterHeight: kh, filterWidth: kw, inChannels, outHeight, outWidth } = info;
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  const [spanY, spanX] = [(kh - 1) * info.dilationHeight, (kw - 1) * info.dilationWidth];
  const unitStride = info.strideHeight === 1 && info.strideWidth === 1;
  if (unitStride && insidePads(info)) {
    return emit(
      'Conv',
      [upstream, rotated(kernel, kh * kw, group)],
      { shape: info.inShape, layout: 'nchw' },
      {
        strides: [1, 1],
        pads: [spanY - top, spanX - left, spanY - bottom, spanX - right],
        dilations: dilationsOf(info),
        group,
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
      group,
    },
  );
  if (fits) return gradient;
  return asActivation(bordered(physically(gradient), [0, 0, outputPadding[0], outputPadding[1]]));
}

/** [o, i, kh, kw] turned by 180 degrees, input and output exchanged in each group: the filter of the input gradient. */
function rotated(kernel: Value, positions: number, group: number): Value {
  const [total, i, kh, kw] = kernel.physical as Shape4;
  const o = total / group;
  let flat = reshape(physically(kernel), [group, o, i, positions]);
  if (positions > 1) {
    const reversed = int64s(Array.from({ length: positions }, (_, k) => positions - 1 - k));
    flat = emit('Gather', [flat, reversed], { shape: flat.shape }, { axis: 3 });
  }
  return asFilter(reshape(transpose(flat, [0, 2, 1, 3]), [group * i, o, kh, kw]));
}

/** Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, o] -> [kh, kw, c, o]. */
function filterGradient(x: Value, dy: Value, filterShape: readonly number[], attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filterShape, attributes);
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, outHeight, outWidth, batchSize: n } = info;
  const { inHeight, inWidth, dilationHeight, dilationWidth } = info;
  const positions = kh * kw;
  const pixels = n * outHeight * outWidth;
  const image = reached(x, info);
  if (image.size === 0 || dy.size === 0) return filled(filterShape, 0);
  const input = physically(toLayout(image, 'nchw'));
  const upstream = physically(toLayout(dy, 'nchw'));
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  if (positions > 1 && o < c && info.strideHeight * info.strideWidth === 1 && insidePads(info)) {
    // The output gradient is the narrower side: move it over the input instead of the input over it.
    const [spanY, spanX] = [(kh - 1) * dilationHeight, (kw - 1) * dilationWidth];
    const padded = bordered(upstream, [spanY - top, spanX - left, spanY - bottom, spanX - right]);
    const moved = Array.from({ length: positions }, (_, k) => {
      const begin = [0, 0, spanY - Math.floor(k / kw) * dilationHeight, spanX - (k % kw) * dilationWidth];
      return channelRows(strided(padded, begin, [n, o, inHeight, inWidth]));
    });
    const product = reshape(rowProducts(concat(moved, 0), channelRows(input)), [positions, o, c]);
    const turned = emit('Transpose', [product], { shape: [o, c, positions] }, { perm: [1, 2, 0] });
    return asFilter(reshape(turned, [o, c, kh, kw]));
  }
  // With one output channel that is a product with one vector, which the runtime adds up term by term.
  const longVector = o === 1 && pixels > longSum;
  if (positions > 1 && c < 16 && !longVector) return filterGradientByConv(input, upstream, info);
  const padded = bordered(input, [top, left, bottom, right]);
  /** What filter position k sees: [c, pixels]. */
  const seenAt = (k: number): Value => {
    const begin = [0, 0, Math.floor(k / kw) * dilationHeight, (k % kw) * dilationWidth];
    return channelRows(strided(padded, begin, [n, c, outHeight, outWidth], [1, 1, ...stridesOf(info)]));
  };
  const rows = channelRows(upstream);
  if (o * c > 64 * outHeight * outWidth) {
    const seen = Array.from({ length: positions }, (_, k) => reshape(seenAt(k), [c, 1, pixels]));
    const columns = reshape(concat(seen, 1), [c * positions, pixels]);
    return asFilter(reshape(rowProducts(rows, columns), [o, c, kh, kw]));
  }
  const products = Array.from({ length: positions }, (_, k) => reshape(rowProducts(rows, seenAt(k)), [o, c, 1]));
  return asFilter(reshape(concat(products, 2), [o, c, kh, kw]));
}

/** Inner products of all rows of a [m, p] with all rows of b [k, p]: [m, k]. */
function rowProducts(a: Value, b: Value): Value {
  return emit('Gemm', [a, b], { shape: [a.shape[0], b.shape[0]] }, { transA: 0, transB: 1 });
}

/**
 * For few input channels (a stem), where products per position are thin: the filter gradient is itself a convolution, of
 * the input (channels as batch) with the output gradient, dilated by the stride. x: [n, c, H, W], dy: [n, o, h, w].
 */
function filterGradientByConv(x: Value, dy: Value, info: ConvInfo): Value {
  const { inChannels: c, outChannels: o, filterHeight: kh, filterWidth: kw } = info;
  const exchanged = (value: Value) => {
    const [first, second, h, w] = value.shape as Shape4;
    return first === 1
      ? reshape(value, [second, first, h, w])
      : emit('Transpose', [value], { shape: [second, first, h, w] }, { perm: [1, 0, 2, 3] });
  };
  const [n, , h, w] = dy.shape as Shape4;
  let gradient: Value; // [c, o, kh, kw]
  if (n > 1 && n * h * w > longSum) {
    // Image by image, and then the sum: see sums.ts.
    const perImage = positionsByConv(exchanged(x), reshape(dy, [n * o, 1, h, w]), info, n);
    gradient = sum(reshape(perImage, [c, n, o, kh, kw]), [1], [c, o, kh, kw]);
  } else gradient = positionsByConv(exchanged(x), exchanged(dy), info);
  return asFilter(emit('Transpose', [gradient], { shape: [o, c, kh, kw] }, { perm: [1, 0, 2, 3] }));
}

/** Inner products of x, plain [n, c, H, W] and padded as `info` says, with dy, [o, c / group, h, w], at each filter position: [n, o, kh, kw]. */
export function positionsByConv(x: Value, dy: Value, info: ConvInfo, group = 1): Value {
  const [n, , height, width] = x.shape as Shape4;
  const [o, , outHeight, outWidth] = dy.shape as Shape4;
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  // Rows beyond the last window give filter positions that do not exist; they are cut off.
  const reach = (extent: number, out: number, stride: number, dilation: number) =>
    Math.floor((extent - (out - 1) * stride - 1) / dilation) + 1;
  const rows = reach(height + top + bottom, outHeight, info.strideHeight, info.dilationHeight);
  const columns = reach(width + left + right, outWidth, info.strideWidth, info.dilationWidth);
  const products = emit(
    'Conv',
    [x, dy],
    { shape: [n, o, rows, columns] },
    { strides: dilationsOf(info), pads: padsOf(info), dilations: stridesOf(info), group },
  );
  return strided(products, [0, 0, 0, 0], [n, o, info.filterHeight, info.filterWidth]);
}

/** [n, c, h, w] -> [c, n * h * w]. */
function channelRows(value: Value): Value {
  const [n, c, h, w] = value.shape as Shape4;
  const first = n === 1 ? value : emit('Transpose', [value], { shape: [c, n, h, w] }, { perm: [1, 0, 2, 3] });
  return reshape(first, [c, n * h * w]);
}

defineKernel<ConvAttributes>('Conv2D', ({ x, filter }, attributes) =>
  withFormat(attributes, [x], (image) => conv2d(image, filter, attributes)),
);
defineKernel<ConvAttributes & { inputShape: number[] }>('Conv2DBackpropInput', ({ dy, filter }, attributes) =>
  withFormat(attributes, [dy], (upstream) => {
    const [n, a, b, c] = attributes.inputShape as Shape4;
    const shape = attributes.dataFormat === 'NCHW' ? [n, b, c, a] : attributes.inputShape;
    return inputGradient(upstream, filter, shape, attributes);
  }),
);
defineKernel<ConvAttributes & { filterShape: number[] }>('Conv2DBackpropFilter', ({ x, dy }, attributes) =>
  withFormat(
    attributes,
    [x, dy],
    (image, upstream) => filterGradient(image, upstream, attributes.filterShape, attributes),
    false,
  ),
);
defineKernel<ConvAttributes & Activation>('FusedConv2D', (inputs, attributes) => {
  const slope = inputs.preluActivationWeights;
  const channelsFirst = attributes.dataFormat === 'NCHW' && slope?.shape.length === 3;
  const inOrder = channelsFirst ? { ...inputs, preluActivationWeights: transpose(slope, [1, 2, 0]) } : inputs;
  return withFormat(attributes, [inputs.x], (image) =>
    activated(conv2d(image, inputs.filter, attributes), inOrder, attributes),
  );
});
