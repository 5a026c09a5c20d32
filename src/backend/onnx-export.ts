/**
 * @file The recording as a file: what a function records on one input is an ONNX model with that input, and every other
 * buffer as an initializer. Work that does not depend on the input is done now and stored as its result.
 */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { encodeModel } from './model-proto.js';
import { orderOps, planProgram } from './plan.js';
import { known, plain } from './record.js';
import { isConstant, Memory, type Op, Value } from './value.js';

/** Shapes and names of the ONNX model that a recorded function becomes. */
export interface RecordedModelOptions {
  /** Shape of the input tensor, float32. */
  inputShape: readonly number[];
  /** Default `input`. */
  inputName?: string;
  /** Default `output`. */
  outputName?: string;
  /** Stored in the model's metadata_props. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Records `f` on a tensor of `inputShape` and returns the ONNX model (opset 17) that computes it. Initializers lie in
 * the one buffer: up to about 1.5 GB. Needs the project's own engine.
 */
export function recordModel(f: (input: tf.Tensor) => tf.Tensor, options: RecordedModelOptions): Uint8Array {
  const { inputShape, inputName = 'input', outputName = 'output', metadata } = options;
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend))
    throw new Error('Recording a model needs the project engine: use --device cpu.');
  return tf.tidy(() => {
    const input = known(new Float32Array(tf.util.sizeFromShape([...inputShape])), inputShape);
    const image = tf.engine().makeTensorFromTensorInfo(backend.tensorOf(input));
    const output = plain(backend.recorded(backend.withoutWinograd(() => f(image))));
    if (output.op === undefined) throw new Error('The recorded function does not depend on its input.');
    const fixed = independentResults(backend, output, input);
    const program = planProgram([output], (value) => value.op && fixed.get(value.op)?.get(value.output));
    const graph = program.graph(true);
    const inputAt = program.leaves.findIndex(({ memory }) => memory === input.memory);
    if (inputAt < 0) throw new Error('The recorded function does not depend on its input.');
    const names = new Map<string, string>([
      [`x${inputAt}`, inputName],
      [program.outputNames[0], outputName],
    ]);
    const renamed = (name: string) => names.get(name) ?? name;
    return encodeModel({
      ...graph,
      nodes: graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(renamed),
        outputs: node.outputs.map(renamed),
      })),
      inputs: graph.inputs.filter((_, i) => i === inputAt).map((tensor) => ({ ...tensor, name: inputName })),
      outputs: graph.outputs.map((tensor) => ({ ...tensor, name: renamed(tensor.name) })),
      initializers: program.leaves.flatMap((leaf, i) => {
        const tensor = graph.inputs[i];
        if (i === inputAt || tensor === undefined) return [];
        const { data } = leaf.memory as Memory;
        return [
          { ...tensor, dims: leaf.physical, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
        ];
      }),
      metadata: metadata ?? {},
    });
  });
}

/** Computes what ops that depend on the input need from ops that do not. */
function independentResults(backend: OnnxBackend, output: Value, input: Value): Map<Op, Map<number, Value>> {
  const dependent = new Set<Op>();
  const wanted: Value[] = [];
  for (const op of orderOps([output])) {
    const inputs = op.inputs.filter((value): value is Value => !isConstant(value));
    const depends = inputs.some((value) =>
      value.memory === input.memory && value.memory !== undefined
        ? true
        : value.op !== undefined && dependent.has(value.op),
    );
    if (!depends) continue;
    dependent.add(op);
    for (const value of inputs) if (value.op !== undefined && !dependent.has(value.op)) wanted.push(value);
  }
  const results = new Map<Op, Map<number, Value>>();
  if (wanted.length === 0) return results;
  backend
    .execute(wanted, () => undefined)
    .forEach((data, i) => {
      const { shape, type, layout, op, output: index } = wanted[i];
      const byOutput = results.get(op as Op) ?? new Map<number, Value>();
      byOutput.set(index, new Value(shape, type, layout, undefined, index, new Memory(data)));
      results.set(op as Op, byOutput);
    });
  return results;
}
