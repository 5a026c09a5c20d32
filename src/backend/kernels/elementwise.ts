/**
 * @file Element-wise kernels. They do not care about the order in memory: the result lies as the inputs do, and where two
 * inputs differ the plain one is brought into the other's order.
 */
import { backend_util } from '@tensorflow/tfjs-core';
import { cast, emit, filled, plain, relabel, reshape, sameShape, toLayout, transpose } from '../record.js';
import { axisOrder, type Constant, floatConstant, type Layout, type Value, type ValueType } from '../value.js';
import { defineKernel, defineView, inputList } from './kernel.js';

/** Same shape and order as `x`. */
export function like(x: Value, op: string, inputs: Parameters<typeof emit>[1], type: ValueType = x.type): Value {
  return emit(op, inputs, { shape: x.shape, type, layout: x.layout });
}

/** Brings `value` to a shape that broadcasts against physical `layout` of rank 4. */
function operand(value: Value, layout: Layout): Value {
  if (layout === 'plain') return plain(value);
  if (value.layout === layout || value.shape.length === 0) return value;
  const padded = [...Array.from({ length: 4 - value.shape.length }, () => 1), ...value.shape];
  const whole = value.shape.length === 4 ? value : reshape(value, padded);
  return toLayout(whole, layout);
}

/** Records `op` over broadcast inputs. */
function broadcast(
  op: string,
  a: Value,
  b: Value,
  type: ValueType = a.type,
  attributes: Parameters<typeof emit>[3] = {},
): Value {
  const shape = backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
  const layout = shape.length !== 4 ? 'plain' : a.layout !== 'plain' ? a.layout : b.layout;
  return emit(op, [operand(a, layout), operand(b, layout)], { shape, type, layout }, attributes);
}

/** The result lies as the inputs do, so equal shapes in equal order give one op and nothing else. */
function numeric(value: Value): Value {
  return value.type === 'bool' ? cast(value, 'int32') : value;
}

/** Channels of a picture at most. */
const fewChannels = 4;

/**
 * `op` over a channels-first activation and a per-channel vector, which fusion looks for (a convolution's bias, a batch
 * norm's scale and shift); undefined if the operands are something else. A picture is brought into that order first: as it lies, the
 * runtime's loop is over three numbers, and takes 20 times as long (4.4 against 0.2 ms at 384 x 512).
 */
function perChannel(op: '#BiasAdd' | '#Scale', a: Value, b: Value): Value | undefined {
  for (const [x, vector] of [
    [a, b],
    [b, a],
  ] as const) {
    const inOrder = x.layout === 'nchw' || (x.layout === 'plain' && x.shape.length === 4 && x.shape[3] <= fewChannels);
    const matches =
      inOrder &&
      x.type === 'float32' &&
      vector.type === 'float32' &&
      vector.layout === 'plain' &&
      vector.shape.length <= 4 &&
      vector.size === x.shape[3] &&
      vector.size === vector.shape[vector.shape.length - 1] &&
      !sameShape(x.shape, vector.shape);
    if (!matches) continue;
    const image = toLayout(x, 'nchw');
    return like(image, op, [image, reshape(vector, [vector.size])]);
  }
  return undefined;
}

export function add(a: Value, b: Value): Value {
  return perChannel('#BiasAdd', a, b) ?? broadcast('Add', numeric(a), numeric(b));
}

export function mul(a: Value, b: Value): Value {
  return perChannel('#Scale', a, b) ?? broadcast('Mul', numeric(a), numeric(b));
}

export function sub(a: Value, b: Value): Value {
  return broadcast('Sub', numeric(a), numeric(b));
}

export function relu(x: Value): Value {
  return x.type === 'float32'
    ? like(x, 'Relu', [x])
    : like(x, 'Max', [x, { constant: 'int32', dims: [], values: [0] }]);
}

/** a / b; of integers in float64, which holds all of them (an integer division ends the process where b is 0). */
function quotient(a: Value, b: Value, type: 'float32' | 'float64'): Value {
  return broadcast('Div', cast(a, type), cast(b, type));
}

defineKernel('Pow', ({ a, b }) => {
  // A negative power of an integer is infinite, which float64 holds.
  const type = a.type === 'float32' ? 'float32' : 'float64';
  return cast(broadcast('Pow', cast(a, type), cast(b, type)), numeric(a).type);
});
for (const [kernel, op] of Object.entries({ Maximum: 'Max', Minimum: 'Min' })) {
  defineKernel(kernel, ({ a, b }) => broadcast(op, numeric(a), numeric(b)));
}
defineKernel('Add', ({ a, b }) => add(a, b));
defineKernel('Sub', ({ a, b }) => sub(a, b));
defineKernel('Multiply', ({ a, b }) => mul(a, b));
defineKernel('RealDiv', ({ a, b }) => cast(quotient(a, b, a.type === 'float32' ? 'float32' : 'float64'), a.type));
defineKernel('FloorDiv', ({ a, b }) => {
  const exact = quotient(a, b, 'float64');
  return cast(like(exact, 'Floor', [exact]), 'int32');
});
defineKernel('SquaredDifference', ({ a, b }) => {
  const difference = sub(a, b);
  return mul(difference, difference);
});
defineKernel('AddN', (inputs) => inputList(inputs).reduce(add));

for (const [kernel, op] of Object.entries({
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal',
})) {
  defineKernel(kernel, ({ a, b }) => broadcast(op, numeric(a), numeric(b), 'bool'));
}
const not = (x: Value) => like(x, 'Not', [x]);
defineKernel('NotEqual', ({ a, b }) => not(broadcast('Equal', numeric(a), numeric(b), 'bool')));
defineKernel('LogicalAnd', ({ a, b }) => broadcast('And', a, b, 'bool'));
// Or has no WebGPU kernel: not (not a and not b).
defineKernel('LogicalOr', ({ a, b }) => not(broadcast('And', not(a), not(b), 'bool')));
defineKernel('LogicalNot', ({ x }) => not(x));

for (const kernel of ['Abs', 'Neg']) {
  defineKernel(kernel, ({ x }) => {
    const value = numeric(x);
    return like(value, kernel, [value]);
  });
}
defineKernel('Sign', ({ x }) => {
  const value = cast(x, 'float32');
  const nan = like(value, 'IsNaN', [value], 'bool');
  return cast(like(value, 'Where', [nan, floatConstant(0), like(value, 'Sign', [value])]), x.type);
});
for (const kernel of [
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'Cosh',
  'Exp',
  'Log',
  'Sqrt',
  'Sigmoid',
  'Sinh',
  'Tan',
  'Tanh',
  'Reciprocal',
  'Sin',
  'Cos',
  'Erf',
  'Selu',
  'Softplus',
]) {
  defineKernel(kernel, ({ x }) => {
    const value = cast(x, 'float32');
    return like(value, kernel, [value]);
  });
}
/** `precise` near zero, where `plainly` loses all digits. */
function nearZero(x: Value, precise: Value, plainly: Value): Value {
  const size = like(x, 'Abs', [x]);
  return like(x, 'Where', [like(size, 'Less', [size, floatConstant(0.5)], 'bool'), precise, plainly]);
}
defineKernel('Expm1', ({ x }) => {
  const value = cast(x, 'float32');
  // e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2).
  const t = like(value, 'Tanh', [like(value, 'Mul', [value, floatConstant(0.5)])]);
  const precise = like(value, 'Div', [like(t, 'Add', [t, t]), like(t, 'Sub', [floatConstant(1), t])]);
  return nearZero(value, precise, like(value, 'Sub', [like(value, 'Exp', [value]), floatConstant(1)]));
});
defineKernel('Log1p', ({ x }) => {
  const value = cast(x, 'float32');
  // log(1 + x) = 2 artanh(x / (2 + x)).
  const half = like(value, 'Atanh', [like(value, 'Div', [value, like(value, 'Add', [value, floatConstant(2)])])]);
  return nearZero(
    value,
    like(half, 'Add', [half, half]),
    like(value, 'Log', [like(value, 'Add', [value, floatConstant(1)])]),
  );
});
defineKernel('IsNan', ({ x }) => like(x, 'IsNaN', [cast(x, 'float32')], 'bool'));
defineKernel('IsInf', ({ x }) => like(x, 'IsInf', [cast(x, 'float32')], 'bool'));
defineKernel('IsFinite', ({ x }) => {
  const value = cast(x, 'float32');
  return broadcast(
    'And',
    not(like(value, 'IsNaN', [value], 'bool')),
    not(like(value, 'IsInf', [value], 'bool')),
    'bool',
  );
});
defineKernel('Mod', ({ a, b }) => {
  // The sign of the divisor, as in the JavaScript backend, and as there in float64: a remainder by 0 is NaN.
  const type = 'float64';
  const [dividend, divisor] = [cast(a, type), cast(b, type)];
  const remainder = (left: Value) => broadcast('Mod', left, divisor, type, { fmod: 1 });
  const zero: Constant = { constant: type, dims: [], values: [0] };
  const negative = (value: Value) => like(value, 'Less', [value, zero], 'bool');
  const first = remainder(dividend);
  const sameSign = broadcast('Equal', negative(dividend), negative(divisor), 'bool');
  const second = remainder(broadcast('Add', first, divisor));
  return cast(like(first, 'Where', [sameSign, first, second]), a.type);
});
/** slope * x where x is negative, otherwise x. */
export function prelu(x: Value, slope: Value): Value {
  const scaled = mul(slope, x);
  const negative = like(x, 'Less', [x, floatConstant(0)], 'bool');
  return like(scaled, 'Where', [toLayout(negative, scaled.layout), scaled, toLayout(x, scaled.layout)]);
}
defineKernel('Prelu', ({ x, alpha }) => prelu(cast(x, 'float32'), cast(alpha, 'float32')));
export const leakyRelu = (x: Value, alpha: number) => emit('LeakyRelu', [x], x, { alpha: { float: alpha } });
defineKernel<{ alpha: number }>('LeakyRelu', ({ x }, { alpha }) => leakyRelu(cast(x, 'float32'), alpha));
defineKernel('Elu', ({ x }) => {
  const value = cast(x, 'float32');
  return like(value, 'Elu', [value]);
});
// The slope is 1 above zero and y + 1 = e^x below.
defineKernel('EluGrad', ({ dy, y }) =>
  mul(dy, like(y, 'Add', [like(y, 'Min', [y, floatConstant(0)]), floatConstant(1)])),
);
export const relu6 = (x: Value) => like(x, 'Clip', [x, floatConstant(0), floatConstant(6)]);

for (const kernel of ['Floor', 'Ceil', 'Round']) {
  defineKernel(kernel, ({ x }) => (x.type === 'float32' ? like(x, kernel, [x]) : x));
}
defineKernel('Relu', ({ x }) => relu(x));
defineKernel('Square', ({ x }) => mul(x, x));
defineKernel('Rsqrt', ({ x }) => {
  const root = like(x, 'Sqrt', [x]);
  return like(root, 'Reciprocal', [root]);
});
defineKernel('Relu6', ({ x }) => cast(relu6(cast(x, 'float32')), x.type));
defineKernel<{ clipValueMin: number; clipValueMax: number }>('ClipByValue', ({ x }, { clipValueMin, clipValueMax }) => {
  const value = numeric(x);
  const integer = (bound: number) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(bound)));
  const [least, most] = [clipValueMin, clipValueMax].map((bound): Constant => {
    return value.type === 'float32' ? floatConstant(bound) : { constant: 'int32', dims: [], values: [integer(bound)] };
  });
  return cast(like(value, 'Clip', [value, least, most]), x.type);
});

defineKernel<{ dtype: 'float32' | 'int32' | 'bool' }>('Cast', ({ x }, { dtype }) => cast(x, dtype));
defineView('Identity', 'x', (x) => x.shape);
defineKernel('Select', ({ condition, t, e }) => {
  const type = t.type === 'float32' || e.type === 'float32' ? 'float32' : t.type === 'bool' ? e.type : t.type;
  // Where has no form for bool.
  const chosen = type === 'bool' ? 'int32' : type;
  const [yes, no] = [cast(t, chosen), cast(e, chosen)];
  const rank = yes.shape.length;
  const layout = rank === 4 ? ([yes, no, condition].find((v) => v.layout !== 'plain')?.layout ?? 'plain') : 'plain';
  const inputs = [cast(condition, 'bool'), yes, no].map((v) => operand(v, layout));
  return cast(emit('Where', inputs, { shape: yes.shape, type: chosen, layout }), type);
});

defineKernel<{ shape: number[]; value: number; dtype: 'float32' | 'int32' | 'bool' }>(
  'Fill',
  (_, { shape, value, dtype }) => filled(shape, value, dtype ?? 'float32'),
);
/** Constants of a channels-first tensor lie channels first, so that nothing has to move when they meet. */
function filledLike(x: Value, value: number): Value {
  const order = axisOrder(x.layout, x.shape.length).map((axis) => x.shape[axis]);
  return relabel(filled(order, value, x.type), x.shape, x.layout);
}
defineKernel('ZerosLike', ({ x }) => filledLike(x, 0));
defineKernel('OnesLike', ({ x }) => filledLike(x, 1));
defineKernel<{ perm: number[] }>('Transpose', ({ x }, { perm }) => transpose(x, perm));
