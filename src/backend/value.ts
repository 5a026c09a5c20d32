/**
 * @file The recorded graph. A `Value` is one tensor of it: either known (it has memory) or pending (it is an output of
 * a recorded `Op`). Values are reference-counted, so that the backend knows exactly which pending work
 * can still be asked for and which buffers can go: a value is held by the tfjs data ids that name it and by the pending
 * ops that will read it; an op holds its inputs only while one of its own outputs is held.
 *
 * Shapes have two readings. `shape` is what tfjs sees (NHWC activations, HWIO filters). `physical` is the order in
 * memory: convolutions want NCHW and OIHW, and values stay in that order until somebody needs the other.
 */
import { OrtTensor } from './ort.js';

/** int64 and float64 occur inside graphs only: no tensor has them. */
export type ValueType = 'float32' | 'int32' | 'bool' | 'int64' | 'float64';

/** Physical order: as in tfjs, channels first (NCHW for NHWC), or filter (OIHW for HWIO). */
export type Layout = 'plain' | 'nchw' | 'oihw';

/** `physical[i] = shape[permutation[i]]`. */
const permutations: Record<Exclude<Layout, 'plain'>, readonly number[]> = { nchw: [0, 3, 1, 2], oihw: [3, 2, 0, 1] };

/** Axis order of a layout for a rank: `order[i]` is the tfjs axis that lies at physical axis i. */
export function axisOrder(layout: Layout, rank: number): readonly number[] {
  return layout === 'plain' ? Array.from({ length: rank }, (_, i) => i) : permutations[layout];
}

/** A small tensor that is part of an op's definition (axes, pads): an initializer of the model, part of its identity. */
export interface Constant {
  readonly constant: ValueType;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export type Attribute = number | string | readonly number[] | { float: number };

/** A recorded ONNX operator. */
export interface Op {
  readonly type: string;
  readonly inputs: readonly (Value | Constant)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Number of outputs that the operator is asked for. */
  readonly outputs: number;
  /** Identity apart from the inputs: type, attributes, constants. */
  readonly signature: string;
  /** Length of the longest chain of pending ops that ends here. */
  readonly depth: number;
  /** Number of held pending outputs. */
  holders: number;
}

/** Stands for an input that is not known while a function is recorded (`recording.ts`, `example-functions.ts`): no operator. */
export const exampleOp = '#Example';

export type HostData = Float32Array | Int32Array | Uint8Array;

let longest = new Float32Array(0);

/** Zeros that are only read: views of one buffer. */
export function zeros(count: number): Float32Array {
  if (longest.length < count) longest = new Float32Array(count);
  return longest.subarray(0, count);
}

let nextId = 0;

/** A buffer with its identity; several values may read it under different shapes. */
export class Memory {
  readonly id = nextId++;
  /** Held values that read it. */
  refs = 0;
  /** Number of runs that have read it. */
  runs = 0;
  /** No tensor names it any more; only pending ops read it. */
  orphaned = false;

  constructor(readonly data: HostData) {}
}

export class Value {
  /** References by data ids and by pending ops. */
  refs = 0;
  /** Data ids that name this value: > 0 means that somebody may still read it. */
  live = 0;
  private feed: OrtTensor | undefined;

  constructor(
    readonly shape: readonly number[],
    readonly type: ValueType,
    readonly layout: Layout,
    public op: Op | undefined,
    readonly output: number,
    public memory: Memory | undefined,
  ) {}

  /** The known value as an input of a run. */
  get tensor(): OrtTensor {
    this.feed ??= new OrtTensor(this.type, (this.memory as Memory).data as never, this.physical);
    return this.feed;
  }

  /** Frees the buffer of a value that nobody holds. */
  forget(): void {
    this.memory = undefined;
    this.feed = undefined;
  }

  get physical(): readonly number[] {
    return this.layout === 'plain' ? this.shape : axisOrder(this.layout, 4).map((axis) => this.shape[axis]);
  }

  get size(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }
}

export function isConstant(input: Value | Constant): input is Constant {
  return 'constant' in input;
}

/** The constant as identity text. */
function constantKey({ constant, dims, values }: Constant): string {
  return `${constant}[${dims.join()}]=${values.join()}`;
}

export function int64s(values: readonly number[], dims: readonly number[] = [values.length]): Constant {
  return { constant: 'int64', dims, values };
}

export function floatConstant(value: number): Constant {
  return { constant: 'float32', dims: [], values: [value] };
}

/** Makes an op; values that are its outputs are made with `new Value(..., op, index)`. */
export function makeOp(
  type: string,
  inputs: readonly (Value | Constant)[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs = 1,
): Op {
  let signature = type;
  for (const name in attributes) {
    const value = attributes[name];
    signature += `;${name}=${typeof value === 'object' && 'float' in value ? `f${value.float}` : String(value)}`;
  }
  let depth = 1;
  for (const input of inputs) {
    if (isConstant(input)) signature += `;${constantKey(input)}`;
    else if (input.op !== undefined) depth = Math.max(depth, input.op.depth + 1);
  }
  return { type, inputs, attributes, outputs, signature, depth, holders: 0 };
}

/** Holds a value; its op, when first held, holds its inputs. */
export function retain(value: Value): void {
  const stack = [value];
  for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
    if (v.refs++ > 0) continue;
    if (v.memory !== undefined) v.memory.refs++;
    if (v.op === undefined || v.op.holders++ > 0) continue;
    for (const input of v.op.inputs) if (!isConstant(input)) stack.push(input);
  }
}

/** Lets a value go; one that nobody holds lets its buffer and its op's inputs go. `onFree` hears of freed buffers. */
export function release(value: Value, onFree: (memory: Memory) => void): void {
  const stack = [value];
  for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
    if (--v.refs > 0) continue;
    if (v.memory !== undefined && --v.memory.refs === 0) onFree(v.memory);
    v.forget();
    detach(v, stack);
  }
}

/** Cuts a value from its op (it is known now, or dropped); inputs that this sets free are pushed on `freed`. */
export function detach(value: Value, freed: Value[]): void {
  const { op } = value;
  value.op = undefined;
  if (op === undefined || --op.holders > 0) return;
  for (const input of op.inputs) if (!isConstant(input)) freed.push(input);
}
