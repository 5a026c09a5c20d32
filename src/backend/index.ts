/** @file Starting the engine: the only place outside this folder's tests that needs to know which backend computes. */
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import './tfjs-registrations.js';
import { keepFreedMemory } from './allocator.js';
import { OnnxBackend } from './backend.js';
import { registerActivationGradients } from './kernels/activation-gradients.js';
import './kernels/batch-norm.js';
import './kernels/conv.js';
import './kernels/depthwise.js';
import './kernels/elementwise.js';
import './kernels/forwarded.js';
import './kernels/image.js';
import './kernels/non-maximum-suppression.js';
import './kernels/normalization.js';
import './kernels/pool.js';
import './kernels/reduce.js';
import './kernels/scatter.js';
import './kernels/shape.js';
import './kernels/space.js';
import { backendName } from './kernels/kernel.js';
import { executionProviders } from './ort.js';
import { loadTensorflow, tensorflowBackend } from './tensorflow.js';

export { type Compiled, compiled, type CompiledOptions, recordedSizes } from './compiled.js';
export { type RecordedModelOptions, recordModel } from './onnx-export.js';
export { applyMatrix, gelu, inPlainOrder, layerNorm, reshapeLike } from './neural-operators.js';
export { recordOperator } from './operator.js';
export { ownedVariable } from './owned-variable.js';
export type { WeightStorage } from './weight-storage.js';
export { GramProducts } from './gram.js';
export { forwardedKernels } from './kernels/forwarded.js';
export { executionProviders } from './ort.js';
export {
  ExampleFunctions,
  type ExampleInput,
  type OverExamples,
  type RecordedExample,
} from './example-functions.js';

/** The values of `device`, first the default. */
export const devices = ['cpu', 'webgpu', 'cuda', 'tensorflow'] as const;
/** What computes: ONNX Runtime on the CPU, on the GPU by WebGPU or CUDA, or an installed tfjs-node in place of the engine. */
export type Device = (typeof devices)[number];

/** What `startEngine` is asked for. */
export interface EngineOptions {
  /** Default `cpu`. */
  device?: Device;
  /** Compute threads. Default: all cores. */
  threads?: number;
  /** Compiled graphs kept at most. Default 64. */
  maxSessions?: number;
  /** Estimated bytes of compiled graphs kept at most. Default 2 GiB. */
  maxSessionBytes?: number;
  /** Bytes of reordered and folded weights kept at most. Default 1 GiB. */
  maxInvariantBytes?: number;
  /** Bytes of weights that stay on the device between runs (WebGPU). Default 1 GiB; 0: they travel in every run. */
  maxResidentBytes?: number;
  /** Path that the profiles of compiled graphs begin with (`operatorPlacement` reads them). Default: no profiles. */
  profilePrefix?: string;
}

/**
 * Makes the device compute every tfjs operation from here on. An engine that ran before is replaced, and its tensors are
 * gone. Throws an Error that says what is missing.
 */
export async function startEngine(options: EngineOptions = {}): Promise<void> {
  const { device = 'cpu', threads = availableParallelism() } = options;
  registerActivationGradients();
  if (device === 'tensorflow') {
    await loadTensorflow(); // registers the backend
    await tf.setBackend(tensorflowBackend);
    return;
  }
  if (!executionProviders().includes(device)) {
    throw new Error(
      `This installation of onnxruntime-node has no ${device} provider; it has: ${executionProviders().join(', ')}. Use --device cpu.`,
    );
  }
  await keepFreedMemory();
  const backend = new OnnxBackend({
    providers: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
    threads,
    maxSessions: options.maxSessions ?? 64,
    maxBytes: options.maxSessionBytes ?? 2 * 2 ** 30,
    maxInvariantBytes: options.maxInvariantBytes ?? 2 ** 30,
    maxResidentBytes: options.maxResidentBytes ?? 2 ** 30,
    profilePrefix: options.profilePrefix,
  });
  if (tf.findBackendFactory(backendName) !== null) tf.removeBackend(backendName);
  tf.registerBackend(backendName, () => backend, 3);
  await tf.setBackend(backendName);
}

/** Counters of the running engine, or undefined when another backend computes. */
export function engineStats():
  | {
      sessions: number;
      sessionBytes: number;
      invariantBytes: number;
      residentBytes: number;
      compiled: number;
      runs: number;
      runMs: number;
      forwarded: number;
    }
  | undefined {
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend)) return undefined;
  const { sessions, invariants, residents, stats } = backend;
  return {
    sessions: sessions.size,
    sessionBytes: sessions.bytes,
    invariantBytes: invariants.bytes,
    residentBytes: residents.bytes,
    compiled: sessions.compiled,
    ...stats,
  };
}
