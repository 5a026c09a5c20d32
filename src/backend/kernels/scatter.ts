/** @file Gathering and scattering by index tuples, sorting, running sums. */
import { backend_util } from '@tensorflow/tfjs';
import { cast, emit, expanded, known, plain, reshape } from '../record.js';
import { floatConstant, int64s, makeOp, Value } from '../value.js';
import { checkedTuples } from './indices.js';
import { defineKernel, inputList } from './kernel.js';
import { shapeOf } from './shape.js';

defineKernel('GatherNd', ({ params, indices }) => {
  const [shape] = backend_util.prepareAndValidate(
    { shape: shapeOf(params) } as never,
    {
      shape: shapeOf(indices),
      dtype: 'int32',
    } as never,
  );
  const inputs = [plain(params), checkedTuples(indices, params.shape)];
  return emit('GatherND', inputs, { shape, type: params.type });
});

/** Zeros of `shape` with the rows of `updates` added at `indices`; equal indices add up. */
function scattered(indices: Value, updates: Value, shape: readonly number[]): Value {
  const values = updates.type === 'bool' ? cast(updates, 'int32') : updates;
  const inputs = [expanded(0, shape, values.type), checkedTuples(indices, shape), plain(values)];
  return cast(emit('ScatterND', inputs, { shape, type: values.type }, { reduction: 'add' }), updates.type);
}

defineKernel<{ shape: number[] }>('ScatterNd', ({ indices, updates }, { shape }) => {
  if (updates.size === 0 || indices.size === 0)
    return known(new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0), shape, updates.type);
  const { sliceRank, numUpdates, sliceSize, outputSize } = backend_util.calculateShapes(
    { shape: shapeOf(updates) } as never,
    { shape: shapeOf(indices) } as never,
    shape,
  );
  const rows = shape.slice(0, sliceRank);
  const flat = scattered(reshape(indices, [numUpdates, sliceRank]), reshape(updates, [numUpdates, sliceSize]), [
    ...rows,
    sliceSize,
  ]);
  return outputSize === 0 ? known([], shape, updates.type) : reshape(flat, shape);
});

defineKernel('TensorScatterUpdate', ({ tensor, indices, updates }) =>
  emit('ScatterND', [plain(tensor), checkedTuples(indices, tensor.shape), plain(updates)], {
    shape: tensor.shape,
    type: tensor.type,
  }),
);

defineKernel<{ k: number }>('TopK', ({ x }, { k }) => {
  const value = plain(x.type === 'bool' ? cast(x, 'int32') : x);
  const shape = [...value.shape.slice(0, -1), k];
  if (k === 0 || value.size === 0) return [known([], shape, x.type), known([], shape, 'int32')];
  let keys = value;
  if (value.type === 'float32') {
    // ONNX leaves the order of NaN open; here it is first, as infinity.
    const nan = emit('IsNaN', [value], { shape: value.shape, type: 'bool' });
    keys = emit('Where', [nan, floatConstant(Number.POSITIVE_INFINITY), value], value);
  }
  const sorted = makeOp('TopK', [keys, int64s([k])], { axis: -1, largest: 1, sorted: 1 }, 2);
  const places = new Value(shape, 'int64', 'plain', sorted, 1, undefined);
  const values =
    keys === value
      ? new Value(shape, value.type, 'plain', sorted, 0, undefined)
      : emit('GatherElements', [value, places], { shape }, { axis: value.shape.length - 1 });
  return [cast(values, x.type), cast(places, 'int32')];
});

defineKernel<{ axis: number; exclusive: boolean; reverse: boolean }>('Cumsum', ({ x }, attributes) => {
  const { axis, exclusive, reverse } = attributes;
  const value = plain(x.type === 'bool' ? cast(x, 'int32') : x);
  return emit(
    'CumSum',
    [value, int64s([axis], [])],
    { shape: value.shape, type: value.type },
    { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 },
  );
});

defineKernel<{ equation: string }>('Einsum', (inputs, { equation }) => {
  const values = inputList(inputs).map((value) => plain(cast(value, 'float32')));
  const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(equation, values.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, values.map((value) => ({ shape: shapeOf(value) })) as never);
  const extents = new Map<string, number>();
  values.forEach((value, i) => idDims[i].forEach((dim, axis) => extents.set(allDims[dim], value.shape[axis])));
  const kept = allDims.slice(0, allDims.length - summedDims.length);
  return emit(
    'Einsum',
    values,
    { shape: kept.map((dim) => extents.get(dim) as number) },
    { equation: equation.replace(/\s/g, '') },
  );
});

defineKernel<{ start: number; stop: number; num: number }>('LinSpace', (_, { start, stop, num }) => {
  const step = (stop - start) / Math.max(num - 1, 1);
  return known(
    Array.from({ length: num }, (_unused, i) => start + i * step),
    [num],
  );
});

defineKernel('Diag', ({ x }) => {
  const n = x.size;
  const shape = [n * n];
  const places = int64s(
    Array.from({ length: n }, (_, i) => i * (n + 1)),
    [n, 1],
  );
  const flat = emit('ScatterND', [expanded(0, shape, x.type), places, reshape(plain(x), [n])], { shape, type: x.type });
  return reshape(flat, [...x.shape, ...x.shape]);
});
