/**
 * @file Convolution channel by channel, and its two gradients. In ONNX it is a convolution in as many groups as there are
 * channels, with filters [c * m, 1, kh, kw] where tfjs has [kh, kw, c, m]; the outputs of one channel lie side by side in
 * both. The formulations are measured (MobileNet at 384x512): the runtime has a fast kernel for the convolution, so the
 * input gradient of stride 1 is one too; the filter gradient of stride 1 is a product and sums of its rows per filter position,
 * with larger strides, whose slices are slow, a convolution of the input with the output gradient.
 */
import { asFilter, emit, filled, physically, reshape, toLayout, transpose } from '../record.js';
import { int64s, type Value } from '../value.js';
import { activated, type Activation } from './activation.js';
import { transposedConv } from './conv.js';
import { positionsByConv } from './conv-filter-gradient.js';
import { type ConvAttributes, convInfo, dilationsOf, padsOf, type Shape4, stridesOf } from './conv-info.js';
import { defineKernel } from './kernel.js';
import { sum } from './reduce.js';
import { bordered, concat, strided } from './shape.js';
import { reached, unreached } from './windows.js';

/** [kh, kw, c, m] -> the same filter as a convolution of c groups reads it, physically [c * m, 1, kh, kw]. */
function grouped(filter: Value): Value {
  const [kh, kw, c, m] = filter.shape as Shape4;
  const byChannel = transpose(physically(toLayout(filter, 'oihw')), [1, 0, 2, 3]); // [c, m, kh, kw]
  return asFilter(reshape(byChannel, [c * m, 1, kh, kw]));
}

/** x: [n, h, w, c], filter: [kh, kw, c, m] -> [n, oh, ow, c * m]. */
function depthwiseConv2d(x: Value, filter: Value, attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filter.shape, attributes, true);
  const image = reached(x, info);
  if (image.size === 0) return filled(info.outShape, 0);
  return emit(
    'Conv',
    [toLayout(image, 'nchw'), grouped(filter)],
    { shape: info.outShape, layout: 'nchw' },
    { strides: stridesOf(info), pads: padsOf(info), dilations: dilationsOf(info), group: info.inChannels },
  );
}

/** Numbers that a row may have to be added up in one go: the runtime adds one after the other. */
const longRow = 512;

/** x: [n, c, h, w] -> [n, c, h]. */
function rowSums(x: Value): Value {
  const [n, c, h, w] = x.shape as Shape4;
  const shape = [n, c, h];
  return w > longRow ? sum(x, [3], shape) : emit('ReduceSum', [x, int64s([3])], { shape }, { keepdims: 0 });
}

/** Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, c * m] -> [kh, kw, c, m]. */
function filterGradient(x: Value, dy: Value, filterShape: readonly number[], attributes: ConvAttributes): Value {
  const info = convInfo(x.shape, filterShape, attributes, true);
  const { batchSize: n, outHeight, outWidth, dilationHeight, dilationWidth } = info;
  const [kh, kw, c, m] = filterShape as Shape4;
  const image = reached(x, info);
  if (image.size === 0 || dy.size === 0) return filled(filterShape, 0);
  const input = physically(toLayout(image, 'nchw'));
  const upstream = physically(toLayout(dy, 'nchw'));
  if (m === 1 && info.strideHeight * info.strideWidth === 1) {
    const padded = bordered(input, padsOf(info));
    // Row by row first, which is most of the sum: what is left of all positions is added up together.
    const rows = Array.from({ length: kh * kw }, (_, k) => {
      const begin = [0, 0, Math.floor(k / kw) * dilationHeight, (k % kw) * dilationWidth];
      const seen = strided(padded, begin, [n, c, outHeight, outWidth]);
      const product = emit('Mul', [seen, upstream], { shape: upstream.shape });
      return reshape(rowSums(product), [1, n, c, outHeight]);
    });
    const sums = transpose(sum(concat(rows, 0), [1, 3], [kh * kw, c]), [1, 0]);
    return asFilter(reshape(sums, [1, c, kh, kw]));
  }
  const images = reshape(input, [1, n * c, info.inHeight, info.inWidth]);
  const filters = reshape(upstream, [n * c * m, 1, outHeight, outWidth]);
  const perImage = reshape(positionsByConv(images, filters, info, n * c), [n, c, m, kh * kw]);
  const summed = sum(perImage, [0], [c, m, kh * kw]);
  return asFilter(transpose(reshape(summed, [c, m, kh, kw]), [1, 0, 2, 3]));
}

defineKernel<ConvAttributes>('DepthwiseConv2dNative', ({ x, filter }, attributes) =>
  depthwiseConv2d(x, filter, attributes),
);
defineKernel<ConvAttributes & { inputShape: number[] }>(
  'DepthwiseConv2dNativeBackpropInput',
  ({ dy, filter }, attributes) => {
    const info = convInfo(attributes.inputShape, filter.shape, attributes, true);
    if (info.inShape.includes(0)) return filled(attributes.inputShape, 0);
    const gradient = transposedConv(toLayout(dy, 'nchw'), grouped(filter), info, info.inChannels);
    return unreached(gradient, attributes.inputShape);
  },
);
defineKernel<ConvAttributes & { filterShape: number[] }>(
  'DepthwiseConv2dNativeBackpropFilter',
  ({ x, dy }, attributes) => filterGradient(x, dy, attributes.filterShape, attributes),
);
defineKernel<ConvAttributes & Activation>('FusedDepthwiseConv2D', (inputs, attributes) =>
  activated(depthwiseConv2d(inputs.x, inputs.filter, attributes), inputs, attributes),
);
