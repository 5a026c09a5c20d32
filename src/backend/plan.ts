/**
 * @file From recorded values to a program: ops in order of dependency, equal ops merged, fused where the recording shows
 * it is possible, and named, so that the same computation on other data gives the same text key and one cached session.
 */
import type { ProtoGraph, ProtoNode, ProtoTensor } from './model-proto.js';
import { type Constant, int64s, isConstant, type Op, type Value } from './value.js';

/** Ops that `outputs` need, inputs before users. Values in `given` count as known. */
export function orderOps(outputs: Iterable<Value>, given?: (value: Value) => boolean): Op[] {
  const order: Op[] = [];
  const state = new Map<Op, 'open' | 'done'>();
  const stack: Op[] = [];
  const push = (value: Value) => {
    if (value.op !== undefined && !given?.(value) && !state.has(value.op)) {
      stack.push(value.op);
    }
  };
  for (const output of outputs) {
    push(output);
    while (stack.length > 0) {
      const op = stack[stack.length - 1];
      const seen = state.get(op);
      if (seen === undefined) {
        state.set(op, 'open');
        for (const input of op.inputs) if (!isConstant(input)) push(input);
      } else {
        stack.pop();
        if (seen === 'open') {
          state.set(op, 'done');
          order.push(op);
        }
      }
    }
  }
  return order;
}

interface Node {
  type: string;
  inputs: string[];
  op: Op;
  outputs: number;
  name: string;
}

export interface Program {
  /** Identity of the structure: ops, attributes, wiring, shapes. */
  key: string;
  /** Known values that the program reads, in the order of its inputs `x0`, `x1`, ... */
  leaves: Value[];
  /** For each requested output, the name of the tensor that holds it. */
  outputNames: string[];
  /** Builds the model; called only when no session has this key. */
  graph(): ProtoGraph;
}

/** Plans the computation of `outputs`. `substitute` gives a known value to read in place of a pending one. */
export function planProgram(outputs: readonly Value[], substitute: (value: Value) => Value | undefined): Program {
  const leaves: Value[] = [];
  const leafNames = new Map<string, string>();
  const nodes: Node[] = [];
  const merged = new Map<string, Node>();
  const nodeOf = new Map<Op, Node>();
  const uses = new Map<string, number>();

  const nameOf = (value: Value): string => {
    const source = value.memory === undefined ? (substitute(value) ?? value) : value;
    if (source.memory === undefined) return `${nodeOf.get(source.op as Op)?.name}_${source.output}`;
    const identity = `${source.memory.id}[${source.physical.join()}]`;
    let name = leafNames.get(identity);
    if (name === undefined) {
      name = `x${leaves.length}`;
      leafNames.set(identity, name);
      leaves.push(source);
    }
    return name;
  };

  for (const op of orderOps(outputs, (value) => substitute(value) !== undefined)) {
    const inputs = op.inputs.map((input) => (isConstant(input) ? '' : nameOf(input)));
    const key = `${op.signature}(${inputs.join()})`;
    let node = merged.get(key);
    if (node === undefined) {
      node = { type: op.type, inputs, op, outputs: op.outputs, name: `n${nodes.length}` };
      merged.set(key, node);
      nodes.push(node);
      for (const input of inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
    }
    node.outputs = Math.max(node.outputs, op.outputs);
    nodeOf.set(op, node);
  }
  const outputNames = outputs.map(nameOf);
  const key = [
    ...leaves.map((leaf) => `${leaf.type}[${leaf.physical.join()}]`),
    ...nodes.map((node) => `${node.op.signature}:${node.outputs}(${node.inputs.join()})`),
    outputNames.join(),
  ].join('|');
  return {
    key,
    leaves,
    outputNames,
    graph: () => buildGraph(nodes, leaves, outputs, outputNames, uses),
  };
}

function buildGraph(
  nodes: readonly Node[],
  leaves: readonly Value[],
  outputs: readonly Value[],
  outputNames: readonly string[],
  uses: ReadonlyMap<string, number>,
): ProtoGraph {
  const constants = new Map<string, { name: string; constant: Constant }>();
  const constantName = (constant: Constant): string => {
    const key = `${constant.constant}[${constant.dims.join()}]=${constant.values.join()}`;
    let entry = constants.get(key);
    if (entry === undefined) {
      entry = { name: `c${constants.size}`, constant };
      constants.set(key, entry);
    }
    return entry.name;
  };
  const wanted = new Set(outputNames);
  const byOutput = new Map(nodes.map((node) => [`${node.name}_0`, node]));
  // A convolution whose only reader adds a bias takes the bias as its third input.
  const fusedInto = new Map<Node, Node>();
  const fused = new Set<Node>();
  for (const node of nodes) {
    if (node.type !== '#BiasAdd') continue;
    const source = node.inputs[0];
    const conv = byOutput.get(source);
    if (conv?.type === 'Conv' && conv.inputs.length === 2 && uses.get(source) === 1 && !wanted.has(source)) {
      fusedInto.set(node, conv);
      fused.add(conv);
    }
  }
  const protoNodes: ProtoNode[] = [];
  for (const node of nodes) {
    if (fused.has(node)) continue;
    const inputs = node.inputs.map((name, i) => (name === '' ? constantName(node.op.inputs[i] as Constant) : name));
    const names = Array.from({ length: node.outputs }, (_, i) => `${node.name}_${i}`);
    const conv = fusedInto.get(node);
    if (conv !== undefined) {
      protoNodes.push({
        type: 'Conv',
        inputs: [...conv.inputs, inputs[1]],
        outputs: names,
        attributes: conv.op.attributes,
      });
    } else if (node.type === '#BiasAdd') {
      const channels = (node.op.inputs[1] as Value).size;
      const shaped = `${node.name}_b`;
      protoNodes.push(
        {
          type: 'Reshape',
          inputs: [inputs[1], constantName(int64s([1, channels, 1, 1]))],
          outputs: [shaped],
          attributes: {},
        },
        { type: 'Add', inputs: [inputs[0], shaped], outputs: names, attributes: {} },
      );
    } else {
      protoNodes.push({ type: node.type, inputs, outputs: names, attributes: node.op.attributes });
    }
  }
  const described = (name: string, value: Value): ProtoTensor => ({ name, type: value.type, dims: value.physical });
  const distinct = new Map(outputs.map((value, i) => [outputNames[i], value]));
  for (const name of distinct.keys()) if (name.startsWith('x')) distinct.delete(name); // known already
  return {
    nodes: protoNodes,
    inputs: leaves.map((leaf, i) => described(`x${i}`, leaf)),
    outputs: [...distinct].map(([name, value]) => described(name, value)),
    constants: [...constants.values()],
  };
}
