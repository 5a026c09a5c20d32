/**
 * @file The gradient of a convolution with respect to its filter, in physical order. The choices between formulations are
 * measured (ResNet-50 and DenseNet-121 at 384x512, 2 cores): im2col of the narrower side and one product; of several images
 * and of large maps a product per filter position; a convolution of input and output gradient where the input has few channels.
 */
import type { OnnxBackend } from '../backend.js';
import { asFilter, emit, filled, physically, reshape, toLayout } from '../record.js';
import type { Constant, Value } from '../value.js';
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
import { sum } from './reduce.js';
import { bordered, concat, strided } from './shape.js';
import { reached } from './windows.js';
import { winogradFilterGradient } from './winograd.js';
import { choosesWinograd } from './winograd-choice.js';

/** Products added up by one convolution at most, if there is another way. */
const longSum = 16_384;
/** Bytes of what all filter positions see, where it is brought together by one convolution. */
const maxColumnBytes = 64 * 2 ** 20;
/** Positions there at most: their square is the size of a constant. */
const maxPositions = 49;

/** Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, o] -> [kh, kw, c, o]. */
export function filterGradient(
  x: Value,
  dy: Value,
  filterShape: readonly number[],
  attributes: ConvAttributes,
  { winograd, accelerated }: Pick<OnnxBackend, 'winograd' | 'accelerated'>,
): Value {
  const info = convInfo(x.shape, filterShape, attributes);
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, outHeight, outWidth, batchSize: n } = info;
  const { inHeight, inWidth, dilationHeight, dilationWidth } = info;
  const positions = kh * kw;
  const pixels = n * outHeight * outWidth;
  const image = reached(x, info);
  if (image.size === 0 || dy.size === 0) return filled(filterShape, 0);
  if (choosesWinograd(winograd, 'filter gradient', info, filterShape)) return winogradFilterGradient(image, dy, info);
  const input = physically(toLayout(image, 'nchw'));
  const upstream = physically(toLayout(dy, 'nchw'));
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  const windows = { filter: [kh, kw], pads: padsOf(info), strides: stridesOf(info), dilations: dilationsOf(info) };
  /** Whether one convolution brings together what the positions see of a map. */
  const together = (channels: number, cells: number) =>
    !accelerated &&
    n === 1 &&
    positions > 1 &&
    positions <= maxPositions &&
    4 * channels * positions * cells <= maxColumnBytes;
  if (positions > 1 && o < c && info.strideHeight * info.strideWidth === 1 && insidePads(info)) {
    // The output gradient is the narrower side: move it over the input instead of the input over it.
    const [spanY, spanX] = [(kh - 1) * dilationHeight, (kw - 1) * dilationWidth];
    const pads = [spanY - top, spanX - left, spanY - bottom, spanX - right];
    if (together(o, inHeight * inWidth)) {
      const moved = seenByPositions(upstream, [inHeight, inWidth], { ...windows, pads, strides: [1, 1], turned: true });
      const product = reshape(rowProducts(moved, channelRows(input)), [o, positions, c]);
      const turned = emit('Transpose', [product], { shape: [o, c, positions] }, { perm: [0, 2, 1] });
      return asFilter(reshape(turned, [o, c, kh, kw]));
    }
    const padded = bordered(upstream, pads);
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
  if (together(c, outHeight * outWidth)) {
    const seen = seenByPositions(input, [outHeight, outWidth], windows);
    return asFilter(reshape(rowProducts(channelRows(upstream), seen), [o, c, kh, kw]));
  }
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

/** Where filters lie on a map. */
interface FilterWindows {
  /** Height and width. */
  filter: readonly number[];
  pads: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** Positions from the last to the first. */
  turned?: boolean;
}

/**
 * What each filter position sees of one image, by a convolution with a filter for each that picks its number: 1.3 to 4 times as fast as
 * slices. A number that is not finite spreads over its window. x: plain [1, c, H, W] -> [c * positions, h * w].
 */
function seenByPositions(
  x: Value,
  [height, width]: readonly [number, number],
  { filter: [kh, kw], turned = false, ...places }: FilterWindows,
): Value {
  const [, c, ...extents] = x.shape as Shape4;
  const positions = kh * kw;
  const picked = (k: number) => (turned ? positions - 1 - k : k);
  const picks: Constant = {
    constant: 'float32',
    dims: [positions, 1, kh, kw],
    values: Array.from({ length: positions ** 2 }, (_, i) =>
      Number(i % positions === picked(Math.floor(i / positions))),
    ),
  };
  const seen = emit(
    'Conv',
    [reshape(x, [c, 1, ...extents]), picks],
    { shape: [c, positions, height, width] },
    { ...places, group: 1 },
  );
  return reshape(seen, [c * positions, height * width]);
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
function positionsByConv(x: Value, dy: Value, info: ConvInfo, group = 1): Value {
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
