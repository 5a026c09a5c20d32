/**
 * @file One side of `bench:cluster`, alone or as the ranks that mpirun started: ResNet-50 with R-MAC, decoding left out. Arguments: height,
 * width, threads of a rank. Answers lines from the first rank's stdin, `NAME COUNT`, with milliseconds, processor time of all ranks, and
 * the parts of an update.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from '../../src/backend/index.js';
import { openCollective } from '../../src/train/mpi.js';
import { ProcessGroup } from '../../src/train/process-group.js';
import { type Triplet, tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { SharedSource } from '../../src/train/ranking/shared-source.js';
import { sumOverRanks } from '../../src/train/sum-over-ranks.js';
import { clock, print } from './process.js';
import { rankingParts } from './ranking-parts.js';

const [height = 0, width = 0, threads = 0] = process.argv.slice(2).map(Number);
const group = new ProcessGroup(await openCollective());
await startEngine({ device: 'cpu', threads });
const { variables, accumulator, optimizer, source: direct } = rankingParts(height, width);
const source = group.size === 1 ? direct : new SharedSource(direct, group);

let done = 0;
const commands: Record<string, (count: number) => Promise<object | void>> = {
  /** Describes as many images of a pool. */
  async pool(count) {
    for await (const _ of source.describePool(Array.from({ length: count }, (__, i) => i)));
  },
  /** An update of as many triplets. */
  async update(count) {
    const batch = Array.from({ length: count }, (_, i): Triplet<number> => [3 * i, 3 * i + 1, 3 * i + 2]);
    const elapsed = clock();
    // Every triplet violates so wide a margin: every image is replayed.
    await rankingStep(tripletBatch(batch, { margin: 4 }), source, { variables, accumulator, nameOf: String });
    const imagesMs = elapsed().ms;
    await sumOverRanks(accumulator, variables, group.collective);
    const sumMs = elapsed().ms - imagesMs;
    await optimizer.update(accumulator, 1e-6, done++);
    return { imagesMs, sumMs, changeMs: elapsed().ms - imagesMs - sumMs };
  },
  /** Sums that many gradients. */
  async allreduce(count) {
    const gradient = new Float32Array(23.5e6);
    for (let i = 0; i < count; i++) await group.collective.allReduce(gradient);
  },
  /** The ranks tell each other nothing, as often. */
  async gather(count) {
    for (let i = 0; i < count; i++) await group.gather(undefined);
  },
  /** The others wait for the first rank as many seconds. */
  async wait(count) {
    if (group.leads) await sleep(1000 * count);
    await group.gather(undefined);
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
  const parts = await commands[name](Number(count));
  const times = await group.gather(elapsed());
  if (group.leads) print({ ms: times[0].ms, cpuMs: times.reduce((sum, { cpuMs }) => sum + cpuMs, 0), ...parts });
}
group.collective.close();
process.exit(0);
