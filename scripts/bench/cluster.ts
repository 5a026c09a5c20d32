/**
 * @file `npm run bench:cluster`: training by ranks over MPI against one process: description of a pool, an update of triplets (ResNet-50 with
 * R-MAC), the sum of a gradient. The sides take turns, stopped while another one works. Prints wall times as ratios, and those of
 * processor time, which other work on the machine moves less: twice that of one process over that of both ranks is what two free cores
 * would gain.
 *
 *   npm run bench:cluster -- [--triplets 64] [--longest 362] [--pool 64] [--rounds 3]
 */
import { spawn } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { median, pathOf, print, rounded } from './process.js';

const { values } = parseArgs({
  options: {
    triplets: { type: 'string', default: '64' },
    longest: { type: 'string', default: '362' },
    pool: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
  },
});
const snapped = (side: number) => Math.round(side / 32) * 32;
const [height, width] = [0.75, 1].map((part) => snapped(part * Number(values.longest)));

interface Time {
  ms: number;
  cpuMs: number;
}

/** Ranks that are stopped except while they work. */
class Side {
  readonly times: Record<string, Time[]> = {};
  private pids: number[] = [];
  private readonly child;
  private readonly lines;

  constructor(
    readonly name: string,
    ranks: number | undefined,
    threads: number,
  ) {
    const script = ['--import', 'tsx', pathOf('cluster-worker.ts'), values.triplets, height, width, threads].map(
      String,
    );
    const mpi = ['--oversubscribe', '--bind-to', 'none', '-n', `${ranks}`, process.execPath];
    const [command, args] = ranks === undefined ? [process.execPath, script] : ['mpirun', [...mpi, ...script]];
    const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
    this.child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async begin(): Promise<void> {
    ({ pids: this.pids } = (await this.answer()) as { pids: number[] });
    await this.ask('update', 1);
    this.signal('SIGSTOP');
  }

  async run(name: string, count: number): Promise<void> {
    this.signal('SIGCONT');
    (this.times[name] ??= []).push(await this.ask(name, count));
    this.signal('SIGSTOP');
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

const sides = [
  new Side('one process, one thread', undefined, 1),
  new Side('one rank, one thread', 1, 1),
  new Side('two ranks, one thread each', 2, 1),
  new Side('one process, two threads', undefined, 2),
];
for (const side of sides) await side.begin();
const load = loadavg()[0];
for (let round = 0; round < Number(values.rounds); round++) {
  for (const side of sides) await side.run('pool', Number(values.pool));
  for (const side of sides) await side.run('update', 1);
  for (let i = 0; i < 3; i++) await sides[2].run('allreduce', 1);
}
for (const side of sides) side.end();

const [one, rank, two, threads] = sides.map(
  ({ times }) =>
    (name: string, of: keyof Time) =>
      median(times[name].map((time) => time[of])),
);
const compared = (name: string) => ({
  one_process_ms: Math.round(one(name, 'ms')),
  two_ranks_ms: Math.round(two(name, 'ms')),
  two_threads_ms: Math.round(threads(name, 'ms')),
  speedup: rounded(one(name, 'ms') / two(name, 'ms'), 2),
  speedup_by_processor_time: rounded((2 * one(name, 'cpuMs')) / two(name, 'cpuMs'), 2),
  against_two_threads: rounded(threads(name, 'ms') / two(name, 'ms'), 2),
  overhead_of_one_rank: rounded(rank(name, 'cpuMs') / one(name, 'cpuMs') - 1, 3),
});
print({
  network: 'resnet50',
  triplets: Number(values.triplets),
  shape: `1x3x${height}x${width}`,
  pool: Number(values.pool),
  cores: cpus().length,
  load: rounded(load, 1),
  describe: compared('pool'),
  update: compared('update'),
  allreduce_94MB_ms: two('allreduce', 'ms'),
  gradient_bytes: 94e6,
});
