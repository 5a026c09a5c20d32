/**
 * @file One graph for inputs of every size. A function is recorded at several sizes; what the recordings agree on does not depend
 * on the size, and what they differ in has to be one of the things that ONNX says without numbers: a padding by its rule, the end of
 * an axis, the extent of a reshape that follows from the others, a pool over all that there is.
 */
import type { Node } from './node.js';
import type { Program } from './plan.js';
import { sameShape } from './record.js';
import { type Attribute, type Constant, int64s, isConstant, type Memory, type Op, Value } from './value.js';

/** A recorded function cannot be written for every size. */
export class SizeDependence extends Error {}

/** The end of an axis, wherever that is. */
const toTheEnd = Number.MAX_SAFE_INTEGER;

/**
 * The nodes that compute all of these programs, which are one function's at different sizes. `input`: the leaf that has another
 * size in each. @throws SizeDependence
 */
export function anySizeNodes(programs: readonly Program[], input?: number): Node[] {
  const [first, ...others] = programs;
  for (const { nodes, leaves, outputNames } of others) {
    const alike =
      nodes.length === first.nodes.length &&
      outputNames.join() === first.outputNames.join() &&
      leaves.length === first.leaves.length &&
      leaves.every((leaf, i) => i === input || sameLeaf(leaf, first.leaves[i]));
    if (!alike) throw new SizeDependence('another size records other operators');
  }
  return first.nodes.map((node, i) => {
    const variants = programs.map(({ nodes }) => nodes[i]);
    const alike = variants.every(
      (one) => one.type === node.type && one.inputs.join() === node.inputs.join() && one.outputs === node.outputs,
    );
    if (!alike) throw new SizeDependence(`another size records another operator than ${node.type}`);
    const op = anySizeOp(variants.map((one) => one.op));
    return op === node.op
      ? node
      : { ...node, type: op.type, inputs: op.inputs.map((_, k) => node.inputs[k] ?? ''), op };
  });
}

/** Equal numbers of the same shape. */
function sameLeaf(a: Value, b: Value): boolean {
  if (!sameShape(a.physical, b.physical) || a.type !== b.type) return false;
  const [{ data: left }, { data: right }] = [a.memory as Memory, b.memory as Memory];
  return left === right || left.every((value, i) => value === right[i]);
}

/** The operator that does what each of `ops` does on its own input. */
function anySizeOp(ops: readonly Op[]): Op {
  const [op] = ops;
  const reduces = op.type === '#Sum' || op.type === '#Mean';
  if (reduces && !ops.every((one) => sameShape(extentsOf(one), extentsOf(op)))) return reduction(op);
  if (ops.every(({ signature }) => signature === op.signature)) return op;
  if (op.type === 'MaxPool' && ops.every(poolsAll)) return { ...op, type: 'GlobalMaxPool', attributes: {} };
  const attributes = { ...op.attributes };
  for (const name of Object.keys(attributes)) {
    if (ops.every((one) => JSON.stringify(one.attributes[name]) === JSON.stringify(attributes[name]))) continue;
    if (name !== 'pads') throw new SizeDependence(`${name} of ${op.type}`);
    delete attributes.pads;
    Object.assign(attributes, paddingRule(ops));
  }
  const inputs = op.inputs.map((input, i) => {
    if (!isConstant(input)) return input;
    const variants = ops.map((one) => one.inputs[i] as Constant);
    if (variants.every(({ values, dims }) => sameShape(values, input.values) && sameShape(dims, input.dims)))
      return input;
    return anySizeConstant(ops, i, variants);
  });
  return { ...op, attributes, inputs };
}

/** Physical extents of an op's first input. */
const extentsOf = ({ inputs }: Op) => (inputs[0] as Value).physical;

/** A sum or mean by one operator, not in blocks of known length (`sums.ts`). */
function reduction(op: Op): Op {
  const axes = op.attributes.axes as readonly number[];
  if (op.type === '#Mean') return { ...op, type: 'ReduceMean', attributes: { axes, keepdims: 0 } };
  return { ...op, type: 'ReduceSum', inputs: [op.inputs[0], int64s(axes)], attributes: { keepdims: 0 } };
}

/** One window over the whole map. */
function poolsAll(op: Op): boolean {
  return [0, 1].every((axis) => {
    const { extent, size, before, after } = windowsAlong(op, axis);
    return extent === size && before === 0 && after === 0;
  });
}

function anySizeConstant(ops: readonly Op[], input: number, variants: readonly Constant[]): Constant {
  const [{ values }] = variants;
  if (ops[0].type === 'Slice' && input === 2) {
    return int64s(
      values.map((end, axis) => {
        if (variants.every((one) => one.values[axis] === end)) return end;
        const whole = ops.every((op, k) => extentsOf(op)[axis] === variants[k].values[axis]);
        if (!whole) throw new SizeDependence('a slice ends inside an axis');
        return toTheEnd;
      }),
    );
  }
  if (ops[0].type === 'Reshape' && input === 1) {
    let inferred = false;
    return int64s(
      values.map((extent, axis) => {
        if (variants.every((one) => one.values[axis] === extent)) return extent;
        if (ops.every((op, k) => extentsOf(op)[axis] === variants[k].values[axis])) return 0; // as the input has it
        if (inferred) throw new SizeDependence('a reshape to several extents of the size');
        inferred = true;
        return -1;
      }),
    );
  }
  throw new SizeDependence(`a constant of ${ops[0].type}`);
}

/** The attributes of windows whose padding behind follows from the extent of the axis. */
function paddingRule(ops: readonly Op[]): Readonly<Record<string, Attribute>> {
  const windows = ops.flatMap((op) => [0, 1].map((axis) => windowsAlong(op, axis)));
  if (windows.every(isSameUpper)) return { auto_pad: 'SAME_UPPER' };
  const pooled = ops[0].type === 'MaxPool' && windows.every(({ before }) => before === 0);
  if (pooled && windows.every(isRoundedUp)) return { pads: [0, 0, 0, 0], ceil_mode: 1 };
  throw new SizeDependence(`pads of ${ops[0].type}`);
}

interface Windows {
  extent: number;
  size: number;
  stride: number;
  before: number;
  after: number;
}

function windowsAlong(op: Op, axis: number): Windows {
  const numbers = (name: string) => op.attributes[name] as readonly number[];
  const filter = op.inputs[1];
  const size = filter === undefined || isConstant(filter) ? numbers('kernel_shape') : filter.physical.slice(2);
  return {
    extent: extentsOf(op)[axis + 2],
    size: size[axis],
    stride: numbers('strides')[axis],
    before: numbers('pads')[axis],
    after: numbers('pads')[axis + 2],
  };
}

/** As many windows as the stride fits in, and the larger half of the padding behind. */
function isSameUpper({ extent, size, stride, before, after }: Windows): boolean {
  const total = Math.max((Math.ceil(extent / stride) - 1) * stride + size - extent, 0);
  return before === Math.floor(total / 2) && after === Math.ceil(total / 2);
}

/** Padded behind until the windows reach the last cell. */
function isRoundedUp({ extent, size, stride, after }: Windows): boolean {
  return after === Math.max(Math.ceil((extent - size) / stride) * stride + size - extent, 0);
}
