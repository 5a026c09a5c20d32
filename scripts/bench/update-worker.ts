/**
 * @file Our side of `bench:update`: one update of triplets with ResNet-50 and R-MAC, as `train triplet` does it, decoding left out.
 * Arguments: triplets, height, width, threads, device (default `cpu`). `run N` -> milliseconds of N updates, of processor
 * time, and of them those in native runs.
 */
import { type Device, engineStats, startEngine } from '../../src/backend/index.js';
import { type Triplet, tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { clock, serve } from './process.js';
import { rankingParts } from './ranking-parts.js';

const [triplets = 0, height = 0, width = 0, threads = 0] = process.argv.slice(2, 6).map(Number);
const device = (process.argv[6] ?? 'cpu') as Device;
await startEngine({ device, threads });
const { variables, accumulator, optimizer, source } = rankingParts(height, width);

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
