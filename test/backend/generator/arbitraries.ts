/** @file What generated kernel calls are made of: numbers of each type with the extremes among them, shapes, tensors. */
import * as fc from 'fast-check';

export type TensorType = 'float32' | 'int32' | 'bool';

/** How the engine gets a tensor: as known numbers, as a result still to be computed, or that with its channels first in memory. */
export type Form = 'known' | 'computed' | 'channels first';

export interface Tensor {
  values: (number | string)[];
  shape: number[];
  dtype: TensorType | 'string' | 'complex64';
  form: Form;
}

/** One call of a kernel. */
export interface Call {
  inputs: Readonly<Record<string, Tensor | readonly Tensor[] | undefined>> | readonly Tensor[];
  attributes: Readonly<Record<string, unknown>>;
}

export type Calls = fc.Arbitrary<Call>;

const quarters = fc.integer({ min: -16, max: 16 }).map((n) => n / 4);
const extremes = fc.constantFrom(
  Number.NaN,
  Infinity,
  -Infinity,
  3.4e38,
  -3.4e38,
  1e20,
  -1e20,
  16777217,
  2 ** 31,
  -3e9,
  1e-30,
  -1e-30,
  0,
  -0,
);

/** Numbers by what a kernel is asked to do with them. */
export const numbers = {
  /** Anything that float32 holds, denormals apart. */
  any: fc.oneof({ arbitrary: quarters, weight: 3 }, { arbitrary: extremes, weight: 1 }),
  /** Small multiples of 1/4. */
  small: quarters,
  /** Small, NaN and infinity: sums of them do not depend on the order. */
  broken: fc.oneof({ arbitrary: quarters, weight: 8 }, { arbitrary: fc.constantFrom(Number.NaN, Infinity), weight: 1 }),
  /** All integers, those that float32 does not hold among them. */
  integers: fc.oneof(
    { arbitrary: fc.integer({ min: -5, max: 5 }), weight: 3 },
    { arbitrary: fc.constantFrom(16777217, -16777217, 17378479, 2147483647, -2147483648), weight: 1 },
  ),
  fewIntegers: fc.integer({ min: -5, max: 5 }),
  bits: fc.integer({ min: 0, max: 1 }),
} as const;

/** An extent; 0 is rare, as it makes everything else of a call irrelevant. */
export const extent = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 4 }), weight: 12 },
  { arbitrary: fc.constant(0), weight: 1 },
);
export const positiveExtent = fc.integer({ min: 1, max: 4 });
export const shapes = (minLength: number, maxLength: number) => fc.array(extent, { minLength, maxLength });

export const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
export const forms = fc.constantFrom<Form>('known', 'known', 'computed', 'channels first');

const usual = { float32: numbers.any, int32: numbers.integers, bool: numbers.bits } as const;

/** A tensor of `shape`. */
export function tensor(
  shape: readonly number[],
  dtype: TensorType = 'float32',
  values: fc.Arbitrary<number> = usual[dtype],
): fc.Arbitrary<Tensor> {
  const length = sizeOf(shape);
  return fc
    .tuple(fc.array(values, { minLength: length, maxLength: length }), forms)
    .map(([list, form]) => ({ values: list, shape: [...shape], dtype, form }));
}

export const anyType = fc.constantFrom<TensorType>('float32', 'float32', 'int32', 'bool');
export const numeric = fc.constantFrom<TensorType>('float32', 'float32', 'int32');

/** A tensor of one of the types and of `minRank` to `maxRank` axes. */
export function anyTensor(
  types: fc.Arbitrary<TensorType> = anyType,
  minRank = 0,
  maxRank = 4,
  values: Partial<Record<TensorType, fc.Arbitrary<number>>> = {},
): fc.Arbitrary<Tensor> {
  return fc
    .tuple(types, shapes(minRank, maxRank))
    .chain(([dtype, shape]) => tensor(shape, dtype, values[dtype] ?? usual[dtype]));
}

/** A tensor given as it is. */
export const given = (values: (number | string)[], shape: number[], dtype: Tensor['dtype'] = 'int32'): Tensor => ({
  values,
  shape,
  dtype,
  form: 'known',
});

export const call = (inputs: Call['inputs'], attributes: Call['attributes'] = {}): Call => ({ inputs, attributes });

/** One of the axes of a shape, counted from the front. */
export const axisOf = (shape: readonly number[]) => fc.integer({ min: 0, max: Math.max(0, shape.length - 1) });

/** Shapes that broadcast against each other. */
export const broadcastShapes: fc.Arbitrary<[number[], number[]]> = shapes(0, 4).chain((shape) => {
  const other = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), axisOf([...shape, 0]))
    .map(([narrow, cut]) => shape.map((n, i) => (narrow[i] ? 1 : n)).slice(cut));
  return fc
    .tuple(other, fc.boolean())
    .map(([second, turned]): [number[], number[]] => (turned ? [second, shape] : [shape, second]));
});
