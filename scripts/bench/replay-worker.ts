/**
 * @file Replays images of one shape in a process of its own and prints one JSON line: milliseconds and CPU milliseconds of a replay
 * (medians), resident memory before the first one and at its peak. Arguments: network, longest side px, `plain` or
 * `recompute`, replays.
 */
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { ImageInputs } from '../../src/train/image-inputs.js';
import { replay, replayInBlocks } from '../../src/train/replay.js';
import { clock, median, print } from './process.js';

const [network = '', longestText, form = '', replays] = process.argv.slice(2);
const longest = Number(longestText);
const warmUps = 3; // compiling, the first sum, weights brought into order

await startEngine({ device: 'cpu' });
const model = DescriptorModel.create(defaultMeta(network), initialWeights(network, 1));
const inputs = new ImageInputs(model, { freeze: 'none', imageSize: longest, cacheBytes: 0 });
const variables = model.trainable('none');
const accumulator = new GradientAccumulator();
const upstream = new Float32Array(model.dimension).fill(0.01);
const [width, height] = [longest, Math.round((longest * 3) / 4)];
const rssMB = () => Math.round(process.memoryUsage.rss() / 1e6);
const before = rssMB();
const times: ReturnType<ReturnType<typeof clock>>[] = [];
for (let i = 0; i < warmUps + Number(replays); i++) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, k) => (Math.imul(k + i, 2654435761) >>> 0) % 251);
  const elapsed = clock();
  const run = form === 'recompute' ? replayInBlocks : replay;
  await run(inputs, { kind: 'pixels', image: { data, width, height } }, { upstream, variables, accumulator });
  if (i >= warmUps) times.push(elapsed());
}
print({
  network,
  shape: `${width}x${height}`,
  form,
  ms: Math.round(median(times.map(({ ms }) => ms))),
  cpuMs: Math.round(median(times.map(({ cpuMs }) => cpuMs))),
  rssBeforeMB: before,
  peakMB: Math.round((process.resourceUsage().maxRSS * 1024) / 1e6),
  tensors: tf.memory().numTensors,
});
