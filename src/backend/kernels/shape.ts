/** @file Kernels that move elements without computing: reshape, slice, pad, concat, gather and their kin. */
import { backend_util, slice_util, util } from '@tensorflow/tfjs-core';
import { cast, emit, expanded, filled, known, physicalAxis, plain, reshape, toLayout, transpose } from '../record.js';
import { checkedIndices } from './indices.js';
import { axisOrder, int64s, type Layout, Memory, Value } from '../value.js';
import { defineKernel, defineView, inputList } from './kernel.js';

/** The shape as tfjs's functions want it, an array of its own. */
export const shapeOf = (value: Value) => [...value.shape];

defineView<{ shape: number[] }>('Reshape', 'x', (x, { shape }) => {
  const size = util.sizeFromShape(x.shape);
  const target = util.inferFromImplicitShape(shape, size);
  if (util.sizeFromShape(target) !== size) {
    throw new Error(`Cannot reshape [${x.shape.join()}] to [${target.join()}]: the sizes differ.`);
  }
  return target;
});
defineView<{ dim: number }>('ExpandDims', 'input', (input, { dim }) => {
  const rank = input.shape.length;
  util.assert(-rank - 1 <= dim && dim <= rank, () => `Axis must be in the interval [${-rank - 1}, ${rank}]`);
  const shape = [...input.shape];
  shape.splice(dim < 0 ? rank + 1 + dim : dim, 0, 1);
  return shape;
});

/**
 * Part of known data that lies in one piece (the examples of a batch), as a view of it: where it begins is then no part
 * of the graph, and the next batch runs the same one. Undefined if it does not lie in one piece.
 */
function contiguousRange(x: Value, begin: readonly number[], size: readonly number[]): Value | undefined {
  if (x.layout !== 'plain') return undefined;
  const first = size.findIndex((extent) => extent !== 1);
  const cut = first < 0 ? size.length - 1 : first;
  if (size.some((extent, axis) => axis > cut && extent !== x.shape[axis])) return undefined;
  const start = begin.reduce((offset, at, axis) => offset * x.shape[axis] + at, 0);
  const { data } = x.memory as Memory;
  const part = data.subarray(start, start + util.sizeFromShape([...size]));
  return new Value(size, x.type, 'plain', undefined, 0, new Memory(part));
}

/** Elements `begin + i * step`, i < size, along each axis. */
export function strided(x: Value, begin: readonly number[], size: readonly number[], step?: readonly number[]): Value {
  const rank = x.shape.length;
  const whole = size.every((extent, axis) => extent === x.shape[axis] && (step?.[axis] ?? 1) === 1);
  if (whole) return x;
  if (size.includes(0)) return known([], size, x.type);
  if (x.memory !== undefined && step === undefined) {
    const range = contiguousRange(x, begin, size);
    if (range !== undefined) return range;
  }
  const order = axisOrder(x.layout, rank);
  const physical = (values: (axis: number) => number) => int64s(order.map(values));
  const stepOf = (axis: number) => step?.[axis] ?? 1;
  const inputs = [
    x,
    physical((axis) => begin[axis]),
    physical((axis) => {
      const end = begin[axis] + (size[axis] - 1) * stepOf(axis) + Math.sign(stepOf(axis));
      return end < 0 ? Number.MIN_SAFE_INTEGER : end;
    }),
    int64s(order.map((_, i) => i)),
  ];
  if (step !== undefined) inputs.push(physical(stepOf));
  return emit('Slice', inputs, { shape: size, type: x.type, layout: x.layout });
}
defineKernel<{ begin: number | number[]; size: number | number[] }>('Slice', ({ x }, { begin, size }) => {
  const tensor = { shape: shapeOf(x) } as Parameters<typeof slice_util.parseSliceParams>[0];
  const [starts, sizes] = slice_util.parseSliceParams(tensor, begin, size);
  slice_util.assertParamsValid(tensor, starts, sizes);
  return strided(x, starts, sizes);
});
defineKernel<{ dims: number[] }>('Reverse', ({ x }, { dims }) => {
  const value = x;
  const axes = new Set(util.parseAxisParam(dims, shapeOf(value)));
  const flips = (axis: number) => axes.has(axis) && value.shape[axis] > 1;
  return strided(
    value,
    value.shape.map((extent, axis) => (flips(axis) ? extent - 1 : 0)),
    value.shape,
    value.shape.map((_, axis) => (flips(axis) ? -1 : 1)),
  );
});

/** What lies at these indices of an axis of a plain value, in turn. */
export function picked(x: Value, axis: number, indices: readonly number[]): Value {
  if (indices.length === x.shape[axis] && indices.every((index, i) => index === i)) return x;
  const shape = x.shape.with(axis, indices.length);
  return emit('Gather', [x, int64s(indices)], { shape, type: x.type }, { axis });
}

/** `fill` around: [before, after] for each axis. */
export function padded(value: Value, paddings: readonly (readonly [number, number])[], fill: number): Value {
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return value;
  const shape = value.shape.map((extent, axis) => {
    const [before, after] = paddings[axis];
    return before + extent + after;
  });
  if (value.size === 0) return filled(shape, fill, value.type);
  const order = axisOrder(value.layout, value.shape.length);
  const pads = [0, 1].flatMap((side) => order.map((axis) => paddings[axis][side]));
  const constant = { constant: value.type, dims: [], values: [fill] } as const;
  return emit('Pad', [value, int64s(pads), constant], { shape, type: value.type, layout: value.layout });
}
/** Plain [n, c, h, w] with a border: [top, left, bottom, right] rows and columns of `fill`. */
export function bordered(value: Value, [top, left, bottom, right]: readonly number[], fill = 0): Value {
  return padded(
    value,
    [
      [0, 0],
      [0, 0],
      [top, bottom],
      [left, right],
    ],
    fill,
  );
}
defineKernel<{ paddings: [number, number][]; constantValue: number }>('PadV2', ({ x }, { paddings, constantValue }) =>
  padded(x, paddings, constantValue),
);

export function concat(values: readonly Value[], axis: number): Value {
  const parts = values.filter((value) => value.size > 0);
  const first = parts[0] ?? values[0];
  if (parts.length === 0) {
    const empty = shapeOf(first);
    empty[axis] = values.reduce((sum, value) => sum + value.shape[axis], 0);
    return known([], empty, first.type);
  }
  if (parts.length === 1) return first;
  const layout: Layout = parts.find((value) => value.layout !== 'plain')?.layout ?? 'plain';
  const aligned = parts.map((value) => toLayout(value, layout));
  const shape = shapeOf(first);
  shape[axis] = parts.reduce((sum, value) => sum + value.shape[axis], 0);
  const target = aligned[0];
  return emit('Concat', aligned, { shape, type: first.type, layout }, { axis: physicalAxis(target, axis) });
}
defineKernel<{ axis: number }>('Concat', (inputs, { axis }) => {
  const values = inputList(inputs);
  const [at] = util.parseAxisParam(axis, shapeOf(values[0])) as [number];
  backend_util.assertParamsConsistent(values.map(shapeOf), at);
  return concat(values, at);
});
defineKernel<{ axis: number }>('Pack', (inputs, { axis }) => {
  const values = inputList(inputs);
  const shape = shapeOf(values[0]);
  for (const value of values) {
    util.assertShapesMatch(shape, shapeOf(value), 'All tensors passed to stack must have matching shapes');
    util.assert(value.type === values[0].type, () => 'All tensors passed to stack must have matching dtypes');
  }
  const at = axis < 0 ? axis + shape.length + 1 : axis;
  shape.splice(at, 0, 1);
  return concat(
    values.map((value) => reshape(value, shape)),
    at,
  );
});
defineKernel<{ axis: number }>('Unpack', ({ value }, { axis }) => {
  const x = value;
  const at = axis < 0 ? axis + x.shape.length : axis;
  const rest = x.shape.filter((_, i) => i !== at);
  return Array.from({ length: x.shape[at] }, (_, i) => {
    const begin = x.shape.map((_extent, a) => (a === at ? i : 0));
    const size = x.shape.map((extent, a) => (a === at ? 1 : extent));
    return reshape(strided(x, begin, size), rest);
  });
});
defineKernel<{ numOrSizeSplits: number | number[]; axis: number }>('SplitV', ({ x }, { numOrSizeSplits, axis }) => {
  const value = x;
  const [at] = util.parseAxisParam(axis, shapeOf(value)) as [number];
  const sizes = backend_util.prepareSplitSize({ shape: shapeOf(value) } as never, numOrSizeSplits, at);
  let start = 0;
  return sizes.map((extent) => {
    const begin = value.shape.map((_, a) => (a === at ? start : 0));
    const size = value.shape.map((whole, a) => (a === at ? extent : whole));
    start += extent;
    return strided(value, begin, size);
  });
});

defineKernel<{ reps: number[] }>('Tile', ({ x }, { reps }) => {
  const value = plain(x);
  if (reps.every((count) => count === 1)) return value;
  const shape = value.shape.map((extent, axis) => extent * reps[axis]);
  return emit('Tile', [value, int64s(reps)], { shape, type: value.type });
});

defineKernel<{ axis: number; batchDims: number }>('GatherV2', ({ x, indices }, { axis, batchDims }) => {
  const value = plain(x);
  const [along] = util.parseAxisParam(axis, shapeOf(value)) as [number];
  const at = checkedIndices(cast(plain(indices), 'int32'), value.shape[along]);
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = backend_util.segment_util.collectGatherOpShapeInfo(
    { shape: shapeOf(value), rank: value.shape.length } as never,
    { shape: shapeOf(at), rank: at.shape.length } as never,
    along,
    batchDims,
  );
  if (batchSize === 1) {
    const count = at.size;
    const rows = reshape(value, [outerSize, dimSize, sliceSize]);
    const shape = [outerSize, count, sliceSize];
    return reshape(emit('Gather', [rows, reshape(at, [count])], { shape, type: value.type }, { axis: 1 }), outputShape);
  }
  // Each batch has indices of its own: [b, dim, outer, slice] by [b, n, 1].
  const count = at.size / batchSize;
  const rows = transpose(reshape(value, [batchSize, outerSize, dimSize, sliceSize]), [0, 2, 1, 3]);
  const shape = [batchSize, count, outerSize, sliceSize];
  const places = cast(reshape(at, [batchSize, count, 1]), 'int64');
  const gathered = emit('GatherND', [rows, places], { shape, type: value.type }, { batch_dims: 1 });
  return reshape(transpose(gathered, [0, 2, 1, 3]), outputShape);
});
defineKernel<{ numSegments: number }>('UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) => {
  const value = plain(x);
  const rows = segmentIds.size;
  // Ids out of range count for nothing: they go to one more row, which is cut off.
  const shape = [numSegments + 1, ...value.shape.slice(segmentIds.shape.length)];
  const ids = reshape(plain(segmentIds), [rows, 1]);
  const least = { constant: 'int32', dims: [], values: [0] } as const;
  const beyond = { constant: 'int32', dims: [], values: [numSegments] } as const;
  const comparison = { shape: ids.shape, type: 'bool' } as const;
  const inside = emit(
    'And',
    [emit('GreaterOrEqual', [ids, least], comparison), emit('Less', [ids, beyond], comparison)],
    comparison,
  );
  const indices = cast(emit('Where', [inside, ids, beyond], { shape: ids.shape, type: 'int32' }), 'int64');
  const updates = reshape(value, [rows, ...shape.slice(1)]);
  const sums = emit(
    'ScatterND',
    [expanded(0, shape, value.type), indices, updates],
    { shape, type: value.type },
    { reduction: 'add' },
  );
  return strided(
    sums,
    shape.map(() => 0),
    [numSegments, ...shape.slice(1)],
  );
});
defineKernel<{ depth: number; onValue: number; offValue: number; dtype: 'float32' | 'int32' | 'bool' }>(
  'OneHot',
  ({ indices }, { depth, onValue, offValue, dtype = 'float32' }) => {
    const at = reshape(plain(indices), [indices.size]);
    const inRange = emit('Less', [cast(at, 'int32'), { constant: 'int32', dims: [], values: [0] }], {
      shape: at.shape,
      type: 'bool',
    });
    // ONNX counts a negative index from the end; tfjs has no such class: send it past the end.
    const beyond = { constant: 'int32', dims: [], values: [depth] } as const;
    const safe = emit('Where', [inRange, beyond, cast(at, 'int32')], { shape: at.shape, type: 'int32' });
    const onOff = { constant: 'float32', dims: [2], values: [offValue, onValue] } as const;
    const hot = emit(
      'OneHot',
      [cast(safe, 'int64'), int64s([depth], []), onOff],
      { shape: [...at.shape, depth] },
      { axis: -1 },
    );
    return reshape(cast(hot, dtype), [...indices.shape, depth]);
  },
);
defineKernel<{ start: number; stop: number; step: number; dtype: 'float32' | 'int32' }>(
  'Range',
  (_, { start, stop, step, dtype }) => {
    // As in tfjs: the default step of 1 also counts down.
    const increment = stop < start && step === 1 ? -1 : step;
    const count = Math.max(0, Math.ceil((stop - start) / increment));
    return known(
      Array.from({ length: count }, (_unused, i) => start + i * increment),
      [count],
      dtype,
    );
  },
);
