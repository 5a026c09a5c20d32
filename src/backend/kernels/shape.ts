/** @file Kernels that move elements without computing: reshape, slice, pad, concat, gather and their kin. */
import { backend_util, slice_util, util } from '@tensorflow/tfjs';
import { cast, emit, known, physicalAxis, plain, reshape, toLayout } from '../record.js';
import { axisOrder, int64s, type Layout, type Value } from '../value.js';
import { defineKernel, inputList } from './kernel.js';

const shapeOf = (value: Value) => [...value.shape];

defineKernel<{ shape: number[] }>('Reshape', ({ x }, { shape }) => {
  const target = util.inferFromImplicitShape(shape, x.size);
  if (util.sizeFromShape(target) !== x.size) {
    throw new Error(`Cannot reshape [${x.shape.join()}] to [${target.join()}]: the sizes differ.`);
  }
  return reshape(x, target);
});
defineKernel<{ dim: number }>('ExpandDims', ({ input }, { dim }) => {
  const shape = shapeOf(input);
  shape.splice(dim < 0 ? shape.length + 1 + dim : dim, 0, 1);
  return reshape(input, shape);
});

/** Elements `begin + i * step`, i < size, along each axis. */
export function strided(x: Value, begin: readonly number[], size: readonly number[], step?: readonly number[]): Value {
  const rank = x.shape.length;
  const whole = size.every((extent, axis) => extent === x.shape[axis] && (step?.[axis] ?? 1) === 1);
  if (whole) return x;
  if (size.includes(0)) return known([], size, x.type);
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

defineKernel<{ paddings: [number, number][]; constantValue: number }>('PadV2', ({ x }, { paddings, constantValue }) => {
  const value = x;
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return value;
  const shape = value.shape.map((extent, axis) => {
    const [before, after] = paddings[axis];
    return before + extent + after;
  });
  const order = axisOrder(value.layout, value.shape.length);
  const pads = [0, 1].flatMap((side) => order.map((axis) => paddings[axis][side]));
  const fill = { constant: value.type, dims: [], values: [constantValue] } as const;
  return emit('Pad', [value, int64s(pads), fill], { shape, type: value.type, layout: value.layout });
});

export function concat(values: readonly Value[], axis: number): Value {
  const parts = values.filter((value) => value.size > 0);
  const first = parts[0] ?? values[0];
  if (parts.length <= 1) return first;
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
  if (batchDims !== 0)
    throw new Error(`The onnx backend gathers without batch dimensions; got batchDims ${batchDims}.`);
  const value = plain(x);
  const at = plain(indices);
  const [along] = util.parseAxisParam(axis, shapeOf(value)) as [number];
  const shape = [...value.shape.slice(0, along), ...at.shape, ...value.shape.slice(along + 1)];
  return emit('Gather', [value, cast(at, 'int32')], { shape, type: value.type }, { axis: along });
});
defineKernel<{ numSegments: number }>('UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) => {
  const value = plain(x);
  const rows = segmentIds.size;
  const shape = [numSegments, ...value.shape.slice(segmentIds.shape.length)];
  const zeros = emit('Expand', [{ constant: value.type, dims: [], values: [0] }, int64s(shape)], {
    shape,
    type: value.type,
  });
  const indices = cast(reshape(plain(segmentIds), [rows, 1]), 'int64');
  const updates = reshape(value, [rows, ...shape.slice(1)]);
  return emit('ScatterND', [zeros, indices, updates], { shape, type: value.type }, { reduction: 'add' });
});
defineKernel<{ depth: number; onValue: number; offValue: number; dtype: 'float32' | 'int32' | 'bool' }>(
  'OneHot',
  ({ indices }, { depth, onValue, offValue, dtype = 'float32' }) => {
    const at = plain(indices);
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
    return cast(hot, dtype);
  },
);
defineKernel<{ start: number; stop: number; step: number; dtype: 'float32' | 'int32' }>(
  'Range',
  (_, { start, stop, step, dtype }) => {
    const count = Math.max(0, Math.ceil((stop - start) / step));
    return known(
      Array.from({ length: count }, (_unused, i) => start + i * step),
      [count],
      dtype,
    );
  },
);
