/** @file Calls of reductions and matrix products. */
import * as fc from 'fast-check';
import {
  anyTensor,
  anyType,
  axisOf,
  call,
  type Calls,
  extent,
  numbers,
  numeric,
  type Tensor,
  type TensorType,
  tensor,
} from './arbitraries.js';

const reduction = (
  types: fc.Arbitrary<TensorType>,
  values: Partial<Record<TensorType, fc.Arbitrary<number>>>,
  name = 'axis',
): Calls =>
  anyTensor(types, 0, 4, values).chain((x) => {
    const axes = x.shape.map((_, i) => i);
    return fc
      .tuple(fc.shuffledSubarray(axes, { minLength: Math.min(1, axes.length) }), fc.boolean())
      .map(([axis, keepDims]) => call({ x }, { [name]: axis, keepDims }));
  });

const sums = { float32: numbers.broken, int32: numbers.integers };
const oneAxis = (types: fc.Arbitrary<TensorType>): Calls =>
  anyTensor(types, 1, 4).chain((x) => axisOf(x.shape).map((axis) => call({ x }, { axis })));

const activations = fc.constantFrom('linear', 'relu', 'relu6', 'leakyrelu', 'prelu', 'elu', 'sigmoid');
const finite = (values: fc.Arbitrary<number>) => values.filter(Number.isFinite);

/** a and b for a product over batches, with the attributes that transpose them. */
const factors: fc.Arbitrary<[Tensor, Tensor, { transposeA: boolean; transposeB: boolean }, number]> = fc
  .tuple(fc.array(extent, { maxLength: 2 }), extent, extent, extent, fc.boolean(), fc.boolean(), fc.boolean())
  .chain(([batch, m, k, n, transposeA, transposeB, shared]) =>
    fc.tuple(
      tensor([...batch, ...(transposeA ? [k, m] : [m, k])], 'float32', numbers.broken),
      tensor(
        [...batch.map((b) => (shared && b > 0 ? 1 : b)), ...(transposeB ? [n, k] : [k, n])],
        'float32',
        numbers.broken,
      ),
      fc.constant({ transposeA, transposeB }),
      fc.constant(n),
    ),
  );

export const reductions: Record<string, Calls> = {
  Sum: reduction(anyType, sums),
  Mean: reduction(anyType, sums),
  Prod: reduction(anyType, { float32: numbers.broken, int32: numbers.fewIntegers }),
  Max: reduction(numeric, { float32: numbers.any }, 'reductionIndices'),
  Min: reduction(numeric, { float32: numbers.any }),
  All: reduction(fc.constant('bool'), {}),
  Any: reduction(fc.constant('bool'), {}),
  ArgMax: oneAxis(anyType),
  ArgMin: oneAxis(anyType),
  TopK: anyTensor(anyType, 1, 3).chain((x) =>
    fc.integer({ min: 0, max: x.shape[x.shape.length - 1] }).map((k) => call({ x }, { k, sorted: true })),
  ),
  LogSoftmax: anyTensor(fc.constant('float32'), 1, 4, { float32: finite(numbers.broken) }).map((logits) =>
    call({ logits }, { axis: logits.shape.length - 1 }),
  ),
  BatchMatMul: factors.filter(([a]) => a.shape.length > 1).map(([a, b, attributes]) => call({ a, b }, attributes)),
  _FusedMatMul: fc
    .tuple(factors, activations)
    .chain(([[a, b, attributes, n], activation]) =>
      fc
        .tuple(tensor([n], 'float32', numbers.small), tensor([n], 'float32', numbers.small), fc.boolean())
        .map(([bias, slope, biased]) =>
          call(
            { a, b, ...(biased && { bias }), ...(activation === 'prelu' && { preluActivationWeights: slope }) },
            { ...attributes, activation, leakyreluAlpha: 0.3 },
          ),
        ),
    ),
  Einsum: fc
    .tuple(extent, extent, extent, fc.constantFrom('ij,jk->ik', 'ij,jk->', 'ij,jk->kji', 'ij,jk->i', 'ij,jk->j'))
    .chain(([i, j, k, equation]) =>
      fc
        .tuple(tensor([i, j], 'float32', numbers.small), tensor([j, k], 'float32', numbers.small))
        .map((inputs) => call(inputs, { equation })),
    ),
};
