/**
 * @file One side of `bench:cluster`, alone or as the ranks that mpirun started: ResNet-50 with R-MAC, decoding left out. Arguments: triplets,
 * height, width, threads of a rank. Answers lines from the first rank's stdin, `pool N`, `update N`, `allreduce N`, with milliseconds and
 * processor time of all ranks per image, per update and per 94 MB.
 */
import { createInterface } from 'node:readline';
import { startEngine } from '../../src/backend/index.js';
import { openCollective } from '../../src/train/mpi.js';
import { ProcessGroup } from '../../src/train/process-group.js';
import { type Triplet, tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { SharedSource } from '../../src/train/ranking/shared-source.js';
import { sumOverRanks } from '../../src/train/sum-over-ranks.js';
import { clock, print } from './process.js';
import { rankingParts } from './ranking-parts.js';

const [triplets = 0, height = 0, width = 0, threads = 0] = process.argv.slice(2).map(Number);
const group = new ProcessGroup(await openCollective());
await startEngine({ device: 'cpu', threads });
const { variables, accumulator, optimizer, source: direct } = rankingParts(height, width);
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
