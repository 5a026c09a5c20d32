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
import { type RecordedGraph, recordGraph } from './recording.js';
import { axisOrder, type HostData, Memory, Value } from './value.js';

/** What `compiled` makes of a function. */
export interface Compiled {
  /** The function's results on [N, H, W, C]; the caller owns them. */
  run(images: tf.Tensor4D): tf.Tensor[];
  /**
   * The same on a thread of its own, while the caller goes on: for many images, several of which are asked for at once. The graph is
   * compiled once for each such thread. Where the engine has one thread, or no memory for more, this is `run`.
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
 * those of `f` up to rounding.
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
  private outputs: RecordedGraph['outputs'] = [];
  private dependsOnSize = false;
  /** Of the tensors that are computed from one number of the images; known when it was recorded. */
  private bytesPerNumber: number | undefined;

  constructor(
    private readonly f: (images: tf.Tensor4D) => tf.Tensor[],
    private readonly weights: () => Iterable<tf.Tensor>,
  ) {}

  run(images: tf.Tensor4D): tf.Tensor[] {
    const backend = this.compiling(images);
    if (backend === undefined) return this.f(images);
    const values = backend.readSync(images.dataId) as Float32Array;
    const program = this.program(() => this.graph(backend, images.shape[3]));
    this.unlessSizeDependent(() => backend.sessions.get(program));
    if (this.dependsOnSize) return this.f(images);
    const names = this.outputNames();
    const results = backend.runNative(program, { image: new OrtTensor('float32', values, images.shape) }, names);
    return this.tensors(
      backend,
      names.map((name) => ({ data: results[name].data as HostData, dims: results[name].dims })),
    );
  }

  async runAsync(images: tf.Tensor4D): Promise<tf.Tensor[]> {
    const backend = this.compiling(images);
    if (backend === undefined) return this.f(images);
    const recorded = () => this.graph(backend, images.shape[3]);
    const first = this.bytesPerNumber === undefined ? this.unlessSizeDependent(recorded) : undefined;
    if (this.bytesPerNumber === undefined) return this.f(images);
    const lanes = backend.lanes.countFor(Infinity, images.size * this.bytesPerNumber);
    if (lanes === 1) return this.run(images);
    const program = this.program(() => first ?? recorded());
    const data = Float32Array.from(backend.readSync(images.dataId) as Float32Array); // it is given away
    const feeds = { image: { type: 'float32', dims: images.shape, data } } as const;
    return this.tensors(backend, await backend.lanes.runBeside(program, lanes, feeds, this.outputNames()));
  }

  /** The engine that compiles the function of these images, for the weights as they are; undefined where none does. */
  private compiling(images: tf.Tensor4D): OnnxBackend | undefined {
    const backend = tf.backend();
    if (this.dependsOnSize || images.dtype !== 'float32' || !compiles(backend)) return undefined;
    this.followWeights(backend);
    return backend;
  }

  private unlessSizeDependent<T>(record: () => T): T | undefined {
    try {
      return record();
    } catch (error) {
      if (!(error instanceof SizeDependence)) throw error;
      this.dependsOnSize = true;
      return undefined;
    }
  }

  private program(graph: () => ProtoGraph) {
    return { key: this.name, optimized: true, leaves: [], graph };
  }

  private outputNames(): string[] {
    return this.outputs.map((_, i) => outputName(i));
  }

  private tensors(backend: OnnxBackend, results: readonly LaneResult[]): tf.Tensor[] {
    return this.outputs.map(({ layout, type }, i) => {
      const { data, dims } = results[i];
      const shape = [...dims];
      for (const [at, axis] of axisOrder(layout, dims.length).entries()) shape[axis] = dims[at];
      const value = new Value(shape, type, layout, undefined, 0, new Memory(data));
      return tf.engine().makeTensorFromTensorInfo(backend.tensorOf(value));
    });
  }

  dispose(): void {
    this.backend?.sessions.drop(this.name);
    this.backend?.lanes.close(this.name);
    this.backend = undefined;
    this.dataIds = [];
  }

  private followWeights(backend: OnnxBackend): void {
    const dataIds = Array.from(this.weights(), ({ dataId }) => dataId);
    const same = dataIds.length === this.dataIds.length && dataIds.every((id, i) => id === this.dataIds[i]);
    if (same && this.backend === backend) return;
    this.dispose();
    this.backend = backend;
    this.dataIds = dataIds;
  }

  private graph(backend: OnnxBackend, channels: number) {
    const { graph, outputs, bytesPerNumber } = recordGraph(backend, (images) => this.f(images as tf.Tensor4D), {
      inputShape: ['batch', 'height', 'width', channels],
      shapes: recordedSizes.map(([height, width], i) => [1 + (i % 2), height, width, channels]),
      inputName: 'image',
      outputName,
      plainOutputs: false,
    });
    this.outputs = outputs;
    this.bytesPerNumber = bytesPerNumber;
    return graph;
  }
}

/** Whether the engine has compiled graphs of every size, and nothing is asked for but results. */
function compiles(backend: tf.KernelBackend): backend is OnnxBackend {
  const { gradientDepth, profiling } = tf.engine().state;
  return (
    backend instanceof OnnxBackend && !backend.accelerated && !backend.recording && gradientDepth === 0 && !profiling
  );
}
