/** @file Reductions, softmax and matrix products. */
import { backend_util, util } from '@tensorflow/tfjs-core';
import { cast, emit, filled, physicalAxis, plain, reshape } from '../record.js';
import { axisOrder, floatConstant, int64s, type Value } from '../value.js';
import { activated, type Activation } from './activation.js';
import { mul } from './elementwise.js';
import { defineKernel } from './kernel.js';

/** What nothing reduces to. */
const ofNothing: Readonly<Record<string, number>> = {
  ReduceSum: 0,
  ReduceMean: Number.NaN,
  ReduceProd: 1,
  ReduceMax: Number.NEGATIVE_INFINITY,
  ReduceMin: Number.POSITIVE_INFINITY,
};

/** Reduces tfjs axes of a value that lies in any order; the result is plain. Means are of float32. */
export function reduce(op: keyof typeof ofNothing, x: Value, axes: readonly number[], keepDims = false): Value {
  const rank = x.shape.length;
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  if (axes.length === 0) return x;
  const physicalAxes = axes.map((axis) => physicalAxis(x, axis)).sort((a, b) => a - b);
  const remaining = axisOrder(x.layout, rank).filter((axis) => !axes.includes(axis));
  const sorted = [...remaining].sort((a, b) => a - b);
  const outputShape = remaining.map((axis) => x.shape[axis]);
  if (x.size === 0) return filled(keepDims ? kept : sorted.map((axis) => x.shape[axis]), ofNothing[op], x.type);
  const reduced =
    op === 'ReduceSum'
      ? sum(x, physicalAxes, outputShape)
      : op === 'ReduceMean'
        ? emit('#Mean', [x], { shape: outputShape }, { axes: physicalAxes })
        : emit(op, [x], { shape: outputShape, type: x.type }, { axes: physicalAxes, keepdims: 0 });
  const inOrder = remaining.every((axis, i) => axis === sorted[i])
    ? reduced
    : emit(
        'Transpose',
        [reduced],
        { shape: sorted.map((axis) => x.shape[axis]), type: x.type },
        { perm: sorted.map((axis) => remaining.indexOf(axis)) },
      );
  return keepDims ? reshape(inOrder, kept) : inOrder;
}

/** Sum over physical axes. Of float32 it is written out so that it is accurate (`sums.ts`); of integers it wraps at 2^32. */
export function sum(x: Value, axes: readonly number[], shape: readonly number[]): Value {
  const wide = x.type === 'int32' ? 'int64' : x.type;
  return x.type === 'float32'
    ? emit('#Sum', [x], { shape }, { axes })
    : cast(emit('ReduceSum', [cast(x, wide), int64s(axes)], { shape, type: wide }, { keepdims: 0 }), x.type);
}

interface Reduction {
  axis?: number | number[] | null;
  keepDims?: boolean;
}

const isNaN = (x: Value) => emit('IsNaN', [x], { shape: x.shape, type: 'bool', layout: x.layout });

/** NaN where x has one among what was reduced: the runtime's ReduceMax and ReduceMin pass over it. */
function orNaN(extreme: Value, x: Value, axes: readonly number[]): Value {
  if (x.type !== 'float32' || x.size === 0 || axes.length === 0) return extreme;
  const any = reshape(reduce('ReduceMax', cast(isNaN(x), 'int32'), axes), extreme.shape);
  return emit('Where', [cast(any, 'bool'), floatConstant(Number.NaN), extreme], extreme);
}

const axesOf = (x: Value, axis: Reduction['axis']) =>
  util.parseAxisParam(axis ?? x.shape.map((_, i) => i), [...x.shape]);

for (const [kernel, op] of Object.entries({
  Max: 'ReduceMax',
  Min: 'ReduceMin',
  Sum: 'ReduceSum',
  Prod: 'ReduceProd',
})) {
  const names = kernel === 'Max' || kernel === 'Min' ? 'reductionIndices' : 'axis';
  defineKernel<Reduction & { reductionIndices?: number | number[] }>(kernel, ({ x }, attributes) => {
    const value = x.type === 'bool' ? cast(x, 'int32') : x;
    const axis = names === 'axis' ? attributes.axis : (attributes.reductionIndices ?? attributes.axis);
    const axes = axesOf(value, axis);
    const result = reduce(op, value, axes, attributes.keepDims);
    return kernel === 'Max' || kernel === 'Min' ? orNaN(result, value, axes) : result;
  });
}
defineKernel<Reduction>('Mean', ({ x }, { axis, keepDims }) => {
  const axes = axesOf(x, axis);
  if (x.type === 'float32') return reduce('ReduceMean', x, axes, keepDims);
  // float64 holds sums of all integers.
  const total = cast(reduce('ReduceSum', cast(x, 'float64'), axes, keepDims), 'float32');
  const count = axes.reduce((product, along) => product * x.shape[along], 1);
  return emit('Div', [total, floatConstant(count)], total);
});
for (const [kernel, op, ofNone] of [
  ['All', 'ReduceMin', 1],
  ['Any', 'ReduceMax', 0],
] as const) {
  defineKernel<Reduction>(kernel, ({ x }, { axis, keepDims }) => {
    const value = cast(x, 'int32');
    const result = reduce(op, value, axesOf(value, axis), keepDims);
    return value.size === 0 ? filled(result.shape, ofNone, 'bool') : cast(result, 'bool');
  });
}
for (const kernel of ['ArgMax', 'ArgMin']) {
  defineKernel<{ axis: number | number[] }>(kernel, ({ x }, { axis }) => {
    const numbers = plain(x.type === 'bool' ? cast(x, 'int32') : x);
    // A NaN is never the largest or smallest.
    const ignored = floatConstant(kernel === 'ArgMax' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
    const value = numbers.type === 'int32' ? numbers : emit('Where', [isNaN(numbers), ignored, numbers], numbers);
    const [along] = axesOf(value, axis) as [number];
    const shape = value.shape.filter((_, i) => i !== along);
    if (value.size === 0) return filled(shape, 0, 'int32');
    return cast(emit(kernel, [value], { shape, type: 'int64' }, { axis: along, keepdims: 0 }), 'int32');
  });
}

defineKernel<{ dim: number }>('Softmax', ({ logits }, { dim }) => {
  const value = plain(logits);
  return emit('Softmax', [value], { shape: value.shape }, { axis: dim });
});
defineKernel<{ axis: number }>('LogSoftmax', ({ logits }, { axis }) => {
  const value = plain(logits);
  return emit('LogSoftmax', [value], { shape: value.shape }, { axis });
});

/** [..., m, k] x [..., k, n]; a single matrix product is one Gemm, which reads either side transposed at no cost. */
export function matMul(a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  util.assert(a.shape.length > 1 && b.shape.length > 1, () => 'Inputs of a matrix product must have rank 2 or more.');
  const type = a.type === 'int32' && b.type === 'int32' ? 'int32' : 'float32';
  const left = plain(cast(a, type));
  const right = plain(cast(b, type));
  const [rowsA, columnsA] = left.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = right.shape.slice(-2) as [number, number];
  const m = transposeA ? columnsA : rowsA;
  const n = transposeB ? rowsB : columnsB;
  const batchA = left.shape.slice(0, -2);
  const batchB = right.shape.slice(0, -2);
  util.assert(
    (transposeA ? rowsA : columnsA) === (transposeB ? columnsB : rowsB),
    () =>
      `Inner dimensions of [${a.shape.join()}] and [${b.shape.join()}] with transposeA ${transposeA}, transposeB ${transposeB} differ.`,
  );
  const batch = backend_util.assertAndGetBroadcastShape([...batchA], [...batchB]);
  const inner = transposeA ? rowsA : columnsA;
  if (inner === 0) return filled([...batch, m, n], 0, type);
  if (m === 1 && n === 1 && type === 'float32') {
    // Inner products of vectors: the runtime's products add up term by term.
    const vectors = [left, right].map((value) => reshape(value, [...value.shape.slice(0, -2), inner]));
    return reshape(reduce('ReduceSum', mul(vectors[0], vectors[1]), [batch.length]), [...batch, 1, 1]);
  }
  if (util.sizeFromShape(batch) === 1 && type === 'float32') {
    const inputs = [reshape(left, [rowsA, columnsA]), reshape(right, [rowsB, columnsB])];
    const product = emit('Gemm', inputs, { shape: [m, n] }, { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 });
    return reshape(product, [...batch, m, n]);
  }
  const flipped = (value: Value, flip: boolean) => {
    if (!flip) return value;
    const rank = value.shape.length;
    const perm = value.shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
    return emit('Transpose', [value], { shape: perm.map((axis) => value.shape[axis]), type }, { perm });
  };
  return emit('MatMul', [flipped(left, transposeA), flipped(right, transposeB)], { shape: [...batch, m, n], type });
}
defineKernel<{ transposeA: boolean; transposeB: boolean }>('BatchMatMul', ({ a, b }, { transposeA, transposeB }) =>
  matMul(a, b, transposeA, transposeB),
);
defineKernel<{ transposeA: boolean; transposeB: boolean } & Activation>('_FusedMatMul', (inputs, attributes) =>
  activated(matMul(inputs.a, inputs.b, attributes.transposeA, attributes.transposeB), inputs, attributes),
);
