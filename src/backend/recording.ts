/**
 * @file A function of one tensor as a graph of its own: what it records on that input, and every other buffer as an initializer. Work
 * that does not depend on the input is done once and stored as its result, or left to whoever compiles the graph.
 */
import * as tf from '@tensorflow/tfjs-core';
import { anySizeNodes } from './any-size.js';
import type { OnnxBackend } from './backend.js';
import { buildGraph } from './fuse.js';
import type { ProtoGraph } from './model-proto.js';
import { bytesBetween, orderOps, planProgram, type Program } from './plan.js';
import { plain } from './record.js';
import { exampleOp, isConstant, makeOp, Memory, type Op, Value } from './value.js';

/** What a recording is asked for. */
export interface RecordingOptions {
  /** Extents of the input; a name stands for an extent that each run decides. */
  inputShape: readonly (number | string)[];
  /** Shapes of the input to record at: where extents are free, enough to tell what depends on them. Default: `inputShape`. */
  shapes?: readonly (readonly number[])[];
  inputName: string;
  /** Of the i-th output. */
  outputName: (i: number) => string;
  /** Outputs in tfjs's order in memory, else as they happen to lie. */
  plainOutputs: boolean;
  /** What the input does not change (filters brought into order, folded) stays in the graph, which takes less memory than its results beside the weights. */
  unfolded?: boolean;
  /** Of the convolutions in turn, which are computed by Winograd's algorithm (`winogradChoices`). Default: none, as other runtimes want it. */
  winograd?: readonly boolean[];
}

/** The graph, and how its outputs lie. */
export interface RecordedGraph {
  graph: ProtoGraph;
  outputs: readonly Pick<Value, 'type' | 'layout'>[];
  /** Of the tensors that are computed from one number of the input. */
  bytesPerNumber: number;
}

/** A function recorded at one size. */
interface Recording {
  /** Stands for the input while it is recorded. */
  input: Value & { op: Op };
  outputs: Value[];
  /** Pending values that the rest needs and the input does not change. */
  independent: Value[];
}

type Recorded = (input: tf.Tensor) => tf.Tensor | readonly tf.Tensor[];

/** @throws SizeDependence where the recordings at several shapes are not one graph. */
export function recordGraph(backend: OnnxBackend, f: Recorded, options: RecordingOptions): RecordedGraph {
  const {
    inputShape,
    shapes = [inputShape as readonly number[]],
    plainOutputs,
    unfolded = false,
    winograd = [],
  } = options;
  let recorded: RecordedGraph | undefined;
  tf.tidy(() => {
    const recordings = backend.recordOnly(() =>
      shapes.map((shape) => {
        let at = 0;
        const use = () => winograd[at++] ?? false;
        const recording = backend.withWinograd(use, () => recordingOf(backend, f, shape, plainOutputs));
        return unfolded ? { ...recording, independent: [] } : recording;
      }),
    );
    const [{ input, independent, outputs }] = recordings;
    if (shapes.length > 1) anySizeNodes(recordings.map((one) => planProgram(one.independent, () => undefined))); // the same whatever the size
    const results = independent.length === 0 ? [] : backend.execute(independent, () => undefined);
    const given = results.map((data) => new Memory(data));
    const read = new Memory(new Float32Array(0));
    const programs = recordings.map((recording) => planWith(recording, given, read));
    const [{ leaves, outputNames }] = programs;
    const inputAt = leaves.findIndex(({ memory }) => memory === read);
    const graph = buildGraph(anySizeNodes(programs, inputAt), leaves, outputs, outputNames, true);
    const names = new Map(outputNames.map((name, i) => [name, options.outputName(i)]));
    names.set(`x${inputAt}`, options.inputName);
    const renamed = (name: string) => names.get(name) ?? name;
    recorded = {
      outputs,
      bytesPerNumber: bytesBetween([input], outputs) / input.size,
      graph: {
        ...graph,
        nodes: graph.nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map(renamed),
          outputs: node.outputs.map(renamed),
        })),
        inputs: [{ name: options.inputName, type: input.type, dims: inputShape }],
        outputs: graph.outputs.map((tensor, i) => ({
          ...tensor,
          name: renamed(tensor.name),
          dims: freeExtents(
            recordings.map((one) => one.outputs[i].physical),
            renamed(tensor.name),
          ),
        })),
        initializers: leaves.flatMap((leaf, i) => {
          if (i === inputAt) return [];
          const { buffer, byteOffset, byteLength } = (leaf.memory as Memory).data;
          return [{ ...graph.inputs[i], dims: leaf.physical, bytes: new Uint8Array(buffer, byteOffset, byteLength) }];
        }),
      },
    };
  });
  return recorded!;
}

/** Of the convolutions that `f` records on an input of `shape`, in turn, where Winograd's algorithm is expected to be faster. */
export function winogradChoices(backend: OnnxBackend, f: Recorded, shape: readonly number[]): boolean[] {
  const choices: boolean[] = [];
  const use = (faster: boolean) => {
    choices.push(faster);
    return false;
  };
  tf.tidy(() => void backend.recordOnly(() => backend.withWinograd(use, () => recordingOf(backend, f, shape, false))));
  return choices;
}

function recordingOf(backend: OnnxBackend, f: Recorded, shape: readonly number[], plainOutputs: boolean): Recording {
  const op = makeOp(exampleOp, []);
  const input = Object.assign(new Value(shape, 'float32', 'plain', op, 0, undefined), { op });
  const results = f(backend.newTensor(input));
  const outputs = (results instanceof tf.Tensor ? [results] : results).map((tensor) => {
    const value = backend.recorded(tensor);
    return plainOutputs ? plain(value) : value;
  });
  return { input, outputs, independent: independentValues(outputs, input.op) };
}

/** What ops that depend on the input need from ops that do not. */
function independentValues(outputs: readonly Value[], input: Op): Value[] {
  const dependent = new Set([input]);
  const wanted = new Set<Value>();
  for (const op of orderOps(outputs)) {
    const inputs = op.inputs.filter((value): value is Value => !isConstant(value));
    if (!inputs.some((value) => value.op !== undefined && dependent.has(value.op))) continue;
    dependent.add(op);
    for (const value of inputs) if (value.op !== undefined && !dependent.has(value.op)) wanted.add(value);
  }
  if (!outputs.every(({ op }) => op !== undefined && dependent.has(op))) {
    throw new Error('The recorded function does not depend on its input.');
  }
  return [...wanted];
}

/** The rest of a recording, where what the input does not change is `given`, and the input is `read`. */
function planWith({ input, outputs, independent }: Recording, given: readonly Memory[], read: Memory): Program {
  const known = new Map<Op, Map<number, Value>>();
  [input, ...independent].forEach(({ shape, type, layout, op, output }, i) => {
    const byOutput = known.get(op as Op) ?? new Map<number, Value>();
    byOutput.set(output, new Value(shape, type, layout, undefined, output, i === 0 ? read : given[i - 1]));
    known.set(op as Op, byOutput);
  });
  return planProgram(outputs, (value) => value.op && known.get(value.op)?.get(value.output));
}

/** Extents that recordings agree on, and names for the others. */
function freeExtents(variants: readonly (readonly number[])[], name: string): (number | string)[] {
  return variants[0].map((extent, axis) =>
    variants.every((extents) => extents[axis] === extent) ? extent : `${name}_${axis}`,
  );
}
