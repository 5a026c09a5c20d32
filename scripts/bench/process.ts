/** @file A benchmark worker as a child process that answers one JSON line per command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';

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

/** A Python that has PyTorch and torchvision, or undefined. */
export function pythonWithTorch(): string | undefined {
  return pythonWith('torch, torchvision');
}

/** A Python that can import these modules, or undefined. */
export function pythonWith(modules: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0,
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
