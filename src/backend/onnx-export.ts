/** @file The recording as a file: what a function records on one input is an ONNX model with that input. */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import { encodeModel } from './model-proto.js';
import { recordGraph } from './recording.js';
import { type WeightStorage, withStoredWeights } from './weight-storage.js';

/** Shapes and names of the ONNX model that a recorded function becomes. */
export interface RecordedModelOptions {
  /** Shape of the input tensor, float32; a name stands for an extent that each run decides. */
  inputShape: readonly (number | string)[];
  /** Shapes to record at where extents are free: enough of them to tell what depends on the size. */
  shapes?: readonly (readonly number[])[];
  /** How weights are stored. Default `float32`. */
  weights?: WeightStorage;
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
  const { inputShape, shapes, weights = 'float32', inputName = 'input', outputName = 'output' } = options;
  const backend = tf.backend();
  if (!(backend instanceof OnnxBackend))
    throw new Error('Recording a model needs the project engine: use --device cpu.');
  const { graph } = recordGraph(backend, f, {
    inputShape,
    ...(shapes && { shapes }),
    inputName,
    outputName: () => outputName,
    plainOutputs: true,
  });
  return encodeModel({ ...withStoredWeights(graph, weights), metadata: options.metadata ?? {} });
}
