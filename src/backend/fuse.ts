/**
 * @file From a program to an ONNX graph. Neighbours that one operator computes are fused: every tensor that need not be
 * written saves a pass through memory. Pseudo-operators (`#...`) are recorded where a fusion is likely and are written
 * out here when it does not come about.
 */
import type { ProtoGraph, ProtoNode, ProtoTensor } from './model-proto.js';
import type { Node } from './node.js';
import { sameShape } from './record.js';
import { type Lowering, productNodes, sumNodes } from './sums.js';
import { type Constant, exampleOp, floatConstant, int64s, isConstant, type Op, type Value } from './value.js';

/**
 * @param outputNames tensors that somebody else reads: they are computed as they are. Those named by `outputs` are the graph's.
 * @param portable standard ONNX operators only: for files that other runtimes read, and for accelerators.
 * @param constantPrefix what the names of constants begin with.
 */
export function buildGraph(
  nodes: readonly Node[],
  leaves: readonly Value[],
  outputs: readonly Value[],
  outputNames: readonly string[],
  portable: boolean,
  constantPrefix = 'c',
): ProtoGraph {
  const constants = new Map<string, { name: string; constant: Constant }>();
  const constantName = (constant: Constant): string => {
    const key = `${constant.constant}[${constant.dims.join()}]=${constant.values.join()}`;
    let entry = constants.get(key);
    if (entry === undefined) {
      entry = { name: `${constantPrefix}${constants.size}`, constant };
      constants.set(key, entry);
    }
    return entry.name;
  };
  const inputName = (node: Node, i: number) => node.inputs[i] || constantName(node.op.inputs[i] as Constant);
  const outputsOf = (node: Node) => Array.from({ length: node.outputs }, (_, i) => `${node.name}_${i}`);
  const lowering = (node: Node): [string, Lowering] => [
    `${node.name}_0`,
    { prefix: `${node.name}_s`, constant: constantName, portable },
  ];
  const fusions = findFusions(nodes, new Set(outputNames), !portable);
  const protoNodes: ProtoNode[] = [];
  for (const node of nodes) {
    const fusion = fusions.get(node);
    if (fusion === 'elsewhere') continue;
    if (node.type === exampleOp) throw new Error('A tensor that stood for an example was read outside its function.');
    if (fusion !== undefined) {
      const { conv, bias, scale, addend, activation } = fusion;
      const inputs = [inputName(conv ?? scale!, 0), inputName(conv ?? scale!, 1)];
      if (bias !== undefined) inputs.push(inputName(bias, 1));
      if (scale !== undefined) {
        // y = scale * (x - 0) / sqrt(1 + 0) + bias in one pass.
        const channels = (scale.op.inputs[1] as Value).size;
        const filled = (value: number): Constant => ({
          constant: 'float32',
          dims: [channels],
          values: new Array<number>(channels).fill(value),
        });
        inputs.push(constantName(filled(0)), constantName(filled(1)));
        protoNodes.push({
          type: 'BatchNormalization',
          inputs,
          outputs: outputsOf(node),
          attributes: { epsilon: { float: 0 } },
        });
        continue;
      }
      if (addend !== undefined && bias === undefined) inputs.push('');
      if (addend !== undefined) inputs.push(addend);
      const beyondStandard = addend !== undefined || activation !== undefined;
      protoNodes.push({
        type: beyondStandard ? 'FusedConv' : 'Conv',
        domain: beyondStandard ? 'com.microsoft' : '',
        inputs,
        outputs: outputsOf(node),
        attributes: { ...conv!.op.attributes, ...activation },
      });
    } else if (node.type === '#BiasAdd' || node.type === '#Scale') {
      // The per-channel vector as [1, c, 1, 1].
      const channels = (node.op.inputs[1] as Value).size;
      const shaped = `${node.name}_v`;
      const shape = constantName(int64s([1, channels, 1, 1]));
      protoNodes.push(
        { type: 'Reshape', inputs: [inputName(node, 1), shape], outputs: [shaped], attributes: {} },
        {
          type: node.type === '#Scale' ? 'Mul' : 'Add',
          inputs: [inputName(node, 0), shaped],
          outputs: outputsOf(node),
          attributes: {},
        },
      );
    } else if (node.type === '#Sum' || node.type === '#Mean') {
      const { physical } = node.op.inputs[0] as Value;
      const axes = node.op.attributes.axes as readonly number[];
      const [output, rest] = lowering(node);
      const total = node.type === '#Sum' ? output : `${node.name}_t`;
      for (const part of sumNodes(inputName(node, 0), physical, axes, total, rest)) protoNodes.push(part);
      if (node.type === '#Sum') continue;
      const count = axes.reduce((product, axis) => product * physical[axis], 1);
      const inputs = [total, constantName(floatConstant(count))];
      protoNodes.push({ type: 'Div', inputs, outputs: [output], attributes: {} });
    } else if (node.type === '#Gelu') {
      for (const part of geluNodes(inputName(node, 0), ...lowering(node))) protoNodes.push(part);
    } else {
      const inputs = node.inputs.map((_, i) => inputName(node, i));
      const cut = node.type === 'Gemm' && longProduct(node, inputs as [string, string], ...lowering(node));
      const domain = node.type === 'FusedMatMul' ? 'com.microsoft' : '';
      const whole = { type: node.type, domain, inputs, outputs: outputsOf(node), attributes: node.op.attributes };
      for (const part of cut || [whole]) protoNodes.push(part);
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

/** x (1 + erf(x / sqrt 2)) / 2. */
function geluNodes(x: string, output: string, lowering: Lowering): ProtoNode[] {
  if (!lowering.portable)
    return [{ type: 'Gelu', domain: 'com.microsoft', inputs: [x], outputs: [output], attributes: {} }];
  const at = (i: number) => `${lowering.prefix}_${i}`;
  const number = (value: number) => lowering.constant(floatConstant(value));
  // The form that ONNX Runtime makes one operator of.
  return [
    { type: 'Div', inputs: [x, number(Math.SQRT2)], outputs: [at(0)], attributes: {} },
    { type: 'Erf', inputs: [at(0)], outputs: [at(1)], attributes: {} },
    { type: 'Add', inputs: [at(1), number(1)], outputs: [at(2)], attributes: {} },
    { type: 'Mul', inputs: [x, at(2)], outputs: [at(3)], attributes: {} },
    { type: 'Mul', inputs: [at(3), number(0.5)], outputs: [output], attributes: {} },
  ];
}

/** The nodes of a Gemm whose inner dimension is long; undefined for others. */
function longProduct({ op }: Node, inputs: readonly [string, string], output: string, lowering: Lowering) {
  const [a, b] = op.inputs as [Value, Value];
  const transposed = { transA: op.attributes.transA === 1, transB: op.attributes.transB === 1 };
  return productNodes(inputs, [a.physical, b.physical], transposed, output, lowering);
}

/** A chain of nodes that becomes one: convolution, bias, addend, ReLU or clipping; or scale and bias. */
interface Fusion {
  conv?: Node;
  scale?: Node;
  bias?: Node;
  /** Name of a tensor of the result's shape that is added. */
  addend?: string;
  /** Attributes of the convolution that say what is applied last. */
  activation?: ProtoNode['attributes'];
}

/** For the last node of each chain what it becomes; the chain's other nodes are `elsewhere`. */
function findFusions(
  nodes: readonly Node[],
  wanted: ReadonlySet<string>,
  beyondStandard: boolean,
): Map<Node, Fusion | 'elsewhere'> {
  const readers = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const list = readers.get(input);
      if (list === undefined) readers.set(input, [node]);
      else list.push(node);
    }
  }
  const fusions = new Map<Node, Fusion | 'elsewhere'>();
  /** The one node that reads this one's result, if it is of `type` and free. */
  const next = (node: Node, type: string): Node | undefined => {
    const result = `${node.name}_0`;
    const [reader, ...others] = readers.get(result) ?? [];
    const free = others.length === 0 && !wanted.has(result) && reader?.type === type && !fusions.has(reader);
    return free ? reader : undefined;
  };
  for (const node of nodes) {
    if (node.type === '#Scale') {
      const bias = next(node, '#BiasAdd');
      if (bias === undefined) continue;
      fusions.set(node, 'elsewhere');
      fusions.set(bias, { scale: node, bias });
    } else if (node.type === 'Conv') {
      const chain = [node];
      const fusion: Fusion = { conv: node };
      const bias = next(node, '#BiasAdd');
      if (bias !== undefined) {
        fusion.bias = bias;
        chain.push(bias);
      }
      if (beyondStandard) {
        const add = next(chain[chain.length - 1], 'Add');
        const addend = add && addendOf(add, `${chain[chain.length - 1].name}_0`);
        if (addend !== undefined) {
          fusion.addend = addend;
          chain.push(add!);
        }
        const last = chain[chain.length - 1];
        const activation = next(last, 'Relu') ?? next(last, 'Clip');
        fusion.activation = activation && activationOf(activation.op);
        if (fusion.activation !== undefined) chain.push(activation!);
      }
      const last = chain.pop()!;
      if (chain.length === 0) continue;
      for (const part of chain) fusions.set(part, 'elsewhere');
      fusions.set(last, fusion);
    }
  }
  return fusions;
}

/** ReLU, or clipping to known bounds. */
function activationOf({ type, inputs }: Op): ProtoNode['attributes'] | undefined {
  if (type === 'Relu') return { activation: type };
  const bounds = inputs.slice(1).map((bound) => (isConstant(bound) ? bound.values[0] : Number.NaN));
  return bounds.some(Number.isNaN) ? undefined : { activation: type, activation_params: { floats: bounds } };
}

/** The other operand of an addition without broadcasting. */
function addendOf({ inputs, op }: Node, own: string): string | undefined {
  const [a, b] = op.inputs as Value[];
  const other = inputs[0] === own ? inputs[1] : inputs[0];
  return other === '' || other === own || !sameShape(a.physical, b.physical) ? undefined : other;
}
