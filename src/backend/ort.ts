/**
 * @file The only file that touches onnxruntime-node's internals. `readSync` needs a run that returns before it yields;
 * the public API only has an asynchronous one (which blocks the event loop all the same), so the synchronous entry of
 * `dist/binding` is used. It is internal: the version is pinned, and a missing entry is one clear error.
 */
import { createRequire } from 'node:module';
import { type InferenceSession, Tensor } from 'onnxruntime-node';

export { Tensor as OrtTensor } from 'onnxruntime-node';

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(feeds: Record<string, Tensor>, fetches: Record<string, null>, options: object): Record<string, Tensor>;
  endProfiling(): void;
  dispose(): void;
}

interface Binding {
  initOrt(): void;
  binding: {
    InferenceSession: new () => NativeSession;
    listSupportedBackends(): { name: string; bundled: boolean }[];
  };
}

const require = createRequire(import.meta.url);

function loadBinding(): Binding {
  const { version } = require('onnxruntime-node/package.json') as { version: string };
  let loaded: Partial<Binding>;
  try {
    loaded = require('onnxruntime-node/dist/binding.js') as Partial<Binding>;
  } catch (error) {
    throw new Error(
      `onnxruntime-node ${version} could not be loaded on ${process.platform}-${process.arch}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (typeof loaded.initOrt !== 'function' || typeof loaded.binding?.InferenceSession !== 'function') {
    throw new Error(`onnxruntime-node ${version} has no synchronous session (dist/binding); install version 1.30.0.`);
  }
  return loaded as Binding;
}

let binding: Binding | undefined;

function nativeBinding(): Binding {
  if (binding === undefined) {
    // From 1.30 on it sends usage data to its maker unless this is set; whoever wants that sets 0.
    process.env.ORT_DISABLE_TELEMETRY ??= '1';
    binding = loadBinding();
    binding.initOrt();
  }
  return binding;
}

/** Execution providers that this build of ONNX Runtime has. */
export function executionProviders(): string[] {
  return nativeBinding()
    .binding.listSupportedBackends()
    .map(({ name }) => name);
}

export interface SessionSettings {
  /** Execution providers in order of preference, e.g. `['cpu']`. */
  providers: string[];
  /** Compute threads of one run. */
  threads: number;
  /** Path that ONNX Runtime's profiles begin with: each session leaves one JSON file when it is disposed of. */
  profilePrefix?: string;
}

/** A compiled graph. `run` blocks until the results are there. */
export interface Session {
  run(feeds: Record<string, Tensor>, names: readonly string[]): Record<string, Tensor>;
  dispose(): void;
}

/** What a session is besides its graph. */
export interface SessionForm {
  /** ONNX Runtime fuses operators and chooses how weights and activations lie. Default: it runs the graph as it is. */
  optimized?: boolean | undefined;
  /** Results stay on the device (WebGPU). */
  outputsStay?: boolean;
  /** Values of initializers that the model has not got. */
  weights?: readonly { name: string; bytes: Uint8Array }[];
}

/**
 * Compiles an ONNX model. Arena and memory pattern are off: with many image shapes each session would keep its peak
 * (12 shapes of ResNet-50: 4.9 GB with, 0.9 GB without, equal time). Spinning is off: with a busy neighbour it is
 * slower than one thread.
 */
export function createSession(
  model: Uint8Array,
  { providers, threads, profilePrefix }: SessionSettings,
  { optimized = false, outputsStay = false, weights = [] }: SessionForm = {},
): Session {
  const native = nativeBinding();
  const session = new native.binding.InferenceSession();
  const options: InferenceSession.SessionOptions = {
    executionProviders: providers,
    graphOptimizationLevel: optimized ? 'all' : 'disabled',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: 4, // what fails is thrown; the runtime would print it too
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    externalData: weights.map(({ name, bytes }) => ({ path: name, data: bytes })),
    ...(outputsStay && { preferredOutputLocation: 'gpu-buffer' }),
    ...(profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: profilePrefix }),
  };
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, options);
  return {
    run: (feeds, names) => session.run(feeds, Object.fromEntries(names.map((name) => [name, null])), {}),
    dispose: () => {
      if (profilePrefix !== undefined) session.endProfiling();
      session.dispose();
    },
  };
}

/** A result that stayed on the device, as an input under another shape. Never read it: 1.30.0 ends the process. */
export function onDevice(result: Tensor, dims: readonly number[]): Tensor {
  return Tensor.fromGpuBuffer(result.gpuBuffer, { dataType: 'float32', dims });
}
