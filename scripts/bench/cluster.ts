/**
 * @file `npm run bench:cluster`: training by ranks over MPI against one process: description of a pool, an update of triplets (ResNet-50 with
 * R-MAC), the sum of a gradient, what waiting costs, and the model of docs/cluster.md against what was measured. The sides take turns,
 * stopped while another one works, and each rank and the process of one thread have one core; starting and a first update are not timed.
 * Prints a line per row as it is measured, with what is wanted. `by_processor_time`: ranks times the processor time of one process over that
 * of all ranks, which other work on the machine moves less: what as many free cores would gain.
 *
 *   npm run bench:cluster -- [--quick] [--triplets 64] [--longest 362] [--pool 64] [--rounds 3]
 *
 * `--quick` times each update of all triplets once: some six minutes on two free cores.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { median, pathOf, print, rounded } from './process.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    triplets: { type: 'string', default: '64' },
    longest: { type: 'string', default: '362' },
    pool: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
  },
});
const snapped = (side: number) => Math.round(side / 32) * 32;
const [height, width] = [0.75, 1].map((part) => snapped(part * Number(values.longest)));
const [triplets, pool, rounds] = [values.triplets, values.pool, values.rounds].map(Number);
const cores = availableParallelism();
/** Of the update that is not timed, and of the one that the overhead of MPI is measured by. */
const [warmingTriplets, fewTriplets] = [Math.min(6, triplets), Math.min(4, triplets)];

interface Time {
  ms: number;
  cpuMs: number;
}
interface UpdateTime extends Time {
  imagesMs: number;
  sumMs: number;
  changeMs: number;
}

/** Ranks that are stopped except while they work. */
class Side {
  private pids: number[] = [];
  private readonly child;
  private readonly lines;

  /** `ranks`: under mpirun. Default: one process. */
  constructor(
    readonly name: string,
    threads: number,
    readonly ranks?: number,
  ) {
    const script = ['--import', 'tsx', pathOf('cluster-worker.ts'), height, width, threads].map(String);
    const bound =
      ranks !== undefined && ranks <= cores ? ['--map-by', 'core', '--bind-to', 'core'] : ['--bind-to', 'none'];
    const mpi = ['mpirun', '--oversubscribe', ...bound, '-n', `${ranks}`];
    const launcher = ranks === undefined ? oneCore(threads) : mpi;
    const [command, ...args] = [...launcher, process.execPath, ...script];
    const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
    this.child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async begin(): Promise<this> {
    ({ pids: this.pids } = (await this.answer()) as { pids: number[] });
    await this.ask('pool', 2 * (this.ranks ?? 1));
    await this.ask('update', warmingTriplets);
    this.signal('SIGSTOP');
    return this;
  }

  async run(name: string, count: number): Promise<Time> {
    this.signal('SIGCONT');
    const time = await this.ask(name, count);
    this.signal('SIGSTOP');
    return time;
  }

  end(): void {
    this.signal('SIGCONT');
    this.child.stdin.end();
  }

  private async ask(name: string, count: number): Promise<Time> {
    this.child.stdin.write(`${name} ${count}\n`);
    return (await this.answer()) as Time;
  }

  private async answer(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error(`${this.name} ended early`);
    return JSON.parse(value);
  }

  private signal(name: NodeJS.Signals): void {
    for (const pid of this.pids) process.kill(pid, name);
  }
}

/** Binds a process of one thread to the first core that it may use, as mpirun binds a rank. */
function oneCore(threads: number): string[] {
  if (threads > 1 || spawnSync('taskset', ['--version']).status !== 0) return [];
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return ['taskset', '-c', allowed?.[1] ?? '0'];
}

/** The median time of each side, of `times` turns. */
async function inTurns<T extends Time>(
  sides: readonly Side[],
  name: string,
  count: number,
  times: number,
): Promise<T[]> {
  const all = sides.map((): T[] => []);
  for (let i = 0; i < times; i++)
    for (const [j, side] of sides.entries()) all[j].push((await side.run(name, count)) as T);
  const keys = Object.keys(all[0][0]) as (keyof T)[];
  const medianOf = (list: T[], key: keyof T) => median(list.map((time) => time[key] as number));
  return all.map((list) => Object.fromEntries(keys.map((key) => [key, medianOf(list, key)])) as unknown as T);
}

/** Ranks that each have a core. `one`: the process of one thread that they are compared with. */
const compared = (images: number, [one, ranks, threads]: readonly Time[]) => ({
  one_process_ms: Math.round(one.ms),
  two_ranks_ms: Math.round(ranks.ms),
  two_threads_ms: Math.round(threads.ms),
  images_per_second: [one, ranks, threads].map(({ ms }) => rounded((1000 * images) / ms, 2)),
  cores_used: [one, ranks, threads].map(({ ms, cpuMs }) => rounded(cpuMs / ms, 2)),
  times: rounded(one.ms / ranks.ms, 2),
  by_processor_time: rounded((2 * one.cpuMs) / ranks.cpuMs, 2),
});

const startedAt = performance.now();
print({
  network: 'resnet50',
  shape: `1x3x${height}x${width}`,
  triplets,
  pool,
  cores,
  load: rounded(loadavg()[0], 1),
});
const one = await new Side('one process, one thread', 1).begin();
const two = await new Side('two ranks, one thread each', 1, 2).begin();
const threads = await new Side('one process, two threads', 2).begin();
const sides = [one, two, threads];

const [summed] = await inTurns([two], 'allreduce', 1, 5);
print({
  row: 'sum of 94 MB over two ranks',
  wanted_ms: 250,
  ms: Math.round(summed.ms),
  cpu_ms: Math.round(summed.cpuMs),
});
const [told] = await inTurns([two], 'gather', 20, 3);
const [waited] = await inTurns([two], 'wait', 2, 1);
print({
  row: 'meeting of two ranks',
  ms: rounded(told.ms / 20, 2),
  cpu_ms: rounded(told.cpuMs / 20, 2),
  cpu_share_of_waiting: rounded(waited.cpuMs / waited.ms, 4),
});

const described = await inTurns(sides, 'pool', pool, rounds);
const pooled = compared(pool, described);
print({ row: 'two ranks against one process: description of a pool', wanted_times: 1.9, ...pooled });

const updates = await inTurns<UpdateTime>(sides, 'update', triplets, values.quick ? 1 : rounds);
const updated = compared(3 * triplets, updates);
print({ row: 'two ranks against one process: an update', wanted_times: 1.8, ...updated });
const against = (times: readonly Time[]) => rounded(times[2].ms / times[1].ms, 2);
print({
  row: 'two ranks against one process of two threads',
  wanted_times: 1,
  describe_times: against(described),
  update_times: against(updates),
});
threads.end();

const rank = await new Side('one rank, one thread', 1, 1).begin();
const overheadOf = async (name: string, count: number) => {
  const [alone, ranked] = await inTurns([one, rank], name, count, rounds);
  return {
    [`${name}_by_processor_time`]: rounded(ranked.cpuMs / alone.cpuMs - 1, 4),
    [name]: rounded(ranked.ms / alone.ms - 1, 4),
  };
};
print({
  row: 'overhead of the MPI path with one rank',
  wanted: 0.01,
  ...(await overheadOf('pool', pool)),
  ...(await overheadOf('update', fewTriplets)),
});
rank.end();
one.end();

const three = await new Side('three ranks, one thread each', 1, 3).begin();
const [summedByThree] = await inTurns([three], 'allreduce', 1, 5);
const [updateOfThree] = await inTurns<UpdateTime>([three], 'update', triplets, 1);
// The model of docs/cluster.md, for ranks that share the machine's cores.
const [alone, ofTwo] = updates;
const images = 3 * triplets;
const predicted = (ranks: number, sumMs: number) =>
  Math.max(Math.ceil(images / ranks), images / cores) * (alone.imagesMs / images) + sumMs + alone.changeMs;
const modelled = (ranks: number, { ms }: Time, sumMs: number) => ({
  ranks,
  predicted_ms: Math.round(predicted(ranks, sumMs)),
  measured_ms: Math.round(ms),
  measured_over_predicted: rounded(ms / predicted(ranks, sumMs), 3),
});
print({
  row: 'model of an update',
  seconds_per_image: rounded(alone.imagesMs / images / 1000, 4),
  change_ms: Math.round(alone.changeMs),
  sum_ms: [summed, summedByThree].map(({ ms }) => Math.round(ms)),
  sum_in_update_ms: [ofTwo, updateOfThree].map(({ sumMs }) => Math.round(sumMs)),
  against: [modelled(1, alone, 0), modelled(2, ofTwo, summed.ms), modelled(3, updateOfThree, summedByThree.ms)],
});
two.end();
three.end();
print({ seconds: Math.round((performance.now() - startedAt) / 1000), load: rounded(loadavg()[0], 1) });
