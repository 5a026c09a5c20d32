/**
 * @file An ordinary tf.layers model, trained by the engine: digits are squares in ten places, seen through noise.
 *
 *   npx tsx examples/backend/train-layers.ts
 *
 * Nothing but the second import and `startEngine` differs from any other backend.
 */
import * as tf from '@tensorflow/tfjs';
import { engineStats, startEngine } from 'rmac/backend';

await startEngine();

const classes = 10;
const side = 28;

/** Images [n, 28, 28, 1] and one-hot labels [n, 10]. */
function examples(count: number, seed: number): { xs: tf.Tensor4D; ys: tf.Tensor2D } {
  const noise = tf.randomNormal<tf.Rank.R4>([count, side, side, 1], 0, 0.3, 'float32', seed).arraySync();
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  for (const [i, label] of labels.entries()) {
    for (let y = 2 * label; y < 2 * label + 6; y++) {
      for (let x = 2 * label; x < 2 * label + 6; x++) noise[i][y][x][0] += 1;
    }
  }
  return { xs: tf.tensor4d(noise), ys: tf.oneHot(tf.tensor1d(labels, 'int32'), classes) as tf.Tensor2D };
}

const model = tf.sequential({
  layers: [
    tf.layers.conv2d({ inputShape: [side, side, 1], filters: 16, kernelSize: 3, activation: 'relu' }),
    tf.layers.batchNormalization(),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.separableConv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    tf.layers.flatten(),
    tf.layers.dropout({ rate: 0.3, seed: 1 }),
    tf.layers.dense({ units: classes, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

const train = examples(2000, 1);
const startedAt = performance.now();
await model.fit(train.xs, train.ys, {
  epochs: 3,
  batchSize: 32,
  callbacks: {
    onEpochEnd: (epoch, logs) => console.log(`epoch ${epoch + 1}: loss ${logs?.loss?.toFixed(4)}, accuracy ${logs?.acc?.toFixed(3)}`),
  },
});
const test = examples(500, 2);
const [, accuracy] = model.evaluate(test.xs, test.ys) as tf.Scalar[];
const { compiled, runs, forwarded } = engineStats()!;
console.log(`test accuracy ${accuracy.dataSync()[0].toFixed(3)} after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
console.log(`${runs} runs of ${compiled} compiled graphs, ${forwarded} kernels handed to the JavaScript backend`);
