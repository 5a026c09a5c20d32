/** @file Calls of element-wise kernels. */
import * as fc from 'fast-check';
import {
  anyTensor,
  anyType,
  axisOf,
  broadcastShapes,
  call,
  type Calls,
  extent,
  numbers,
  numeric,
  shapes,
  type TensorType,
  tensor,
} from './arbitraries.js';

const floats = fc.constant<TensorType>('float32');
const bools = fc.constant<TensorType>('bool');

const unary = (types: fc.Arbitrary<TensorType> = floats, attributes: fc.Arbitrary<object> = fc.constant({})): Calls =>
  fc.tuple(anyTensor(types), attributes).map(([x, given]) => call({ x }, { ...given }));

const binary = (
  types: fc.Arbitrary<TensorType>,
  values: Partial<Record<TensorType, fc.Arbitrary<number>>> = {},
): Calls =>
  fc
    .tuple(types, broadcastShapes)
    .chain(([dtype, [first, second]]) =>
      fc.tuple(tensor(first, dtype, values[dtype]), tensor(second, dtype, values[dtype])),
    )
    .map(([a, b]) => call({ a, b }));

/** Integers whose products JavaScript computes exactly. */
const moderate = fc.integer({ min: -90_000_000, max: 90_000_000 });

const ofFloats = (
  'Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor IsFinite IsInf IsNan Log Log1p Reciprocal Round ' +
  'Rsqrt Selu Sigmoid Sin Sinh Softplus Sqrt Tan Tanh'
).split(' ');
const ofNumbers = ['Abs', 'Neg', 'Relu', 'Relu6', 'Sign', 'Square'];
const comparisons = ['Equal', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'NotEqual'];

export const elementwise: Record<string, Calls> = {
  ...Object.fromEntries(ofFloats.map((kernel) => [kernel, unary()])),
  ...Object.fromEntries(ofNumbers.map((kernel) => [kernel, unary(numeric)])),
  ...Object.fromEntries(comparisons.map((kernel) => [kernel, binary(anyType)])),
  ...Object.fromEntries(['Add', 'Sub', 'Maximum', 'Minimum', 'Mod'].map((kernel) => [kernel, binary(numeric)])),
  Multiply: binary(numeric, { int32: moderate }),
  SquaredDifference: binary(numeric, { int32: fc.integer({ min: -40_000_000, max: 40_000_000 }) }),
  Square: anyTensor(numeric, 0, 4, { int32: moderate }).map((x) => call({ x })),
  Pow: binary(numeric, { int32: numbers.fewIntegers }),
  RealDiv: binary(floats),
  FloorDiv: binary(numeric, { float32: numbers.broken }),
  Atan2: binary(floats),
  BitwiseAnd: binary(fc.constant('int32')),
  LogicalAnd: binary(bools),
  LogicalOr: binary(bools),
  LogicalNot: unary(bools),
  Step: unary(numeric, fc.record({ alpha: fc.constantFrom(0, 0.5, -2) })),
  LeakyRelu: unary(floats, fc.record({ alpha: fc.constantFrom(0, 0.2, 2, -1) })),
  Cast: unary(anyType, fc.record({ dtype: anyType })),
  Identity: unary(anyType),
  ZerosLike: unary(anyType),
  OnesLike: unary(anyType),
  ClipByValue: unary(
    numeric,
    fc
      .tuple(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0, 1, 2.5, 2 ** 31))
      .map(([least, more]) => ({ clipValueMin: least / 2, clipValueMax: least / 2 + more })),
  ),
  Prelu: broadcastShapes.chain(([first, second]) => {
    const [wide, narrow] = first.length >= second.length ? [first, second] : [second, first];
    return fc.tuple(tensor(wide), tensor(narrow)).map(([x, alpha]) => call({ x, alpha }));
  }),
  EluGrad: shapes(0, 4)
    .chain((shape) => fc.tuple(tensor(shape), tensor(shape)))
    .map(([dy, y]) => call({ dy, y })),
  AddN: fc
    .tuple(numeric, shapes(0, 4), fc.integer({ min: 1, max: 4 }))
    .chain(([dtype, shape, count]) => fc.tuple(...Array.from({ length: count }, () => tensor(shape, dtype))))
    .map((inputs) => call(inputs)),
  Select: fc
    .tuple(anyType, anyType, shapes(0, 4))
    .chain(([one, other, shape]) => fc.tuple(tensor(shape, 'bool'), tensor(shape, one), tensor(shape, other)))
    .map(([condition, t, e]) => call({ condition, t, e })),
  FusedBatchNorm: fc
    .tuple(extent, extent, extent, extent, fc.boolean(), fc.boolean(), fc.boolean())
    .chain(([n, h, w, c, whole, scaled, shifted]) => {
      const each = whole ? [n, h, w, c] : [c];
      const of = (values: fc.Arbitrary<number>) => tensor(each, 'float32', values);
      const variance = numbers.small.map((value) => Math.abs(value) + 0.25);
      return fc.tuple(
        tensor([n, h, w, c], 'float32', numbers.broken),
        of(numbers.small),
        of(variance),
        scaled ? of(numbers.small) : fc.constant(undefined),
        shifted ? of(numbers.small) : fc.constant(undefined),
      );
    })
    .map(([x, mean, variance, scale, offset]) =>
      call({ x, mean, variance, ...(scale && { scale }), ...(offset && { offset }) }, { varianceEpsilon: 0.001 }),
    ),
  Softmax: anyTensor(floats, 1, 4, { float32: numbers.broken }).map((logits) =>
    call({ logits }, { dim: logits.shape.length - 1 }),
  ),
  Fill: fc
    .tuple(shapes(0, 4), anyType)
    .chain(([shape, dtype]) => tensor([], dtype).map(({ values: [value] }) => call({}, { shape, value, dtype }))),
  Cumsum: anyTensor(numeric, 1, 4, { float32: numbers.broken, int32: numbers.fewIntegers }).chain((x) =>
    fc
      .record({ axis: axisOf(x.shape), exclusive: fc.boolean(), reverse: fc.boolean() })
      .map((given) => call({ x }, given)),
  ),
  Cumprod: anyTensor(floats, 1, 4, { float32: numbers.small }).chain((x) =>
    fc
      .record({ axis: axisOf(x.shape), exclusive: fc.boolean(), reverse: fc.boolean() })
      .map((given) => call({ x }, given)),
  ),
};
