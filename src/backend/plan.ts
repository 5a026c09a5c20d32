/**
 * @file From recorded values to a program: ops in order of dependency, equal ops merged, and named, so that the same
 * computation on other data gives the same text key and one cached session.
 */
import { buildGraph } from './fuse.js';
import type { ProtoGraph } from './model-proto.js';
import type { Node } from './node.js';
import { isConstant, type Op, type Value } from './value.js';

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

/** Of the tensors that depend on `inputs`, on the way to `outputs`. */
export function bytesBetween(inputs: readonly Value[], outputs: readonly Value[]): number {
  const dependent = new Set(inputs.map(({ op }) => op));
  const counted = new Set<Value>();
  for (const op of orderOps(outputs)) {
    const read = op.inputs.filter((input): input is Value => !isConstant(input) && dependent.has(input.op));
    if (read.length > 0) dependent.add(op);
    for (const value of read) counted.add(value);
  }
  return 4 * [...counted].reduce((total, { size }) => total + size, 0);
}

/** The known value to read in place of a pending one, if there is one. */
export type Substitute = (value: Value) => Value | undefined;

export interface Program {
  /** Identity of the structure: ops, attributes, wiring, shapes. */
  key: string;
  /** Known values that the program reads, in the order of its inputs `x0`, `x1`, ... */
  leaves: Value[];
  /** In order of dependency. */
  nodes: Node[];
  /** For each requested output, the name of the tensor that holds it. */
  outputNames: string[];
  /** Builds the model; called only when no session has this key. `portable`: standard ONNX operators only. */
  graph(portable: boolean): ProtoGraph;
}

/** Plans the computation of `outputs`. */
export function planProgram(outputs: readonly Value[], substitute: Substitute): Program {
  const leaves: Value[] = [];
  const leafNames = new Map<string, string>();
  const nodes: Node[] = [];
  const merged = new Map<string, Node>();
  const nodeOf = new Map<Op, Node>();

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
    nodes,
    outputNames,
    graph: (portable) => buildGraph(nodes, leaves, outputs, outputNames, portable),
  };
}
