/** @file The bundle's entry: tfjs-core's own specs, run by whatever jasmine is global, against one backend. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import { engineStats, forwardedKernels, startEngine } from '../../src/backend/index.js';

export async function start(backend: 'onnx' | 'cpu'): Promise<void> {
  if (backend === 'onnx') await startEngine({ device: 'cpu' });
  else await tf.setBackend('cpu');
}

export async function defineSpecs(backend: 'onnx' | 'cpu'): Promise<void> {
  setTestEnvs([{ name: backend, backendName: backend, isDataSync: true }]);
  // Loaded here, not above: the specs ask for the environment while they are defined.
  await import('@tensorflow/tfjs-core/dist/tests.js');
}

/** Kernels that this backend computes itself, and those that it hands to the JavaScript backend. */
export function kernels(): { native: string[]; forwarded: string[] } {
  const forwarded = Object.values(forwardedKernels).flat();
  const all = tf.getKernelsForBackend('onnx').map(({ kernelName }) => kernelName);
  return { native: all.filter((name) => !forwarded.includes(name)), forwarded };
}

/** Kernels handed to the JavaScript backend in training steps of a small convolutional network with batch norm and Adam. */
export async function forwardedInTraining(): Promise<number> {
  const before = engineStats()?.forwarded ?? 0;
  const filter = tf.variable(tf.randomNormal<tf.Rank.R4>([3, 3, 3, 8]));
  const scale = tf.variable(tf.ones([8]));
  const shift = tf.variable(tf.zeros([8]));
  const weights = tf.variable(tf.randomNormal<tf.Rank.R2>([4 * 4 * 8, 5]));
  const images = tf.randomUniform<tf.Rank.R4>([2, 8, 8, 3]);
  const labels = tf.oneHot(tf.tensor1d([1, 3], 'int32'), 5);
  const optimizer = tf.train.adam(1e-3);
  for (let step = 0; step < 3; step++) {
    const loss = optimizer.minimize(() => {
      const features = tf.conv2d(images, filter, 1, 'same');
      const { mean, variance } = tf.moments(features, [0, 1, 2]);
      const normal = tf.relu(tf.batchNorm(features, mean, variance, shift, scale));
      const pooled = tf.dropout(tf.maxPool(normal as tf.Tensor4D, 2, 2, 'same'), 0.2);
      return tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(
        labels,
        tf.matMul(tf.reshape(pooled, [2, -1]), weights),
      );
    }, true);
    await loss?.data();
  }
  return (engineStats()?.forwarded ?? 0) - before;
}
