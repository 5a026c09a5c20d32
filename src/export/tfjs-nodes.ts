/**
 * @file Kernels of TensorFlow.js as nodes of its graph models, which are named and written as TensorFlow's. Those that a descriptor is made
 * of, with sizes that are known.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';

/** An attribute as `model.json` has it: a protocol buffer in JSON. */
type Attribute =
  | { type: 'DT_FLOAT' | 'DT_INT32' }
  | { b: boolean }
  | { i: string }
  | { f: number }
  | { s: string }
  | { list: { i: string[] } }
  | { tensor: { dtype: string; tensorShape: { dim: { size: string }[] } } }
  | { shape: { dim: { size: string }[] } };

export interface GraphNode {
  name: string;
  op: string;
  /** Names, with `:i` for another result than the first. */
  input: string[];
  attr: Record<string, Attribute>;
}

/** What TensorFlow calls a call of a kernel. */
interface Described {
  op: string;
  attr?: Record<string, Attribute>;
  /** Names of operands behind the tensors. */
  behind?: string[];
  /** In place of the tensors' names. */
  operands?: string[];
}

/** One call of a kernel: names of its tensors, and the shape of its first result. */
interface KernelCall {
  operands: string[];
  attrs: Record<string, unknown>;
  output: tf.TensorInfo;
  /** Adds a node on the side, giving its name. */
  add: (node: Omit<GraphNode, 'name'>) => string;
  /** The name of a constant, a vector where no shape is given. */
  integers: (values: readonly number[], shape?: readonly number[]) => string;
  lowest: () => string;
}

const integer = (value: unknown): Attribute => ({ i: `${value as number}` });
const integers = (values: readonly unknown[]): Attribute => ({
  list: { i: values.map((value) => `${value as number}`) },
});
/** Of text: base64, as in every protocol buffer in JSON. */
const text = (value: string): Attribute => ({ s: Buffer.from(value).toString('base64') });
const pair = (value: unknown) => (Array.isArray(value) ? (value as number[]) : [value as number, value as number]);
export const extents = (shape: readonly number[]) => ({ dim: shape.map((size) => ({ size: `${size}` })) });

type Pads = readonly (readonly [number, number])[];

function convolution(op: string, { attrs }: KernelCall): Described {
  const { strides, dilations = 1, pad } = attrs;
  const window = { strides: integers([1, ...pair(strides), 1]), dilations: integers([1, ...pair(dilations), 1]) };
  const padding: Record<string, Attribute> =
    typeof pad === 'string'
      ? { padding: text(pad.toUpperCase()) }
      : { padding: text('EXPLICIT'), explicit_paddings: integers((pad as Pads).flat()) };
  return { op, attr: { ...window, ...padding, data_format: text('NHWC'), T: { type: 'DT_FLOAT' } } };
}

/** Graph models pool without explicit padding: the maximum's is a node of its own. */
function pooling(op: 'MaxPool' | 'AvgPool', { attrs, operands, add, integers: list, lowest }: KernelCall): Described {
  const { filterSize, strides, pad } = attrs;
  const window = { ksize: integers([1, ...pair(filterSize), 1]), strides: integers([1, ...pair(strides), 1]) };
  const attr = { ...window, data_format: text('NHWC'), T: { type: 'DT_FLOAT' } as const };
  if (typeof pad === 'string') return { op, attr: { ...attr, padding: text(pad.toUpperCase()) } };
  if (op === 'AvgPool') throw new InputError('A graph model of TensorFlow.js has no mean over padded windows.');
  const padded = add({ op: 'PadV2', input: [operands[0], list((pad as Pads).flat(), [4, 2]), lowest()], attr: {} });
  return { op, operands: [padded], attr: { ...attr, padding: text('VALID') } };
}

/** `keepDims` as in the kernel. */
function reduction(op: string, { attrs, integers: list }: KernelCall): Described {
  const axes = [attrs.axis ?? attrs.dims].flat() as number[];
  const keep: Record<string, Attribute> = 'keepDims' in attrs ? { keep_dims: { b: attrs.keepDims === true } } : {};
  return { op, behind: [list(axes)], attr: keep };
}

const plain = (op: string) => (): Described => ({ op });
const reshaped = ({ output, integers: list }: KernelCall): Described => ({
  op: 'Reshape',
  behind: [list(output.shape)],
});

const kernels: Readonly<Record<string, (call: KernelCall) => Described>> = {
  Add: plain('AddV2'),
  Multiply: plain('Mul'),
  RealDiv: plain('RealDiv'),
  Abs: plain('Abs'),
  Pow: plain('Pow'),
  Maximum: plain('Maximum'),
  Relu: plain('Relu'),
  Relu6: plain('Relu6'),
  Square: plain('Square'),
  Rsqrt: plain('Rsqrt'),
  Log: plain('Log'),
  Exp: plain('Exp'),
  Cast: plain('Identity'),
  Identity: plain('Identity'),
  Conv2D: (call) => convolution('Conv2D', call),
  DepthwiseConv2dNative: (call) => convolution('DepthwiseConv2dNative', call),
  MaxPool: (call) => pooling('MaxPool', call),
  AvgPool: (call) => pooling('AvgPool', call),
  Mean: (call) => reduction('Mean', call),
  Sum: (call) => reduction('Sum', call),
  Reverse: (call) => reduction('ReverseV2', call),
  Reshape: reshaped,
  ExpandDims: reshaped,
  BatchMatMul: ({ attrs }) => ({
    op: 'BatchMatMulV2',
    attr: { adj_x: { b: attrs.transposeA === true }, adj_y: { b: attrs.transposeB === true } },
  }),
  Slice: ({ attrs, output, integers: list }) => ({
    op: 'Slice',
    behind: [list(attrs.begin as number[]), list(output.shape)],
  }),
  Pack: ({ attrs, operands }) => ({ op: 'Pack', attr: { N: integer(operands.length), axis: integer(attrs.axis) } }),
  Concat: ({ attrs, operands, integers: list }) => ({
    op: 'ConcatV2',
    behind: [list([attrs.axis as number], [])],
    attr: { N: integer(operands.length) },
  }),
  SplitV: ({ attrs, integers: list, output }) => {
    const { numOrSizeSplits: sizes, axis } = attrs as { numOrSizeSplits: number | number[]; axis: number };
    const parts = Array.isArray(sizes) ? sizes : Array.from({ length: sizes }, () => output.shape[axis]);
    return { op: 'SplitV', behind: [list(parts), list([axis], [])], attr: { num_split: integer(parts.length) } };
  },
  LRN: ({ attrs }) => ({
    op: 'LRN',
    attr: {
      depth_radius: integer(attrs.depthRadius),
      ...Object.fromEntries(['bias', 'alpha', 'beta'].map((name) => [name, { f: attrs[name] as number }])),
    },
  }),
};

/** The node of a call, without its name. @throws InputError for a kernel that graph models do not have as it is used. */
export function nodeOf(kernel: string, call: KernelCall): Omit<GraphNode, 'name'> {
  if (!Object.hasOwn(kernels, kernel)) {
    throw new InputError(
      `A graph model of TensorFlow.js cannot be made of this model: ${kernel} is not known; use --format onnx.`,
    );
  }
  const { op, attr = {}, behind = [], operands = call.operands } = kernels[kernel](call);
  return { op, input: [...operands, ...behind], attr };
}
