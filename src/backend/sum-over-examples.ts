/**
 * @file A function of one example, recorded once and run natively for every example of a list, one after the other: its
 * results, and sums over the examples (gradients). Recording, planning, folding weights and handing the sums in and out
 * is then done once for the list.
 */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { OrtTensor } from './ort.js';
import { planProgram } from './plan.js';
import { plain, toLayout } from './record.js';
import { scanGraph } from './scan-graph.js';
import { exampleOp, type HostData, makeOp, Memory, Value } from './value.js';

/** Numbers of N examples of one shape: `values` has N times as many as `shape` says. */
export interface ExampleInput {
  values: Float32Array;
  /** Of one example. */
  shape: readonly number[];
}

export interface RecordedExample {
  /** Added up over the examples; float32. */
  sums?: Readonly<Record<string, tf.Tensor>>;
  /** Wanted of each example. */
  rows?: readonly tf.Tensor[];
}

/** What a function of one example came to over many. */
export interface OverExamples {
  /** The sums, by name; the caller owns them. */
  sums: Record<string, tf.Tensor>;
  /** For each of the rows, its numbers for all examples. */
  rows: Float32Array[];
}

/** Whether the engine in use can run a recorded function natively over examples. */
export function runsOverExamples(): boolean {
  const backend = tf.backend();
  return backend instanceof OnnxBackend && !backend.accelerated;
}

/**
 * Runs `record` for `count` examples. It is called once, with tensors that stand for one example, and may not read numbers.
 * `before`: what the sums are added to, by name; nothing is taken as zeros. Up to rounding the sums are those of one
 * call for each example.
 */
export async function sumOverExamples(
  count: number,
  inputs: readonly ExampleInput[],
  record: (...example: tf.Tensor[]) => RecordedExample,
  before: ReadonlyMap<string, tf.Tensor> = new Map(),
): Promise<OverExamples> {
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend)) {
    throw new Error("sumOverExamples needs the project's engine: check runsOverExamples() first.");
  }
  // Let finished decodes and other callbacks in before the run blocks the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  return tf.tidy(() => {
    const examples = inputs.map(
      ({ shape }, index) => new Value(shape, 'float32', 'plain', makeOp(exampleOp, [], { index }), 0, undefined),
    );
    const { sums, rows } = backend.recordOnly(() => {
      const tensors = examples.map((value) => tf.engine().makeTensorFromTensorInfo(backend.tensorOf(value)));
      const { sums: sumTensors = {}, rows: rowTensors = [] } = record(...tensors);
      const named = Object.entries(sumTensors).map(([name, tensor]) => [name, backend.recorded(tensor)] as const);
      return { sums: new Map(named), rows: rowTensors.map((tensor) => plain(backend.recorded(tensor))) };
    });
    const outputs = [...sums.values(), ...rows];
    const program = planProgram(outputs, backend.invariantsOf(outputs));
    const parts = { sums: [...sums.values()], rows, examples };
    const feeds: Record<string, OrtTensor> = {};
    inputs.forEach(({ values, shape }, i) => {
      feeds[`e${i}`] = new OrtTensor('float32', values, [count, ...shape]);
    });
    [...sums].forEach(([name, sum], j) => {
      feeds[`p${j}`] = new OrtTensor('float32', priorOf(backend, before.get(name), sum), sum.physical);
    });
    const names = [...parts.sums.map((_, j) => `s${j}`), ...rows.map((_, k) => `r${k}`)];
    const results = backend.runNative(
      {
        key: `examples ${sums.size}|${examples.map(({ shape }) => shape.join()).join(';')}|${program.key}`,
        leaves: program.leaves,
        graph: (portable) => scanGraph(program, parts, portable),
      },
      feeds,
      names,
    );
    return {
      sums: Object.fromEntries(
        [...sums].map(([name, { shape, type, layout }], j) => {
          const memory = new Memory(results[`s${j}`].data as HostData);
          const value = new Value(shape, type, layout, undefined, 0, memory);
          return [name, tf.engine().makeTensorFromTensorInfo(backend.tensorOf(value))];
        }),
      ),
      rows: rows.map((_, k) => results[`r${k}`].data as Float32Array),
    };
  });
}

/** The numbers of `tensor` in the order in memory that `sum` has; zeros without one. */
function priorOf(backend: OnnxBackend, tensor: tf.Tensor | undefined, sum: Value): Float32Array {
  if (tensor === undefined) return new Float32Array(sum.size);
  const value = toLayout(backend.recorded(tensor), sum.layout);
  const data = value.memory?.data ?? backend.execute([value], () => undefined)[0];
  return data as Float32Array;
}
