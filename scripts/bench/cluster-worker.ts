/**
 * @file One side of `bench:cluster`, alone or as the ranks that mpirun started: ResNet-50 with R-MAC, decoding left out. Arguments: triplets,
 * height, width, threads of a rank. Answers lines from the first rank's stdin, `pool N`, `update N`, `allreduce N`, with milliseconds and
 * processor time of all ranks per image, per update and per 94 MB.
 */
import { createInterface } from 'node:readline';
import { startEngine } from '../../src/backend/index.js';
import type { RgbImage } from '../../src/data/rgb-image.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { ImageInputs, type LoadedInput } from '../../src/train/image-inputs.js';
import { openCollective } from '../../src/train/mpi.js';
import { Optimizer } from '../../src/train/optimizer.js';
import { ProcessGroup } from '../../src/train/process-group.js';
import { DirectSource } from '../../src/train/ranking/direct-source.js';
import { type Triplet, tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { SharedSource } from '../../src/train/ranking/shared-source.js';
import { sumOverRanks } from '../../src/train/sum-over-ranks.js';
import { clock, noise, print } from './process.js';

const [triplets = 0, height = 0, width = 0, threads = 0] = process.argv.slice(2).map(Number);
const group = new ProcessGroup(await openCollective());
await startEngine({ device: 'cpu', threads });
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
const direct = new DirectSource({
  async *load(items: readonly number[]): AsyncGenerator<LoadedInput<number>> {
    for (const item of items) yield { item, input: { kind: 'pixels', image: pictures[item % pictures.length] } };
  },
  describe: inputs.describe.bind(inputs),
  inBlocks: inputs.inBlocks.bind(inputs),
  examples: inputs,
});
const source = group.size === 1 ? direct : new SharedSource(direct, group);

let done = 0;
const commands: Record<string, (count: number) => Promise<void>> = {
  async pool(count) {
    for await (const _ of source.describePool(Array.from({ length: count }, (__, i) => i)));
  },
  async update(count) {
    const batch = Array.from({ length: count * triplets }, (_, i): Triplet<number> => [3 * i, 3 * i + 1, 3 * i + 2]);
    // Every triplet violates so wide a margin: every image is replayed.
    await rankingStep(tripletBatch(batch, { margin: 4 }), source, { variables, accumulator, nameOf: String });
    await sumOverRanks(accumulator, variables, group.collective);
    await optimizer.update(accumulator, 1e-6, done++);
  },
  async allreduce(count) {
    const gradient = new Float32Array(23.5e6);
    for (let i = 0; i < count; i++) await group.collective.allReduce(gradient);
  },
};

const ready = await group.gather(process.pid);
if (group.leads) print({ pids: ready });
const lines = group.leads ? createInterface({ input: process.stdin })[Symbol.asyncIterator]() : undefined;
for (;;) {
  const [line] = await group.gather(await lines?.next().then(({ value, done: ended }) => (ended ? 'end' : value)));
  const [name, count] = `${line}`.split(' ');
  if (!(name in commands)) break;
  const elapsed = clock();
  await commands[name](Number(count));
  const times = await group.gather(elapsed());
  if (group.leads) print({ ms: times[0].ms, cpuMs: times.reduce((sum, { cpuMs }) => sum + cpuMs, 0) });
}
group.collective.close();
process.exit(0);
