/**
 * @file Recording: functions that add ops to the graph and return values. Nothing here computes, except that tensors
 * already known are relabelled instead of being reshaped by an op.
 */
import {
  type Attribute,
  axisOrder,
  type Constant,
  int64s,
  type Layout,
  makeOp,
  Memory,
  Value,
  type ValueType,
} from './value.js';

export interface OutputSpec {
  shape: readonly number[];
  type?: ValueType;
  layout?: Layout;
}

const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

function isTensorType(type: ValueType): type is keyof typeof arrayTypes {
  return type in arrayTypes;
}

/**
 * Records an op with one output. `shape` is the tfjs shape; type defaults to float32, layout to plain. A result without
 * elements is known at once: ONNX's operators differ in what they make of extents of 0.
 */
export function emit(
  type: string,
  inputs: readonly (Value | Constant)[],
  { shape, type: valueType = 'float32', layout = 'plain' }: OutputSpec,
  attributes: Readonly<Record<string, Attribute>> = {},
): Value {
  if (shape.includes(0) && isTensorType(valueType)) {
    return new Value(shape, valueType, layout, undefined, 0, new Memory(new arrayTypes[valueType](0)));
  }
  return new Value(shape, valueType, layout, makeOp(type, inputs, attributes), 0, undefined);
}

/** A known value, from numbers in the order of `shape`. */
export function known(values: ArrayLike<number>, shape: readonly number[], type: ValueType = 'float32'): Value {
  if (!isTensorType(type)) throw new Error(`No tensor has the type ${type}.`);
  return new Value(shape, type, 'plain', undefined, 0, new Memory(arrayTypes[type].from(values)));
}

/** A tensor of one number, made in the graph. */
export function expanded(value: number, shape: readonly number[], type: ValueType = 'float32'): Value {
  const constant = { constant: type, dims: [], values: [value] } as const;
  return emit('Expand', [constant, int64s(shape)], { shape, type });
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** The same memory under another shape and layout (sizes must agree in physical order). */
export function relabel(value: Value, shape: readonly number[], layout: Layout): Value {
  const physical = new Value(shape, value.type, layout, undefined, 0, undefined).physical;
  if (sameShape(physical, value.physical)) {
    return new Value(shape, value.type, layout, value.op, value.output, value.memory);
  }
  if (value.memory !== undefined) return new Value(shape, value.type, layout, undefined, 0, value.memory);
  return emit('Reshape', [value, int64s(physical)], { shape, type: value.type, layout });
}

/** The value in another physical order, through a Transpose only if elements really move. */
export function toLayout(value: Value, layout: Layout): Value {
  if (value.layout === layout) return value;
  const { shape } = value;
  if (shape.length !== 4) throw new Error(`layout ${layout} needs rank 4, not [${shape.join()}]`);
  const from = axisOrder(value.layout, 4);
  const to = axisOrder(layout, 4);
  const permutation = to.map((axis) => from.indexOf(axis));
  return movesNothing(permutation, value.physical)
    ? relabel(value, shape, layout)
    : emit('Transpose', [value], { shape, type: value.type, layout }, { perm: permutation });
}

/** True if a transpose by `permutation` leaves every element where it is (only extents of 1 change place). */
export function movesNothing(permutation: readonly number[], extents: readonly number[]): boolean {
  const moved = permutation.filter((axis) => extents[axis] !== 1);
  return moved.every((axis, i) => i === 0 || axis > moved[i - 1]);
}

export function plain(value: Value): Value {
  return toLayout(value, 'plain');
}

/** tfjs reshape. */
export function reshape(value: Value, shape: readonly number[]): Value {
  if (sameShape(value.shape, shape)) return value;
  return relabel(plain(value), shape, 'plain');
}

/** The value as it lies in memory: its physical shape, plain. For kernels that work channels first. */
export function physically(value: Value): Value {
  return value.layout === 'plain' ? value : relabel(value, value.physical, 'plain');
}

/** A plain value of physical shape [n, c, h, w] seen as a tfjs [n, h, w, c] activation. */
export function asActivation(value: Value): Value {
  const [n, c, h, w] = value.shape as [number, number, number, number];
  return relabel(value, [n, h, w, c], 'nchw');
}

/** A plain value of physical shape [o, i, h, w] seen as a tfjs [h, w, i, o] filter. */
export function asFilter(value: Value): Value {
  const [o, i, h, w] = value.shape as [number, number, number, number];
  return relabel(value, [h, w, i, o], 'oihw');
}

/** Physical axis of a tfjs axis. */
export function physicalAxis(value: Value, axis: number): number {
  return axisOrder(value.layout, value.shape.length).indexOf(axis);
}

export function transpose(value: Value, permutation: readonly number[]): Value {
  const shape = permutation.map((axis) => value.shape[axis]);
  const order = axisOrder(value.layout, value.shape.length);
  const physicalPermutation = permutation.map((axis) => order.indexOf(axis));
  if (movesNothing(physicalPermutation, value.physical)) return relabel(value, shape, 'plain');
  return emit('Transpose', [value], { shape, type: value.type }, { perm: physicalPermutation });
}

/** Conversion as JavaScript's: fractions are cut off, integers wrap at 2^32, NaN and infinity become 0. */
export function cast(value: Value, type: ValueType): Value {
  if (value.type === type) return value;
  const fractional = value.type === 'float32' || value.type === 'float64';
  if (fractional && type === 'int32') {
    const wide = cast(value, 'int64');
    // Between them the runtime would make one conversion of the two, which saturates.
    return cast(emit('Identity', [wide], wide), 'int32');
  }
  return emit('Cast', [value], { shape: value.shape, type, layout: value.layout }, { to: onnxTypes[type] });
}

/** TensorProto.DataType numbers. */
export const onnxTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;

/** A tensor of one number: known if it is small, otherwise made in the graph. */
export function filled(shape: readonly number[], value: number, type: ValueType = 'float32'): Value {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (size <= filledAtOnce) return known(new Array<number>(size).fill(value), shape, type);
  return expanded(value, shape, type);
}
const filledAtOnce = 4096;
