/**
 * @file `npm run bench:memory`: training ResNet-50 at 724 px on 20 image shapes for 200 steps: resident memory must stay
 * below 3 GB and flat, and the number of tensors constant. Prints one JSON line every 20 steps and a verdict.
 *
 *   npm run bench:memory -- [--steps 200] [--network resnet50-tv] [--longest 724]
 *
 * With `--updates 10000` it runs so many updates of the trainer itself on a tiny trunk instead (many-updates.ts).
 *
 * With `--replay` it compares the two forms of an image's backward pass instead, one tape and recomputed blocks: peak memory and time
 * of ResNet-50 and DenseNet-121 at 724 and 1024 px, each in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { engineStats, startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { clock, mean, pathOf, print } from './process.js';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '200' },
    network: { type: 'string', default: 'resnet50-tv' },
    longest: { type: 'string', default: '724' },
    replay: { type: 'boolean', default: false },
    updates: { type: 'string' },
  },
});
if (options.replay) {
  compareReplays();
  process.exit();
}
if (options.updates !== undefined) {
  const { manyUpdates } = await import('./many-updates.js');
  await manyUpdates(Number(options.updates));
  process.exit();
}
const { network } = options;
const [steps, longest] = [Number(options.steps), Number(options.longest)];
await startEngine({ device: 'cpu' });
const model = DescriptorModel.create(defaultMeta(network), initialWeights(network, 1));
const variables = [...model.trainable('none').values()];
const optimizer = tf.train.momentum(1e-4, 0.9);

/** The other side goes from 384 to 672 px in steps of the stride when the longest has 724, in proportion otherwise; both ways round. */
const shapes = Array.from({ length: 20 }, (_, i) => {
  const short = Math.round((longest * (384 + 32 * (i >> 1))) / 724);
  return i % 2 === 0 ? ([short, longest] as const) : ([longest, short] as const);
});

let peak = 0;
const tensors: number[] = [];
const rss: number[] = [];
for (let step = 0; step < steps; step++) {
  const [height, width] = shapes[step % shapes.length];
  const elapsed = clock();
  const image = tf.randomUniform<tf.Rank.R4>([1, height, width, 3], 0, 255, 'float32', step);
  const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.sub(model.describe(image), 0.01))), variables);
  optimizer.applyGradients(grads as Parameters<typeof optimizer.applyGradients>[0]);
  value.dataSync(); // gradients, momentum and weights are computed in the same run
  tf.dispose([grads, value, image]);
  const now = process.memoryUsage().rss;
  peak = Math.max(peak, now);
  tensors.push(tf.memory().numTensors);
  rss.push(now);
  if ((step + 1) % 20 === 0) {
    const { sessions, sessionBytes, invariantBytes } = engineStats()!;
    const line = {
      step: step + 1,
      rssMB: Math.round(now / 1e6),
      peakMB: Math.round(peak / 1e6),
      numTensors: tensors.at(-1),
      ms: Math.round(elapsed().ms),
      sessions,
      sessionMB: Math.round(sessionBytes / 1e6),
      invariantMB: Math.round(invariantBytes / 1e6),
    };
    print(line);
  }
}
const half = rss.slice(steps / 2);
const drift = mean(half.slice(half.length / 2)) - mean(half.slice(0, half.length / 2));
const verdict = {
  peakMB: Math.round(peak / 1e6),
  driftMB: Math.round(drift / 1e6),
  numTensorsConstant: new Set(tensors.slice(1)).size === 1,
};
print(verdict);

function compareReplays(): void {
  const worker = pathOf('replay-worker.ts');
  for (const name of ['resnet50-tv', 'densenet121']) {
    for (const side of ['724', '1024']) {
      for (const form of ['plain', 'recompute']) {
        const { status } = spawnSync(process.execPath, ['--import', 'tsx', worker, name, side, form, '5'], {
          stdio: 'inherit',
        });
        if (status !== 0) throw new Error(`${name} at ${side} px (${form}) ended with status ${status}`);
      }
    }
  }
}
