/** @file What the benchmarks share: clocks, figures, noise, and the two sides of a worker process that answers one JSON line per command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

export class Worker {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.child.stdout === null) throw new Error('no pipe');
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async answer(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    if (done === true) throw new Error('the benchmark worker ended early');
    return JSON.parse(value);
  }

  /** The worker is stopped except while it works: threads that spin after a run would slow the other side. */
  async ask(command: string): Promise<unknown> {
    this.child.kill('SIGCONT');
    this.child.stdin?.write(`${command}\n`);
    const answer = await this.answer();
    this.child.kill('SIGSTOP');
    return answer;
  }

  /** Lets a worker end that has nothing more to answer. */
  close(): void {
    this.child.kill('SIGCONT');
    this.child.stdin?.end();
  }

  /** Asks for the last answer and lets the worker end. */
  async end(): Promise<unknown> {
    const answer = await this.ask('end');
    this.child.kill('SIGCONT');
    return answer;
  }
}

/** Answers `NAME COUNT` lines from stdin by what `commands` has, and any other by the peak memory, which ends the process. */
export async function serve(commands: Record<string, (count: number) => unknown>): Promise<void> {
  print('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, count] = line.split(' ');
    if (!(name in commands)) break;
    print(await commands[name](Number(count)));
  }
  print({ peakMB: process.resourceUsage().maxRSS / 1024 });
  process.exit(0);
}

/** The TypeScript file `script` of this folder as a worker; of a pack (scripts/gpu), the bundle beside this one. */
export function ourWorker(script: string, args: readonly string[]): Worker {
  const packed = import.meta.url.endsWith('.mjs');
  const program = packed ? [pathOf(basename(script).replace(/ts$/, 'mjs'))] : ['--import', 'tsx', pathOf(script)];
  return new Worker(process.execPath, [...program, ...args]);
}

/** The Python file `script` of this folder as a worker; undefined where no Python has these modules, of which stderr is told once. */
export function peerWorker(
  script: string,
  args: readonly string[],
  modules = 'torch, torchvision',
): Worker | undefined {
  if (!pythons.has(modules)) {
    const python = ['python3', '/usr/bin/python3'].find(
      (command) => spawnSync(command, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0,
    );
    if (python === undefined) process.stderr.write(`No Python with ${modules}: the peer is left out.\n`);
    pythons.set(modules, python);
  }
  const python = pythons.get(modules);
  return python === undefined ? undefined : new Worker(python, [pathOf(script), ...args]);
}
/** The Python that has modules, if there is one: finding out takes seconds. */
const pythons = new Map<string, string | undefined>();

export function pathOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url));
}

export function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Starts a clock; what it returns gives the milliseconds since then, and of them the processor's. */
export function clock(): () => { ms: number; cpuMs: number } {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  return () => {
    const ms = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(before);
    return { ms, cpuMs: (user + system) / 1000 };
  };
}

/** Numbers in [0, 1) of a linear congruential generator: the same for a seed, and cheap. */
export function noise(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

export function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
