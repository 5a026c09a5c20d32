/**
 * @file From a program recorded for one example to a graph that runs it for every example (ONNX `Scan`), adding up.
 *
 * Only what depends on the example is in the loop. What does not (folded weights) is computed once before it. What depends on it
 * by a linear map that is the same for every example (a filter gradient brought into order, taken through the folding of a
 * batch norm) is done once behind it, on the sum: the loop then adds up matrix products, and a product is added where it is
 * computed.
 */
import { buildGraph } from './fuse.js';
import type { ProtoGraph, ProtoNode, ProtoTensor } from './model-proto.js';
import type { Node } from './node.js';
import type { Program } from './plan.js';
import { exampleOp, int64s, isConstant, type Value } from './value.js';

export interface ScanParts {
  /** What is added up over the examples: float32. */
  sums: readonly Value[];
  /** What is wanted of each example: [N, ...shape]. */
  rows: readonly Value[];
  /** Of one example. */
  examples: readonly Value[];
}

/**
 * The graph of a program whose outputs are `sums`, then `rows`. Inputs besides the leaves: `e<i>` [N, ...], the examples, and `p<j>`,
 * what sum j is added to. Outputs: `s<j>` and `r<k>`, in the values' order in memory.
 */
export function scanGraph(program: Program, { sums, rows, examples }: ScanParts, portable: boolean): ProtoGraph {
  const { nodes, leaves, outputNames } = program;
  const sumNames = outputNames.slice(0, sums.length);
  const rowNames = outputNames.slice(sums.length);
  const producer = new Map<string, Node>();
  const dependent = new Set<Node>();
  for (const node of nodes) {
    for (let i = 0; i < node.outputs; i++) producer.set(`${node.name}_${i}`, node);
    if (node.type === exampleOp || node.inputs.some((name) => depends(name))) dependent.add(node);
  }
  function depends(name: string): boolean {
    const node = producer.get(name);
    return node !== undefined && dependent.has(node);
  }

  const added = addedInLoop(sumNames, sums, { producer, depends });
  const back = (targets: Iterable<string>, stop: (name: string) => boolean): Set<Node> => {
    const found = new Set<Node>();
    const stack = [...targets];
    for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
      const node = producer.get(name);
      if (node === undefined || stop(name) || found.has(node)) continue;
      found.add(node);
      for (const input of node.inputs) if (input !== '') stack.push(input);
    }
    return found;
  };
  const inLoop = back([...added.keys(), ...rowNames], (name) => !depends(name));
  const behind = back(sumNames, (name) => added.has(name) || !depends(name));
  const before = nodes.filter((node) => !dependent.has(node));
  const loop = nodes.filter((node) => inLoop.has(node) && node.type !== exampleOp);
  const tail = nodes.filter((node) => behind.has(node));
  const readBy = (readers: readonly Node[]) => readers.flatMap(({ inputs }) => inputs);

  // A tensor of the loop has the name of its sum behind it, with a b before it.
  const isInLoop = new Set([...inLoop].map(({ name }) => name));
  const examplesByName = new Map<string, string>();
  for (const node of inLoop) {
    if (node.type === exampleOp) examplesByName.set(`${node.name}_0`, `be${node.op.attributes.index as number}`);
  }
  const inner = (name: string) => examplesByName.get(name) ?? (isInLoop.has(name.split('_')[0]) ? `b${name}` : name);
  const body = buildGraph(loop, [], [], [...added.keys(), ...rowNames], portable, 'bc');
  const loopNodes = body.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(inner),
    outputs: node.outputs.map(inner),
  }));
  const readers = new Map<string, number>();
  for (const name of [...loopNodes.flatMap(({ inputs }) => inputs), ...rowNames.map(inner)]) {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  }
  const described = (name: string, { physical, type }: Value): ProtoTensor => ({ name, type, dims: physical });
  const states = [...added].map(([name, value], i) => {
    const [state, next, total] = [`bi${i}`, `bo${i}`, depends(name) ? name : `q${i}`];
    const product = loopNodes.findIndex(({ type, outputs }) => type === 'Gemm' && outputs[0] === inner(name));
    if (product >= 0 && !readers.has(inner(name)) && loopNodes[product].inputs.length === 2) {
      const { inputs } = loopNodes[product];
      loopNodes[product] = { ...loopNodes[product], inputs: [...inputs, state], outputs: [next] };
    } else {
      loopNodes.push({ type: 'Add', inputs: [state, inner(name)], outputs: [next], attributes: {} });
    }
    return { value, state, next, total, zero: `z${i}` };
  });
  rowNames.forEach((name, k) => {
    loopNodes.push({ type: 'Identity', inputs: [inner(name)], outputs: [`br${k}`], attributes: {} });
  });
  const scan: ProtoNode = {
    type: 'Scan',
    inputs: [...states.map(({ zero }) => zero), ...examples.map((_, i) => `e${i}`)],
    outputs: [...states.map(({ total }) => total), ...rows.map((_, k) => `r${k}`)],
    attributes: { num_scan_inputs: examples.length },
    body: {
      nodes: loopNodes,
      inputs: [
        ...states.map(({ state, value }) => described(state, value)),
        ...examples.map((example, i) => described(`be${i}`, example)),
      ],
      outputs: [
        ...states.map(({ next, value }) => described(next, value)),
        ...rows.map((row, k) => described(`br${k}`, row)),
      ],
      constants: body.constants,
    },
  };

  const outer = buildGraph(before, leaves, [], [...readBy(loop), ...readBy(tail), ...outputNames], portable);
  const last = buildGraph(tail, [], [], outputNames, portable, 't');
  const zeros: ProtoNode[] = states.map(({ zero }, i) => ({
    type: 'ConstantOfShape',
    inputs: [`d${i}`],
    outputs: [zero],
    attributes: {},
  }));
  const totalOf = new Map([...added.keys()].map((name, i) => [name, states[i].total]));
  const results = sumNames.map(
    (name, j): ProtoNode => ({
      type: 'Add',
      inputs: [`p${j}`, totalOf.get(name) ?? name],
      outputs: [`s${j}`],
      attributes: {},
    }),
  );
  return {
    nodes: [...outer.nodes, ...zeros, scan, ...last.nodes, ...results],
    inputs: [
      ...outer.inputs,
      ...examples.map(({ physical, type }, i) => ({ name: `e${i}`, type, dims: ['n', ...physical] })),
      ...sums.map((sum, j) => described(`p${j}`, sum)),
    ],
    outputs: [
      ...sums.map((sum, j) => described(`s${j}`, sum)),
      ...rows.map(({ physical, type }, k) => ({ name: `r${k}`, type, dims: ['n', ...physical] })),
    ],
    constants: [
      ...outer.constants,
      ...last.constants,
      ...states.map(({ value }, i) => ({ name: `d${i}`, constant: int64s(value.physical) })),
    ],
  };
}

/** Linear in one input that depends on the example, as long as the others do not. */
const linearInOne = new Set(['Reshape', 'Transpose', 'Mul', '#Sum', 'Neg']);
/** Linear in all tensors that they read together. */
const linearInAll = new Set(['Concat', 'Add', 'Sub']);

/** By name, the tensors to add up in the loop, from which the sums follow by linear maps that no example changes. */
function addedInLoop(
  sumNames: readonly string[],
  sums: readonly Value[],
  { producer, depends }: { producer: ReadonlyMap<string, Node>; depends: (name: string) => boolean },
): Map<string, Value> {
  const added = new Map<string, Value>();
  /** Sums over elements: behind the loop only if what they read is added up anyway, as it is larger than they are. */
  const reductions = new Map<string, Value>();
  /** The inputs that depend on the example, if the node is linear in them; undefined if it is not. */
  const linearInputs = (name: string): { names: string[]; values: Value[] } | undefined => {
    const node = producer.get(name);
    if (node === undefined || !depends(name)) return undefined;
    const at = node.inputs.map((_, i) => i).filter((i) => depends(node.inputs[i]));
    const varying = { names: at.map((i) => node.inputs[i]), values: at.map((i) => node.op.inputs[i] as Value) };
    const tensors = node.op.inputs.filter((input) => !isConstant(input)).length;
    const linear =
      (linearInOne.has(node.type) && at.length === 1) || (linearInAll.has(node.type) && at.length === tensors);
    return linear ? varying : undefined;
  };
  const walk = (name: string, value: Value): void => {
    const type = producer.get(name)?.type;
    const inputs = linearInputs(name);
    // An addition is taken apart into what it adds if nothing is broadcast; anything else must not add up more than it gives.
    const sizes = inputs?.values.map(({ size }) => size) ?? [];
    const sameSize =
      type === 'Add' || type === 'Sub'
        ? sizes.every((size) => size === value.size)
        : sizes.reduce((total, size) => total + size, 0) === value.size;
    if (inputs !== undefined && type === '#Sum') reductions.set(name, value);
    else if (inputs !== undefined && sameSize) inputs.names.forEach((input, i) => walk(input, inputs.values[i]));
    else added.set(name, value);
  };
  sumNames.forEach((name, j) => walk(name, sums[j]));
  const known = new Map<string, boolean>();
  const follows = (name: string): boolean => {
    if (added.has(name)) return true;
    let result = known.get(name);
    if (result === undefined) {
      result = linearInputs(name)?.names.every(follows) ?? false;
      known.set(name, result);
    }
    return result;
  };
  const beyond = [...reductions].filter(([name]) => !follows(name));
  for (const [name, value] of beyond) added.set(name, value);
  return added;
}
