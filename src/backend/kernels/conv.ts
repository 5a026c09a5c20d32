/**
 * @file Convolution and its gradient with respect to the input. Everything here works in physical order: activations
 * [n, c, h, w], filters [o, i, kh, kw]. The input gradient is a convolution with the turned filter (kept while the filter does
 * not change), or ConvTranspose where it is strided: measured, ResNet-50 and DenseNet-121 at 384x512, 2 cores.
 */
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
import type { Value } from '../value.js';
import type { WinogradUse } from '../backend.js';
import { activated, type Activation } from './activation.js';
import { filterGradient } from './conv-filter-gradient.js';
import {
  type ConvAttributes,
  type ConvInfo,
  convInfo,
  dilationsOf,
  insidePads,
  padsOf,
  type Shape4,
  stridesOf,
} from './conv-info.js';
import { defineKernel } from './kernel.js';
import { bordered, picked, strided } from './shape.js';
import { reached, unreached } from './windows.js';
import { winogradConvolution, winogradInputGradient } from './winograd.js';
import { choosesWinograd } from './winograd-choice.js';

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
function conv2d(x: Value, filter: Value, attributes: ConvAttributes, use: WinogradUse): Value {
  const info = convInfo(x.shape, filter.shape, attributes);
  const [image, kernel] = [reached(x, info), filter].map((value) => cast(value, 'float32'));
  if (image.size === 0) return filled(info.outShape, 0, x.type);
  if (choosesWinograd(use, 'forward', info, filter.shape)) {
    const anySize = typeof use === 'function';
    return cast(winogradConvolution(image, toLayout(kernel, 'oihw'), info, anySize), x.type);
  }
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

/** Gradient with respect to the input. dy: [n, oh, ow, o] -> [n, h, w, c]. */
function inputGradient(
  dy: Value,
  filter: Value,
  inputShape: readonly number[],
  attributes: ConvAttributes,
  use: WinogradUse,
): Value {
  const info = convInfo(inputShape, filter.shape, attributes);
  // A gradient larger than the output that the input implies is read as far as that goes, as tfjs does.
  const upstream = strided(dy, [0, 0, 0, 0], info.outShape);
  if (info.inShape.includes(0)) return filled(inputShape, 0);
  const kernel = toLayout(filter, 'oihw');
  const gradient = choosesWinograd(use, 'input gradient', info, filter.shape)
    ? winogradInputGradient(upstream, kernel, info)
    : transposedConv(toLayout(upstream, 'nchw'), kernel, info);
  return unreached(gradient, inputShape);
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
  const flat = reshape(physically(kernel), [group, o, i, positions]);
  const turned = picked(
    flat,
    3,
    Array.from({ length: positions }, (_, k) => positions - 1 - k),
  );
  return asFilter(reshape(transpose(turned, [0, 2, 1, 3]), [group * i, o, kh, kw]));
}

defineKernel<ConvAttributes>('Conv2D', ({ x, filter }, attributes, { winograd }) =>
  withFormat(attributes, [x], (image) => conv2d(image, filter, attributes, winograd)),
);
defineKernel<ConvAttributes & { inputShape: number[] }>(
  'Conv2DBackpropInput',
  ({ dy, filter }, attributes, { winograd }) =>
    withFormat(attributes, [dy], (upstream) => {
      const [n, a, b, c] = attributes.inputShape as Shape4;
      const shape = attributes.dataFormat === 'NCHW' ? [n, b, c, a] : attributes.inputShape;
      return inputGradient(upstream, filter, shape, attributes, winograd);
    }),
);
defineKernel<ConvAttributes & { filterShape: number[] }>('Conv2DBackpropFilter', ({ x, dy }, attributes, backend) =>
  withFormat(
    attributes,
    [x, dy],
    (image, upstream) => filterGradient(image, upstream, attributes.filterShape, attributes, backend),
    false,
  ),
);
defineKernel<ConvAttributes & Activation>('FusedConv2D', (inputs, attributes, { winograd }) => {
  const slope = inputs.preluActivationWeights;
  const channelsFirst = attributes.dataFormat === 'NCHW' && slope?.shape.length === 3;
  const inOrder = channelsFirst ? { ...inputs, preluActivationWeights: transpose(slope, [1, 2, 0]) } : inputs;
  return withFormat(attributes, [inputs.x], (image) =>
    activated(conv2d(image, inputs.filter, attributes, winograd), inOrder, attributes),
  );
});
