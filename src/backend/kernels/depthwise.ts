/**
 * @file Convolution channel by channel, and its two gradients. In ONNX it is a convolution in as many groups as there are
 * channels, with filters [c * m, 1, kh, kw] where tfjs has [kh, kw, c, m]; the outputs of one channel lie side by side in
 * both. The formulations are measured (MobileNet at 384x512): the runtime has a fast kernel for the convolution, so the
 * input gradient of stride 1 is one too.
 */
import type { OnnxBackend } from '../backend.js';
import { asFilter, emit, filled, physically, reshape, toLayout, transpose } from '../record.js';
import type { Constant, Value } from '../value.js';
import { activated, type Activation } from './activation.js';
import { transposedConv } from './conv.js';
import { type ConvAttributes, convInfo, dilationsOf, padsOf, type Shape4, stridesOf } from './conv-info.js';
import { defineKernel } from './kernel.js';
import { sum } from './reduce.js';
import { picked, strided } from './shape.js';
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

/** Rows of the output gradient at most that meet all rows of the input that one of them does. */
const bandRows = 16;

/**
 * Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, c * m] -> [kh, kw, c, m].
 *
 * A row of dy is itself a filter of one row: convolution with it gives its inner products with rows of x, one for each column of the
 * filter. A product with zeros and ones adds up those of the rows that meet in a row of the filter. Rows meet in bands, so that not
 * every row of dy meets every row of x.
 */
function filterGradient(
  x: Value,
  dy: Value,
  filterShape: readonly number[],
  attributes: ConvAttributes,
  { accelerated }: OnnxBackend,
): Value {
  const info = convInfo(x.shape, filterShape, attributes, true);
  const { batchSize: n, inHeight, inWidth, outHeight, outWidth } = info;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const [kh, kw, c, m] = filterShape as Shape4;
  const image = reached(x, info);
  if (image.size === 0 || dy.size === 0) return filled(filterShape, 0);
  const [top, left] = padsOf(info) as Shape4;
  const bands = Math.ceil(outHeight / bandRows);
  // WebGPU's convolution computes four filters at once, which have to be of one group (1.30.0).
  const multiple = accelerated ? 4 : 1;
  const rows = multiple * Math.ceil(outHeight / bands / multiple);
  const seenRows = bands === 1 ? inHeight : (rows - 1) * strideHeight + (kh - 1) * dilationHeight + 1;
  /** The row of x that is row r of what a band sees; it may lie outside. */
  const rowAt = (band: number, r: number) => (bands === 1 ? r : band * rows * strideHeight - top + r);
  const within = (row: number, height: number) => Math.max(0, Math.min(row, height - 1));
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  const channels = picked(
    physically(toLayout(image, 'nchw')),
    1,
    range(c * m).map((i) => Math.floor(i / m)),
  );
  const seen = picked(
    channels,
    2,
    range(bands).flatMap((band) => range(seenRows).map((r) => within(rowAt(band, r), inHeight))),
  );
  const filters = picked(
    physically(toLayout(dy, 'nchw')),
    2,
    range(bands * rows).map((row) => within(row, outHeight)),
  );
  // There may be columns behind the last that the filter reaches.
  const reach = (outWidth - 1) * strideWidth + (kw - 1) * dilationWidth + 1;
  const behind = Math.max(0, reach - inWidth - left);
  const columns = kw + Math.floor((inWidth + left + behind - reach) / dilationWidth);
  const groups = n * c * m * bands;
  const products = emit(
    'Conv',
    [reshape(seen, [1, groups, seenRows, inWidth]), reshape(filters, [groups * rows, 1, 1, outWidth])],
    { shape: [1, groups * rows, seenRows, columns] },
    {
      strides: [1, dilationWidth],
      pads: [0, left, 0, behind],
      dilations: [1, strideWidth],
      group: groups,
    },
  );
  const pairs = bands * rows * seenRows;
  const meeting: Constant = {
    constant: 'float32',
    dims: [kh, pairs],
    values: range(kh * pairs).map((at) => {
      const [i, row, r] = [Math.floor(at / pairs), Math.floor((at % pairs) / seenRows), at % seenRows];
      const seenRow = rowAt(Math.floor(row / rows), r);
      const meets = seenRow === row * strideHeight + i * dilationHeight - top;
      return Number(meets && row < outHeight && seenRow === within(seenRow, inHeight));
    }),
  };
  const byPair = reshape(products, [n * c * m, pairs, columns]);
  const all = emit('MatMul', [meeting, byPair], { shape: [n * c * m, kh, columns] });
  const perImage = reshape(strided(all, [0, 0, 0], [n * c * m, kh, kw]), [n, c, m, kh * kw]);
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
  ({ x, dy }, attributes, backend) => filterGradient(x, dy, attributes.filterShape, attributes, backend),
);
defineKernel<ConvAttributes & Activation>('FusedDepthwiseConv2D', (inputs, attributes) =>
  activated(depthwiseConv2d(inputs.x, inputs.filter, attributes), inputs, attributes),
);
