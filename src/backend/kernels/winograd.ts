/**
 * @file Winograd's convolution F(4 x 4, 3 x 3) and its two gradients for filters of 3 x 3 at stride 1 (Lavin and Gray, "Fast
 * algorithms for convolutional neural networks", 2016): 36 products of matrices in place of 144 multiplications for each
 * tile of 4 x 4 outputs. Input, filter and output are polynomials by their values at six points, here 0, 1, -1, 1/2, -2 and
 * infinity, which lose half as much to rounding as 0, +-1, +-2 and infinity do.
 *
 * - No tensor is transposed on the way: the products read the transformed input and gradient, [channels, 36, tiles], across the
 *   batch, and the output's rows are transformed last, by products that write them where they belong.
 * - The input gradient convolves with the turned filter, whose values at 1/p are the filter's at p: transformed with the
 *   inverse points it takes the same transformed filter, transposed by the product.
 * - The filter gradient takes the transformed input of the forward pass, which the planner merges with its own.
 *
 * A number that is not finite spreads over its tile.
 *
 * In a graph of every size there is one band, and each run finds the output's extents (`Extents`).
 */
import { asActivation, asFilter, emit, known, physically, reshape, toLayout, transpose } from '../record.js';
import { int64s, retain, type Value } from '../value.js';
import { type ConvInfo, insidePads, padsOf, type Shape4 } from './conv-info.js';
import { concat, strided } from './shape.js';

/** Outputs of a tile along one axis, of the filter, and of the input that a tile sees. */
const [tileSide, filterSide, seenSide] = [4, 3, 6];
/** Values of a tile at the points. */
export const products = seenSide * seenSide;

/** Bytes of a tensor on the way at most, where there are bands: an allocation of more comes from fresh pages in every run. */
const bandBytes = 24 * 2 ** 20;
/** Bytes of a transformed filter gradient at a time. */
const partBytes = 16 * 2 ** 20;

type Matrix = readonly (readonly number[])[];

/** The transforms along one axis: `input` and `filter` to values at the points, `output` from the products of the values. */
interface Transforms {
  /** [points, seen] */
  input: Matrix;
  /** [points, filter] */
  filter: Matrix;
  /** [tile, points] */
  output: Matrix;
}

/** Cook's and Toom's construction: interpolation at the points, the last of which may be infinity. */
function cookToom(points: readonly number[]): Transforms {
  const others = (i: number) => points.filter((point, j) => j !== i && Number.isFinite(point));
  const norm = (i: number) =>
    Number.isFinite(points[i]) ? others(i).reduce((product, other) => product * (points[i] - other), 1) : 1;
  const powers = (point: number, count: number) =>
    Array.from({ length: count }, (_, k) => (Number.isFinite(point) ? point ** k : Number(k === count - 1)));
  return {
    // The coefficients of the product of (x - other).
    input: points.map((_, i) => {
      const coefficients = others(i).reduce(
        (product, other) => [...product, 0].map((_c, k) => (product[k - 1] ?? 0) - other * (product[k] ?? 0)),
        [1],
      );
      return Array.from({ length: seenSide }, (_c, k) => coefficients[k] ?? 0);
    }),
    filter: points.map((point, i) => powers(point, filterSide).map((power) => power / norm(i))),
    output: Array.from({ length: tileSide }, (_, k) => points.map((point) => powers(point, tileSide)[k])),
  };
}

const points = [0, 1, -1, 1 / 2, -2, Number.POSITIVE_INFINITY];
const forward = cookToom(points);
const inverse = cookToom(points.map((point) => 1 / point));
/** Of the output gradient, where the filter is transformed by `forward`: the turned filter has p^-2 times its value at p in 1/p. */
const backward: Transforms = {
  ...inverse,
  input: inverse.input.map((row, i) => {
    const [of, by] = [forward.filter[i], inverse.filter[i]];
    // Both filters' rows are a multiple of the same one, read from either end.
    const at = of.findIndex((value) => value !== 0);
    return row.map((value) => (value * by[filterSide - 1 - at]) / of[at]);
  }),
};

const transposed = (matrix: Matrix): Matrix => matrix[0].map((_, j) => matrix.map((row) => row[j]));
/** Rows and columns at once: [a * c, b * d]. */
const kronecker = (left: Matrix, right: Matrix): Matrix =>
  left.flatMap((a) => right.map((b) => a.flatMap((x) => b.map((y) => x * y))));

function matrixOf(matrix: Matrix, shape: readonly number[]): Value {
  const value = known(matrix.flat(), shape);
  retain(value); // for good
  return value;
}

/** The filters of the convolution that transforms tiles as they are seen, [36, 1, side, side]. */
const tileFilters = (transform: Matrix) => {
  const { length: side } = transform[0];
  return matrixOf(kronecker(transform, transform), [products, 1, side, side]);
};
const outputMatrices = ({ output }: Transforms) => ({
  columns: matrixOf(transposed(output), [seenSide, tileSide]),
  rows: matrixOf(output, [1, tileSide, seenSide]),
});
const inputFilters = { forward: tileFilters(forward.input), backward: tileFilters(backward.input) };
const outputs = { forward: outputMatrices(forward), backward: outputMatrices(backward) };
const gradientFilters = tileFilters(transposed(forward.output));
const filterMatrix = matrixOf(kronecker(forward.filter, forward.filter), [products, filterSide * filterSide]);

/** Tiles of an output of `height` by `width`. */
export function tilesOf(height: number, width: number): number {
  return Math.ceil(height / tileSide) * Math.ceil(width / tileSide);
}

/** A part of an output map: `height` rows by `width` columns, whose first window begins `top` rows and `left` columns before the input. */
interface Part {
  height: number;
  width: number;
  top: number;
  left: number;
}

/** The output map in bands of rows, so that no tensor of up to `channels` channels on the way has more than `bandBytes`. */
function bandsOf(whole: Part, channels: number, inside: boolean): Part[] {
  const [down, across] = [whole.height, whole.width].map((extent) => Math.ceil(extent / tileSide));
  const most = Math.max(1, Math.floor(bandBytes / (4 * products * channels * across)));
  // Other bands might see nothing of the input.
  const count = inside ? Math.ceil(down / most) : 1;
  const rows = Math.ceil(down / count) * tileSide;
  return Array.from({ length: Math.ceil(whole.height / rows) }, (_, i) => ({
    ...whole,
    height: Math.min(rows, whole.height - i * rows),
    top: whole.top - i * rows,
  }));
}

/** x: plain [n, c, h, w], filters: [36, 1, side, side] -> [c, 36, n * tiles], the tiles that cover the part. */
function transformedTiles(x: Value, filters: Value, { height, width, top, left }: Part): Value {
  const [rows, columns] = [Math.ceil(height / tileSide), Math.ceil(width / tileSide)];
  const [, , side] = filters.shape;
  const [first, end] = [Math.max(0, -top), Math.min(x.shape[2], (rows - 1) * tileSide + side - top)];
  const seen = strided(x, [0, 0, first, 0], [x.shape[0], x.shape[1], end - first, x.shape[3]]);
  const [n, c, h, w] = seen.shape as Shape4;
  const above = Math.max(0, top);
  // As far as a tile of the last output's row and column could reach: the padding of a whole map is the same at every size.
  const [below, behind] = [height + side - 1 - h - above, width + side - 1 - w - left];
  const values = emit(
    'Conv',
    [reshape(seen, [n * c, 1, h, w]), filters],
    { shape: [n * c, products, rows, columns] },
    { strides: [tileSide, tileSide], pads: [above, left, below, behind] },
  );
  const tiles = rows * columns;
  const byChannel = transpose(reshape(values, [n, c, products, tiles]), [1, 2, 0, 3]);
  return reshape(byChannel, [c, products, n * tiles]);
}

/** kernel: physically [o, c, 3, 3] -> [36, o, c]. */
function transformedFilter(kernel: Value): Value {
  const [o, c] = kernel.physical;
  const rows = reshape(physically(kernel), [o * c, filterSide * filterSide]);
  const values = emit('Gemm', [filterMatrix, rows], { shape: [products, o * c] }, { transA: 0, transB: 1 });
  return reshape(values, [products, o, c]);
}

/** Extents of an output map as each run finds them, int64. */
interface Extents {
  /** Height and width, [2]. */
  size: Value;
  /** The width of whole tiles, [1]. */
  tiled: Value;
}

/** input: [n, c, h, w], of the convolution `info`. */
function extentsOf(input: Value, info: ConvInfo): Extents {
  const [taller, wider] = [info.outHeight - info.inHeight, info.outWidth - info.inWidth];
  const extents = (axis: number, added: readonly number[]) => {
    const spec = { shape: [added.length], type: 'int64' } as const;
    return emit('Add', [emit('Shape', [input], spec, { start: axis, end: 4 }), int64s(added)], spec);
  };
  const spec = { shape: [1], type: 'int64' } as const;
  const side = int64s([tileSide]);
  const tiles = emit('Div', [extents(3, [wider + tileSide - 1]), side], spec);
  return { size: extents(2, [taller, wider]), tiled: emit('Mul', [tiles, side], spec) };
}

/** `reshape`; with `width`, to as many columns as it says and as many rows as there are. */
function asRows(value: Value, shape: readonly number[], width: Value | undefined): Value {
  if (width === undefined) return reshape(value, shape);
  const spec = { shape: [shape.length], type: 'int64' } as const;
  const target = emit('Concat', [int64s([...shape.slice(0, -2), -1]), width], spec, { axis: 0 });
  return emit('Reshape', [value, target], { shape });
}

/** values: [36, c, n * tiles] -> an activation [n, height, width, c], which in a graph of every size has `extents`. */
function untransformed(
  values: Value,
  { columns, rows }: (typeof outputs)['forward'],
  [n, height, width, c]: readonly number[],
  extents?: Extents,
): Value {
  const [down, across] = [Math.ceil(height / tileSide), Math.ceil(width / tileSide)];
  const tiles = c * n * down * across;
  const byRow = emit(
    'FusedMatMul',
    [reshape(values, [seenSide, seenSide, tiles]), columns],
    { shape: [seenSide, tiles, tileSide] },
    { transA: 1 },
  );
  const lines = c * n * down;
  const written = emit(
    'FusedMatMul',
    [rows, asRows(byRow, [seenSide, lines, across * tileSide], extents?.tiled)],
    { shape: [lines, tileSide, across * tileSide] },
    { transBatchB: 1 },
  );
  const byChannel = asRows(written, [c, n, down * tileSide, across * tileSide], extents?.tiled);
  const [whole, shape] = [transpose(byChannel, [1, 0, 2, 3]), [n, c, height, width]];
  if (extents === undefined) return asActivation(strided(whole, [0, 0, 0, 0], shape));
  return asActivation(emit('Slice', [whole, int64s([0, 0]), extents.size, int64s([2, 3])], { shape }));
}

/** The bands of the output of `info`, which the forward pass and the filter gradient have in common. */
function outputBands(info: ConvInfo): Part[] {
  return bandsOf(wholeOutput(info), info.batchSize * Math.max(info.inChannels, info.outChannels), insidePads(info));
}

function wholeOutput(info: ConvInfo): Part {
  const [top, left] = padsOf(info);
  return { height: info.outHeight, width: info.outWidth, top, left };
}

/** The convolution, for a graph of every size if `anySize`. x: [n, h, w, c], kernel: [3, 3, c, o] -> [n, oh, ow, o]. */
export function winogradConvolution(x: Value, kernel: Value, info: ConvInfo, anySize: boolean): Value {
  const { batchSize: n, outChannels: o } = info;
  const [input, filter] = [physically(toLayout(x, 'nchw')), transformedFilter(kernel)];
  const extents = anySize ? extentsOf(input, info) : undefined;
  const bands = (anySize ? [wholeOutput(info)] : outputBands(info)).map((band) => {
    const values = emit(
      'FusedMatMul',
      [filter, transformedTiles(input, inputFilters.forward, band)],
      { shape: [products, o, n * tilesOf(band.height, band.width)] },
      { transBatchB: 1 },
    );
    return untransformed(values, outputs.forward, [n, band.height, band.width, o], extents);
  });
  return concat(bands, 1);
}

/** Gradient with respect to the input, of a convolution no window of which lies in the padding. dy: [n, oh, ow, o] -> [n, h, w, c]. */
export function winogradInputGradient(dy: Value, kernel: Value, info: ConvInfo): Value {
  const { batchSize: n, inChannels: c, outChannels: o, inHeight: height, inWidth: width } = info;
  const [top, left] = padsOf(info).map((before) => filterSide - 1 - before);
  const [upstream, filter] = [physically(toLayout(dy, 'nchw')), transformedFilter(kernel)];
  const bands = bandsOf({ height, width, top, left }, n * Math.max(c, o), true).map((band) => {
    const values = emit(
      'FusedMatMul',
      [filter, transformedTiles(upstream, inputFilters.backward, band)],
      { shape: [products, c, n * tilesOf(band.height, width)] },
      { transA: 1, transBatchB: 1 },
    );
    return untransformed(values, outputs.backward, [n, band.height, width, c]);
  });
  return concat(bands, 1);
}

/** Gradient with respect to the filter. x: [n, h, w, c], dy: [n, oh, ow, o] -> [3, 3, c, o]. */
export function winogradFilterGradient(x: Value, dy: Value, info: ConvInfo): Value {
  const { inChannels: c, outChannels: o } = info;
  const [input, upstream] = [x, dy].map((value) => physically(toLayout(value, 'nchw')));
  const [before] = padsOf(info);
  const bands = outputBands(info).map((band) => ({
    input: transformedTiles(input, inputFilters.forward, band),
    gradient: transformedTiles(upstream, gradientFilters, { ...band, top: band.top - before, left: 0 }),
  }));
  // The gradient at the points is four times as large as the filter: a part at a time stays in the cache.
  const most = Math.max(1, Math.floor(partBytes / (4 * products * c)));
  const parts = Array.from({ length: Math.ceil(o / most) }, (_, i) => {
    const count = Math.min(most, o - i * most);
    return bands.reduce<Value[]>((total, band) => {
      const values = emit(
        'FusedMatMul',
        [strided(band.gradient, [i * most, 0, 0], [count, products, band.gradient.shape[2]]), band.input],
        { shape: [products, count, c] },
        { transBatchA: 1, transBatchB: 1, transB: 1 },
      );
      const product = [reshape(values, [products, count * c]), filterMatrix, ...total];
      const shape = [count * c, filterSide * filterSide];
      return [emit('Gemm', product, { shape }, { transA: 1, transB: 0 })];
    }, []);
  });
  return asFilter(reshape(concat(parts.flat(), 0), [o, c, filterSide, filterSide]));
}
