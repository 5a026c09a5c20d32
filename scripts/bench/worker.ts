/**
 * @file One side of a benchmark: runs a network's trunk when told to. Arguments: network, pass, height, width, threads.
 * Protocol on stdin/stdout, one JSON value a line: `run N` -> milliseconds of N runs; `end` -> peak memory.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';

const [network = '', pass = '', heightText, widthText, threadsText] = process.argv.slice(2);
const [height, width, threads] = [Number(heightText), Number(widthText), Number(threadsText)];
const architectures: Record<string, string> = {
  resnet50: 'resnet50-tv',
  densenet121: 'densenet121',
  vgg16: 'vgg16',
};

await startEngine({ device: 'cpu', threads });
const architecture = architectures[network] ?? network;
const model = DescriptorModel.create(defaultMeta(architecture), initialWeights(architecture, 1));
const variables = [...model.trainable('none').values()].filter(({ name }) => !name.includes('whitening'));

/** A new picture each time, as in use: nothing but the weights may be remembered between runs. */
function picture(seed: number): tf.Tensor4D {
  return tf.randomUniform([1, height, width, 3], 0, 255, 'float32', seed);
}

let seed = 0;
function once(): number {
  const x = picture(seed++);
  x.dataSync();
  const startedAt = performance.now();
  if (pass === 'forward') {
    tf.tidy(() => model.featureMap(x).dataSync());
  } else {
    const { value, grads } = tf.variableGrads(() => tf.mean(model.featureMap(x)), variables);
    value.dataSync(); // the gradients are computed in the same run
    tf.dispose(grads);
    value.dispose();
  }
  const elapsed = performance.now() - startedAt;
  x.dispose();
  return elapsed;
}

process.stdout.write('"ready"\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [command, count] = line.split(' ');
  if (command === 'run') {
    process.stdout.write(`${JSON.stringify(Array.from({ length: Number(count) }, once))}\n`);
  } else {
    process.stdout.write(`${JSON.stringify({ peakMB: process.resourceUsage().maxRSS / 1024 })}\n`);
    process.exit(0);
  }
}
