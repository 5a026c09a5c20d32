/** @file What a function of tensors calls, recorded as a graph model of TensorFlow.js with its weights. */
import * as tf from '@tensorflow/tfjs-core';
import { extents, type GraphNode, nodeOf } from './tfjs-nodes.js';

export interface GraphConstant {
  name: string;
  shape: number[];
  dtype: 'float32' | 'int32';
  values: Float32Array | Int32Array;
}

/** Nodes in the order of execution, the placeholder first, and the values of those that are constants. */
export interface RecordedGraphModel {
  nodes: GraphNode[];
  constants: GraphConstant[];
}

type RunKernel = (kernel: string, inputs: Record<string, tf.Tensor>, attrs?: object) => tf.Tensor | tf.Tensor[];

/**
 * Runs `f` on zeros of `shape` and keeps every call that depends on them; what does not, such as norms folded into kernels, becomes a
 * constant. Sizes are those of this run.
 */
export function recordGraphModel(
  f: (input: tf.Tensor) => tf.Tensor,
  { shape, inputName, outputName }: { shape: number[]; inputName: string; outputName: string },
): RecordedGraphModel {
  const nodes: GraphNode[] = [
    {
      name: inputName,
      op: 'Placeholder',
      input: [],
      attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: extents(shape) } },
    },
  ];
  const constants: GraphConstant[] = [];
  /** Of tensors that depend on the input, and of constants. */
  const names = new Map<number, string>();
  const dependent = new Set<number>();
  const kept = new Map<string, tf.Tensor>();

  const add = (node: Omit<GraphNode, 'name'>) => {
    const name = `node_${nodes.length}`;
    nodes.push({ name, ...node });
    return name;
  };
  const addConstant = (dtype: GraphConstant['dtype'], dims: number[], values?: GraphConstant['values']) => {
    const type = dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT';
    const name = `constant_${constants.length}`;
    const value = { tensor: { dtype: type, tensorShape: extents(dims) } };
    nodes.push({ name, op: 'Const', input: [], attr: { dtype: { type }, value } });
    constants.push({ name, shape: dims, dtype, values: values ?? new Float32Array() });
    return name;
  };
  const known = new Map<string, string>();
  const integers = (list: readonly number[], dims: readonly number[] = [list.length]) => {
    const key = `${list.join()} of ${dims.join()}`;
    const name = known.get(key) ?? addConstant('int32', [...dims], Int32Array.from(list));
    known.set(key, name);
    return name;
  };
  const lowest = () => addConstant('float32', [], Float32Array.of(-3.4e38));

  // Every operation of TensorFlow.js goes through this method of its engine, with the tensors that it was given.
  const engine = tf.engine() as unknown as { runKernel: RunKernel };
  const { runKernel } = engine;
  const nameOf = (tensor: tf.Tensor) => {
    const there = names.get(tensor.id);
    if (there !== undefined) return there;
    const name = addConstant('float32', tensor.shape);
    names.set(tensor.id, name);
    kept.set(name, tf.keep(runKernel.call(engine, 'Identity', { x: tensor }) as tf.Tensor)); // read when all is recorded
    return name;
  };
  const record: RunKernel = (kernel, inputs, attrs = {}) => {
    const result = runKernel.call(engine, kernel, inputs, attrs);
    const tensors = Object.values(inputs);
    if (!tensors.some(({ id }) => dependent.has(id))) return result;
    const outputs = [result].flat();
    const operands = tensors.map(nameOf);
    const call = { operands, attrs: attrs as Record<string, unknown>, output: outputs[0], add, integers, lowest };
    const name = add(nodeOf(kernel, call));
    for (const [i, { id }] of outputs.entries()) {
      names.set(id, i === 0 ? name : `${name}:${i}`);
      dependent.add(id);
    }
    return result;
  };
  try {
    tf.tidy(() => {
      const input = tf.zeros(shape);
      names.set(input.id, inputName);
      dependent.add(input.id);
      engine.runKernel = record;
      const output = f(input);
      nodes.push({
        name: outputName,
        op: 'Identity',
        input: [names.get(output.id)!],
        attr: { T: { type: 'DT_FLOAT' } },
      });
    });
    for (const constant of constants) {
      const tensor = kept.get(constant.name);
      if (tensor !== undefined) constant.values = tensor.dataSync<'float32'>();
    }
    return { nodes, constants };
  } finally {
    engine.runKernel = runKernel;
    tf.dispose([...kept.values()]);
  }
}
