/**
 * @file Functions of images whose weights stay: compiled once for every size, with the weights inside the graph. ONNX Runtime then
 * arranges weights and activations for its convolutions, which it does for weights that it knows only, and a run records nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SizeDependence } from './any-size.js';
import { OnnxBackend } from './backend.js';
import { OrtTensor } from './ort.js';
import type { LaneResult } from './lanes.js';
import type { ProtoGraph } from './model-proto.js';
import { type RecordedGraph, recordGraph, winogradChoices } from './recording.js';
import { axisOrder, type HostData, Memory, Value } from './value.js';

/** What `compiled` makes of a function. */
export interface Compiled {
  /** The function's results on [N, H, W, C]; the caller owns them. */
  run(images: tf.Tensor4D): tf.Tensor[];
  /**
   * The same on a thread of its own, while the caller goes on: for many images, several of which are asked for at once. The graph is
   * compiled once for each such thread. Where the engine has one thread, or no memory for more, and for small images, this is `run`.
   */
  runAsync(images: tf.Tensor4D): Promise<tf.Tensor[]>;
  /** Frees the compiled graph. A later run compiles it anew. */
  dispose(): void;
}

/** How a function is compiled. */
export interface CompiledOptions {
  /** All tensors that the function reads besides its input. It is compiled anew when one of them is another one. */
  weights: () => Iterable<tf.Tensor>;
}

/**
 * Heights and widths to record at for a graph of every size, px: lengths of both parities at every scale of a network, and shapes
 * from nearly square to more than three to one.
 */
export const recordedSizes: readonly (readonly [number, number])[] = [
  [448, 383],
  [203, 642],
  [510, 287],
  [399, 425],
];

let created = 0;

const outputName = (i: number) => `result${i}`;

/**
 * `f` for describing many images with weights that stay: one graph for all numbers and sizes of images, compiled at the first
 * run. `f` may only record: it reads no numbers, and its results depend on its input. The results are known at once, and equal to
 * those of `f` up to rounding. Images that come one by one have a graph of their own where Winograd's algorithm is faster for some
 * convolution.
 *
 * Where gradients are taken, on another device than the CPU, where the graph depends on the size, and inside of what is recorded itself,
 * `run` calls `f`. The graph counts among the engine's compiled ones (`maxSessions`, `maxSessionBytes`).
 */
export function compiled(f: (images: tf.Tensor4D) => tf.Tensor[], { weights }: CompiledOptions): Compiled {
  return new CompiledFunction(f, weights);
}

class CompiledFunction implements Compiled {
  private readonly name = `compiled ${created++}`;
  private backend: OnnxBackend | undefined;
  private dataIds: object[] = [];
  /** What is known of graphs that were recorded, by their names. */
  private readonly recorded = new Map<string, Omit<RecordedGraph, 'graph'>>();
  /** Of the convolutions in turn, which are Winograd's where there is one image, whatever the weights are. */
  private winograd: readonly boolean[] | undefined;
  private dependsOnSize = false;

  constructor(
    private readonly f: (images: tf.Tensor4D) => tf.Tensor[],
    private readonly weights: () => Iterable<tf.Tensor>,
  ) {}

  run(images: tf.Tensor4D): tf.Tensor[] {
    const backend = this.compiling(images);
    if (backend === undefined) return this.f(images);
    const values = backend.readSync(images.dataId) as Float32Array;
    const program = this.program(backend, images.shape);
    if (!this.records(program.key, () => backend.sessions.get(program))) return this.run(images);
    const { outputs } = this.recorded.get(program.key)!;
    const names = namesOf(outputs);
    const results = backend.runNative(program, { image: new OrtTensor('float32', values, images.shape) }, names);
    const given = names.map((name) => ({ data: results[name].data as HostData, dims: results[name].dims }));
    return tensorsOf(backend, outputs, given);
  }

  async runAsync(images: tf.Tensor4D): Promise<tf.Tensor[]> {
    const backend = this.compiling(images);
    if (backend === undefined) return this.f(images);
    const program = this.program(backend, images.shape);
    const { key } = program;
    let first: ProtoGraph | undefined;
    if (!this.recorded.has(key) && !this.records(key, () => (first = program.graph()))) return this.runAsync(images);
    const { outputs, bytesPerNumber } = this.recorded.get(key)!; // it may be forgotten meanwhile
    const lanes = backend.lanes.countFor(Infinity, images.size * bytesPerNumber);
    if (lanes === 1) return this.run(images);
    const data = Float32Array.from(backend.readSync(images.dataId) as Float32Array); // it is given away
    const feeds = { image: { type: 'float32', dims: images.shape, data } } as const;
    const known = { ...program, graph: () => first ?? program.graph() };
    return tensorsOf(backend, outputs, await backend.lanes.runBeside(known, lanes, feeds, namesOf(outputs)));
  }

  dispose(): void {
    for (const key of this.recorded.keys()) {
      this.backend?.sessions.drop(key);
      this.backend?.lanes.close(key);
    }
    this.recorded.clear();
    this.backend = undefined;
    this.dataIds = [];
  }

  /** The engine that compiles the function of these images, for the weights as they are; undefined where none does. */
  private compiling(images: tf.Tensor4D): OnnxBackend | undefined {
    const backend = tf.backend();
    if (this.dependsOnSize || images.dtype !== 'float32' || !compiles(backend)) return undefined;
    const dataIds = Array.from(this.weights(), ({ dataId }) => dataId);
    const same = dataIds.length === this.dataIds.length && dataIds.every((id, i) => id === this.dataIds[i]);
    if (!same || this.backend !== backend) {
      this.dispose();
      this.backend = backend;
      this.dataIds = dataIds;
    }
    return backend;
  }

  /** Whether `record` could write the graph `key` for every size; if not, the next try is another one. */
  private records(key: string, record: () => unknown): boolean {
    try {
      record();
      return true;
    } catch (error) {
      if (!(error instanceof SizeDependence)) throw error;
      if (key === this.name) this.dependsOnSize = true;
      else this.winograd = [];
      return false;
    }
  }

  private program(backend: OnnxBackend, [count, , , channels]: readonly number[]) {
    const f = (images: tf.Tensor) => this.f(images as tf.Tensor4D);
    this.winograd ??= winogradChoices(backend, f, [1, ...recordedSizes[0], channels]);
    const winograd = count === 1 && this.winograd.includes(true) ? this.winograd : undefined;
    const key = winograd === undefined ? this.name : `${this.name}, one image`;
    const graph = (): ProtoGraph => {
      const recorded = recordGraph(backend, f, {
        inputShape: [winograd === undefined ? 'batch' : 1, 'height', 'width', channels],
        shapes: recordedSizes.map((size, i) => [winograd === undefined ? 1 + (i % 2) : 1, ...size, channels]),
        inputName: 'image',
        outputName,
        plainOutputs: false,
        unfolded: true, // ONNX Runtime folds it when it compiles
        ...(winograd && { winograd }),
      });
      const { outputs, bytesPerNumber } = recorded;
      this.recorded.set(key, { outputs, bytesPerNumber });
      return recorded.graph;
    };
    return { key, optimized: true, leaves: [], graph };
  }
}

function namesOf(outputs: RecordedGraph['outputs']): string[] {
  return outputs.map((_, i) => outputName(i));
}

function tensorsOf(
  backend: OnnxBackend,
  outputs: RecordedGraph['outputs'],
  results: readonly LaneResult[],
): tf.Tensor[] {
  return outputs.map(({ layout, type }, i) => {
    const { data, dims } = results[i];
    const shape = [...dims];
    for (const [at, axis] of axisOrder(layout, dims.length).entries()) shape[axis] = dims[at];
    const value = new Value(shape, type, layout, undefined, 0, new Memory(data));
    return backend.newTensor(value);
  });
}

/** Whether the engine has compiled graphs of every size, and nothing is asked for but results. */
function compiles(backend: tf.KernelBackend): backend is OnnxBackend {
  const { gradientDepth, profiling } = tf.engine().state;
  return (
    backend instanceof OnnxBackend && !backend.accelerated && !backend.recording && gradientDepth === 0 && !profiling
  );
}
