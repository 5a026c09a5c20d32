/**
 * @file Sums of float32 whose error does not grow with the number of terms. The runtime adds one term after the other: a
 * million terms lose up to 1 %. Here blocks of some tens of terms are added in float32, which touches all the data and is the cost,
 * and what the blocks give in float64, or in blocks again where there is no float64 (`portable`). Long matrix products are
 * cut along the inner dimension in the same way. Relative error of a million equal terms: about 1e-7 for a sum and 1e-5 for a
 * product, whose kernels add up some hundred terms; of varied terms below 1e-6 for both.
 */
import type { ProtoNode } from './model-proto.js';
import { type Constant, int64s } from './value.js';
import { onnxTypes, sameShape } from './record.js';

export interface Lowering {
  /** Names what is made on the way begins with. */
  prefix: string;
  /** Gives the name of a constant. */
  constant(constant: Constant): string;
  /** Standard operators and float32 only. */
  portable: boolean;
}

/** Terms that are added one after the other, about. */
const block = 16;
/** Where fewer numbers than this lie behind the axis, the blocks are added side by side, not each by itself: 5 to 9 times faster. */
const shortRow = 16;
/** Inner dimension from which on a product is cut: of matrices, whose kernels work in blocks, and of vectors. */
const longProduct = { matrix: 16_384, vector: 2_048 };
const productBlock = { matrix: 1_024, vector: 256 };
/** Numbers that the parts of a cut product may take. */
const maxParts = 2 ** 22;

class Nodes {
  readonly list: ProtoNode[] = [];

  constructor(private readonly lowering: Lowering) {}

  add(type: string, inputs: readonly string[], attributes: ProtoNode['attributes'] = {}, domain = ''): string {
    const output = `${this.lowering.prefix}_${this.list.length}`;
    this.list.push({ type, domain, inputs, outputs: [output], attributes });
    return output;
  }

  numbers(values: readonly number[]): string {
    return this.lowering.constant(int64s(values));
  }

  reshaped(x: string, dims: readonly number[]): string {
    return this.add('Reshape', [x, this.numbers(dims)]);
  }

  sum(x: string, axes: readonly number[]): string {
    return this.add('ReduceSum', [x, this.numbers(axes)], { keepdims: 0 });
  }

  cast(x: string, type: keyof typeof onnxTypes): string {
    return this.add('Cast', [x], { to: onnxTypes[type] });
  }

  /** The nodes; the last one's result gets its name. */
  ending(output: string): ProtoNode[] {
    const last = this.list.length - 1;
    this.list[last] = { ...this.list[last], outputs: [output] };
    return this.list;
  }
}

/** Sum of float32 `x` of shape `dims` over `axes`. */
export function sumNodes(
  x: string,
  dims: readonly number[],
  axes: readonly number[],
  output: string,
  lowering: Lowering,
): ProtoNode[] {
  const nodes = new Nodes(lowering);
  recordSum(nodes, x, dims, axes, lowering.portable);
  return nodes.ending(output);
}

/** A divisor of `extent` of about `block`; `block` if there is none. */
function blockOf(extent: number): number {
  for (let size = block; size >= block / 2; size--) if (extent % size === 0) return size;
  for (let size = block; size <= 2 * block; size++) if (extent % size === 0) return size;
  return block;
}

function recordSum(nodes: Nodes, x: string, dims: readonly number[], axes: readonly number[], portable: boolean): void {
  const result = dims.filter((_, axis) => !axes.includes(axis));
  // Neighbouring axes of one kind are one axis.
  let groups: { extent: number; summed: boolean }[] = [];
  dims.forEach((extent, axis) => {
    const summed = axes.includes(axis);
    const last = groups[groups.length - 1];
    if (last?.summed === summed) last.extent *= extent;
    else groups.push({ extent, summed });
  });
  const extents = () => groups.map(({ extent }) => extent);
  const summedAxes = () => groups.map((_, i) => i).filter((i) => groups[i].summed);
  const terms = () => summedAxes().reduce((count, i) => count * groups[i].extent, 1);
  if (terms() <= block) {
    nodes.sum(x, axes);
    return;
  }
  let current = sameShape(dims, extents()) ? x : nodes.reshaped(x, extents());
  while (terms() > 1) {
    const longest = summedAxes().reduce((best, i) => (groups[i].extent > groups[best].extent ? i : best));
    const { extent } = groups[longest];
    if (extent <= block) {
      current = nodes.sum(current, [longest]);
      groups = groups.filter((_, i) => i !== longest);
    } else {
      const size = blockOf(extent);
      const rest = extent % size;
      const part = (from: number, to: number) =>
        nodes.add('Slice', [current, ...[from, to, longest].map((at) => nodes.numbers([at]))]);
      const [before, after] = [extents().slice(0, longest), extents().slice(longest + 1)];
      const count = (extent - rest) / size;
      const sideBySide = after.reduce((product, n) => product * n, 1) < shortRow;
      const cut = sideBySide ? [size, count] : [count, size];
      const head = rest === 0 ? current : part(0, extent - rest);
      const sums = nodes.sum(nodes.reshaped(head, [...before, ...cut, ...after]), [longest + (sideBySide ? 0 : 1)]);
      if (rest > 0) {
        const tail = nodes.add('ReduceSum', [part(extent - rest, extent), nodes.numbers([longest])], { keepdims: 1 });
        current = nodes.add('Concat', [sums, tail], { axis: longest });
      } else current = sums;
      groups[longest] = { extent: count + (rest > 0 ? 1 : 0), summed: true };
    }
    if (!portable && terms() > 1) {
      current = nodes.cast(nodes.sum(nodes.cast(current, 'float64'), summedAxes()), 'float32');
      groups = groups.filter(({ summed }) => !summed);
    }
  }
  if (!sameShape(extents(), result)) nodes.reshaped(current, result);
}

/** Whether a product is cut: a [m, k] or, transposed, [k, m]; b [k, n] or [n, k]. */
export function productParts(m: number, n: number, k: number): number {
  const kind = m === 1 || n === 1 ? 'vector' : 'matrix';
  if (k < longProduct[kind]) return 1;
  return Math.min(Math.ceil(k / productBlock[kind]), Math.floor(maxParts / (m * n)));
}

/** A Gemm of a and b of these shapes, or undefined if it is short enough to be left as it is. */
export function productNodes(
  [a, b]: readonly [string, string],
  [aDims, bDims]: readonly [readonly number[], readonly number[]],
  { transA, transB }: { transA: boolean; transB: boolean },
  output: string,
  lowering: Lowering,
): ProtoNode[] | undefined {
  const [m, k] = transA ? [aDims[1], aDims[0]] : [aDims[0], aDims[1]];
  const n = bDims[transB ? 0 : 1];
  const wanted = productParts(m, n, k);
  if (wanted < 2) return undefined;
  // Any number of parts near the wanted one that divides k; zeros behind where there is none.
  let parts = wanted;
  while (parts > wanted / 2 && k % parts !== 0) parts--;
  const divides = k % parts === 0;
  if (!divides) parts = wanted;
  const length = Math.ceil(k / parts);
  const nodes = new Nodes(lowering);
  const [left, right] = (
    [
      [a, transA, m],
      [b, !transB, n],
    ] as const
  ).map(([x, innerFirst, rows]) => {
    const pads = innerFirst ? [0, 0, parts * length - k, 0] : [0, 0, 0, parts * length - k];
    const whole = divides ? x : nodes.add('Pad', [x, nodes.numbers(pads)]);
    const cut = nodes.reshaped(whole, innerFirst ? [parts, length, rows] : [rows, parts, length]);
    return { cut, innerFirst };
  });
  let products: string;
  if (lowering.portable) {
    const inOrder = ({ cut, innerFirst }: typeof left, perm: readonly number[]) =>
      innerFirst ? cut : nodes.add('Transpose', [cut], { perm });
    const aParts = left.innerFirst ? nodes.add('Transpose', [left.cut], { perm: [0, 2, 1] }) : inOrder(left, [1, 0, 2]);
    products = nodes.add('MatMul', [aParts, inOrder(right, [1, 2, 0])]);
  } else {
    const attributes = {
      transA: left.innerFirst ? 1 : 0,
      transBatchA: left.innerFirst ? 0 : 1,
      transB: right.innerFirst ? 0 : 1,
      transBatchB: right.innerFirst ? 0 : 1,
    };
    products = nodes.add('FusedMatMul', [left.cut, right.cut], attributes, 'com.microsoft');
  }
  recordSum(nodes, products, [parts, m, n], [0], lowering.portable);
  return nodes.ending(output);
}
