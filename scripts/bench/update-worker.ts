/**
 * @file Our side of `bench:update`: one update of triplets with ResNet-50 and R-MAC, as `train triplet` does it, decoding left out.
 * Arguments: triplets, height, width, threads, device (default `cpu`). `run N` -> milliseconds of N updates, of processor
 * time, and of them those in native runs.
 */
import { type Device, engineStats, startEngine } from '../../src/backend/index.js';
import type { RgbImage } from '../../src/data/rgb-image.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { ImageInputs, type LoadedInput } from '../../src/train/image-inputs.js';
import { Optimizer } from '../../src/train/optimizer.js';
import { DirectSource } from '../../src/train/ranking/direct-source.js';
import { type Triplet, tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { clock, noise, serve } from './process.js';

const [triplets = 0, height = 0, width = 0, threads = 0] = process.argv.slice(2, 6).map(Number);
const device = (process.argv[6] ?? 'cpu') as Device;
await startEngine({ device, threads });
const model = DescriptorModel.create(defaultMeta('resnet50-tv'), initialWeights('resnet50-tv', 1));
const variables = model.trainable('none');
const accumulator = new GradientAccumulator();
const optimizer = new Optimizer(variables, {
  momentum: 0.9,
  weightDecay: 5e-5,
  weightDecayOn: 'all',
  clipGradientNorm: 0,
});
const inputs = new ImageInputs(model, { freeze: 'none', imageSize: Math.max(height, width), cacheBytes: 0 });

/** Noise, a few pictures that take turns. */
const pictures = Array.from({ length: 8 }, (_, i): RgbImage => {
  const next = noise(i + 1);
  return { data: Uint8Array.from({ length: height * width * 3 }, () => 256 * next()), width, height };
});
const source = new DirectSource({
  async *load(items: readonly number[]): AsyncGenerator<LoadedInput<number>> {
    for (const item of items) yield { item, input: { kind: 'pixels', image: pictures[item % pictures.length] } };
  },
  describe: inputs.describe.bind(inputs),
  inBlocks: inputs.inBlocks.bind(inputs),
  examples: inputs,
});

let done = 0;
async function update(): Promise<{ ms: number; cpuMs: number; nativeMs: number }> {
  const before = engineStats()?.runMs ?? 0;
  const elapsed = clock();
  const batch = Array.from({ length: triplets }, (_, i): Triplet<number> => [3 * i, 3 * i + 1, 3 * i + 2]);
  // Every triplet violates so wide a margin: every image is replayed.
  await rankingStep(tripletBatch(batch, { margin: 4 }), source, { variables, accumulator, nameOf: String });
  await optimizer.update(accumulator, 1e-6, done++);
  return { ...elapsed(), nativeMs: (engineStats()?.runMs ?? 0) - before };
}

await serve({
  async run(count) {
    const times = [];
    for (let i = 0; i < count; i++) times.push(await update());
    return times;
  },
});
