/**
 * @file The regions of `src/models/regions.ts` computed inside an ONNX graph from the sizes it is given: the same arithmetic in float64,
 * step by step, by standard operators. One row [0, xMin, yMin, xMax, yMax] a region, corners inclusive: what MaxRoiPool reads.
 */
import * as tf from '@tensorflow/tfjs-core';
import { recordOperators } from '../backend/operator.js';
import { emit, physically, reshape, toLayout } from '../backend/record.js';
import { int64s, type Value } from '../backend/value.js';
import type { PoolingOptions } from '../models/meta.js';
import { regionsOf } from '../models/pooling.js';
import { candidateSteps, desiredOverlap } from '../models/regions.js';

type Operand = Value | number | readonly number[];

/** Extents are those of one run, which a recording does not know. */
const unknown = { shape: [1], type: 'float64' } as const;

/** An operator on float64 numbers and lists of them. */
function on(type: string, ...operands: readonly Operand[]): Value {
  const inputs = operands.map((operand) => {
    if (typeof operand === 'number') return { constant: 'float64', dims: [], values: [operand] } as const;
    return 'length' in operand ? ({ constant: 'float64', dims: [operand.length], values: operand } as const) : operand;
  });
  return emit(type, inputs, unknown);
}

const plus = (a: Operand, b: Operand) => on('Add', a, b);
const minus = (a: Operand, b: Operand) => on('Sub', a, b);
const times = (a: Operand, b: Operand) => on('Mul', a, b);
const over = (a: Operand, b: Operand) => on('Div', a, b);

/** `yes` where the comparison holds, else `no`. */
function choose(comparison: 'Equal' | 'Greater' | 'Less', a: Operand, b: Operand, yes: Operand, no: Operand): Value {
  return on('Where', on(comparison, a, b), yes, no);
}

/** 0 ... count - 1. */
const upTo = (count: Value | number): Operand =>
  typeof count === 'number' ? Array.from({ length: count }, (_, i) => i) : on('Range', 0, count, 1);

interface Sides {
  height: Value;
  width: Value;
}

/** Starts of regions along one axis, and their extent. */
interface Segments {
  starts: Value;
  extent: Operand;
}

/** [height, width] of a plain tensor whose axes these are, as float64 scalars. */
function sidesOf(x: Value, axes: readonly [number, number]): Sides {
  const extents = emit('Shape', [x], { shape: [x.physical.length], type: 'int64' });
  const [height, width] = axes.map((axis) => {
    const extent = emit('Gather', [extents, int64s([axis], [])], { shape: [], type: 'int64' });
    return emit('Cast', [extent], { shape: [], type: 'float64' }, { to: 11 });
  });
  return { height, width };
}

/** `rigidGrid`. */
function rigid({ height, width }: Sides, { levels, wholeImage, precision }: PoolingOptions): Value[] {
  const round = (x: Value): Value => {
    if (precision === 'f64') return x;
    const float = emit('Cast', [x], { shape: [1] }, { to: 1 });
    // Between them the runtime would make nothing of the two.
    return emit('Cast', [emit('Identity', [float], float)], unknown, { to: 11 });
  };
  const [side, longer] = [on('Min', height, width), on('Max', height, width)];
  const area = times(side, side);
  const strides = round(
    over(
      minus(longer, side),
      candidateSteps.map((steps) => steps - 1),
    ),
  );
  const overlaps = round(over(round(minus(area, round(times(side, strides)))), area));
  const wanted = precision === 'f32' ? Math.fround(desiredOverlap) : desiredOverlap;
  const distances = on('Abs', round(minus(overlaps, wanted)));
  const nearest = emit('ArgMin', [distances], { shape: [], type: 'int64' }, { axis: 0, keepdims: 0 });
  const extra = plus(emit('Cast', [nearest], { shape: [], type: 'float64' }, { to: 11 }), 1);
  const along = (length: Value, other: Value, size: Value, level: number): Segments => {
    const count = plus(choose('Greater', length, other, extra, 0), level);
    const half = on('Floor', minus(over(size, 2), 1));
    const stride = choose('Equal', count, 1, 0, round(over(minus(length, size), on('Max', minus(count, 1), 1))));
    // A level whose side rounds to 0 has no regions.
    const places = upTo(choose('Greater', size, 0, count, 0));
    const starts = minus(on('Floor', round(plus(half, round(times(places, stride))))), half);
    return { starts: on('Min', starts, minus(length, size)), extent: size };
  };
  const regions = wholeImage ? [crossing(whole(height), whole(width))] : [];
  for (let level = 1; level <= levels; level++) {
    const size = on('Floor', over(times(side, 2), level + 1));
    regions.push(crossing(along(height, width, size, level), along(width, height, size, level)));
  }
  return regions;
}

/** `rmacPlusGrid`. */
function rmacPlus({ height, width }: Sides): Value[] {
  const side = on('Min', height, width);
  const along = (length: Value, size: Value, count: Value | number): Segments => {
    const extent = choose('Less', times(size, count), length, on('Ceil', over(length, count)), size);
    const places = on('Floor', plus(over(times(upTo(count), length), count), 0.5));
    return { starts: on('Min', places, minus(length, extent)), extent };
  };
  const third = (share: number) => on('Ceil', over(times(side, 2), share));
  return [
    crossing(whole(height), whole(width)),
    crossing(
      along(height, side, choose('Less', height, width, 1, 2)),
      along(width, side, choose('Less', height, width, 2, 1)),
    ),
    crossing(along(height, third(3), 2), along(width, third(3), 3)),
    crossing(along(height, third(4), 3), along(width, third(4), 2)),
  ];
}

const whole = (length: Value): Segments => ({ starts: times([0], length), extent: length });

/** All pairs of rows and columns, rows outer: [regions, 5]. */
function crossing(rows: Segments, columns: Segments): Value {
  const reshaped = (x: Value, dims: readonly number[]) => emit('Reshape', [x, int64s(dims)], unknown);
  const [y, x] = [reshaped(rows.starts, [-1, 1]), reshaped(columns.starts, [1, -1])];
  const yMin = reshaped(plus(y, times(x, 0)), [-1, 1]);
  const xMin = reshaped(plus(times(y, 0), x), [-1, 1]);
  const corners = [times(xMin, 0), xMin, yMin, plus(xMin, minus(columns.extent, 1)), plus(yMin, minus(rows.extent, 1))];
  return emit('Concat', corners, unknown, { axis: 1 });
}

/** The corners as float32, given how many regions there are at the recorded size. */
function cornersOf(sides: Sides, pooling: PoolingOptions, count: number): Value {
  const regions = pooling.grid === 'rmac-plus' ? rmacPlus(sides) : rigid(sides, pooling);
  const all = regions.length === 1 ? regions[0] : emit('Concat', regions, unknown, { axis: 0 });
  return emit('Cast', [all], { shape: [count, 5] }, { to: 1 });
}

/**
 * `regionsOf` in the graph, [R, 5] float32: 0, xMin, yMin, xMax, yMax, corners inclusive, in cells of the map or pixels of
 * the image as `pooling.plane` says.
 */
export function regionCorners(
  map: tf.Tensor4D,
  images: tf.Tensor4D,
  pooling: PoolingOptions,
  stride: number,
): tf.Tensor {
  const count = recordedRegions(map, images, pooling, stride);
  return recordOperators([map, images], (cells, pixels) =>
    onImage(pooling)
      ? cornersOf(sidesOf(pixels, [1, 2]), pooling, count)
      : cornersOf(sidesOf(physically(toLayout(cells, 'nchw')), [2, 3]), pooling, count),
  );
}

/** `regionMaxPool` over `regionsOf`, for maps of any size: [1, h, w, C] -> [1, R, C]. No gradient. */
export function pooledRegions(
  map: tf.Tensor4D,
  images: tf.Tensor4D,
  pooling: PoolingOptions,
  stride: number,
): tf.Tensor3D {
  return tf.tidy(() => {
    const [count, channels] = [recordedRegions(map, images, pooling, stride), map.shape[3]];
    const corners = regionCorners(map, images, pooling, stride);
    const attributes = { pooled_shape: [1, 1], spatial_scale: { float: onImage(pooling) ? 1 / stride : 1 } };
    return recordOperators([map, corners], (cells, regions) => {
      const inputs = [physically(toLayout(cells, 'nchw')), regions];
      return reshape(emit('MaxRoiPool', inputs, { shape: [count, channels, 1, 1] }, attributes), [1, count, channels]);
    }) as tf.Tensor3D;
  });
}

const onImage = ({ grid, plane }: PoolingOptions) => grid === 'tolias' && plane === 'image';

function recordedRegions(map: tf.Tensor4D, images: tf.Tensor4D, pooling: PoolingOptions, stride: number): number {
  const [, height, width] = map.shape;
  const image = { height: images.shape[1], width: images.shape[2] };
  return regionsOf({ height, width }, pooling, { image, stride }).length;
}
