/** @file Weights of a written model in fewer bytes: the graph makes float32 of them again when it is loaded. */
import type { ProtoGraph, ProtoInitializer, ProtoNode } from './model-proto.js';

/**
 * How large weights are stored. `float16`: rounded to 11 bits. `int8`: whole multiples, at most 127, of a step for each output
 * channel of a convolution or product. What is small (biases, and vectors of any kind) stays float32.
 */
export type WeightStorage = 'float32' | 'float16' | 'int8';

/** Numbers below which storing fewer bytes does not pay. */
const smallest = 1024;

/** The graph with its weights stored so; constant folding of a runtime gives back float32 weights. */
export function withStoredWeights(graph: ProtoGraph, storage: WeightStorage): ProtoGraph {
  if (storage === 'float32') return graph;
  const nodes: ProtoNode[] = [];
  const initializers: ProtoInitializer[] = [];
  for (const tensor of graph.initializers ?? []) {
    const large = tensor.type === 'float32' && tensor.dims.length > 1 && tensor.bytes.length >= 4 * smallest;
    const axis = storage === 'int8' ? outputAxis(tensor, graph.nodes) : 0;
    if (!large || axis === undefined) {
      initializers.push(tensor);
      continue;
    }
    const values = new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.length / 4);
    const stored = `${tensor.name}_${storage}`;
    if (storage === 'float16') {
      const halves = Uint16Array.from(values, halfBits);
      initializers.push({ ...tensor, name: stored, type: 'float16', bytes: new Uint8Array(halves.buffer) });
      nodes.push({ type: 'Cast', inputs: [stored], outputs: [tensor.name], attributes: { to: 1 } });
      continue;
    }
    const { multiples, steps } = quantized(values, tensor.dims, axis);
    const [scale, whole] = [`${tensor.name}_step`, `${tensor.name}_whole`];
    initializers.push({ ...tensor, name: stored, type: 'int8', bytes: new Uint8Array(multiples.buffer) });
    const dims = tensor.dims.map((extent, i) => (i === axis ? extent : 1));
    initializers.push({ name: scale, type: 'float32', dims, bytes: new Uint8Array(steps.buffer) });
    nodes.push(
      { type: 'Cast', inputs: [stored], outputs: [whole], attributes: { to: 1 } },
      { type: 'Mul', inputs: [whole, scale], outputs: [tensor.name], attributes: {} },
    );
  }
  return { ...graph, nodes: [...nodes, ...graph.nodes], initializers };
}

/** Axis of a filter's or matrix's output channels; undefined for what is neither. */
function outputAxis({ name, dims }: ProtoInitializer, nodes: readonly ProtoNode[]): number | undefined {
  const reader = nodes.find(({ inputs }) => inputs[1] === name);
  if (reader?.type === 'Conv') return 0;
  if (reader?.type === 'Gemm') return reader.attributes.transB === 1 ? 0 : 1;
  return reader?.type === 'MatMul' ? dims.length - 1 : undefined;
}

/** Each value as the nearest multiple of its channel's step, which is the largest value over 127. */
function quantized(values: Float32Array, dims: readonly number[], axis: number) {
  const channels = dims[axis];
  const behind = dims.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const channelOf = (i: number) => Math.floor(i / behind) % channels;
  const steps = new Float32Array(channels);
  values.forEach((value, i) => {
    steps[channelOf(i)] = Math.max(steps[channelOf(i)], Math.abs(value) / 127);
  });
  const multiples = Int8Array.from(values, (value, i) => {
    const step = steps[channelOf(i)];
    return step === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(value / step)));
  });
  return { multiples, steps };
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** IEEE binary16 nearest to a number, ties to even; beyond 65,504 infinity. */
export function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 a half is a multiple of 2^-24.
    const size = Math.abs(float[0]) * 2 ** 24;
    const below = Math.floor(size);
    const rest = size - below;
    return sign | (below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0));
  }
  const rebased = magnitude - 0x38000000;
  const [kept, rest] = [rebased >>> 13, rebased & 0x1fff];
  return sign | (kept + (rest > 0x1000 || (rest === 0x1000 && kept % 2 === 1) ? 1 : 0));
}
