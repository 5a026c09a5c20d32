/** @file Runs one command with a fault, and says what is wrong with how it ended. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const preload = fileURLToPath(new URL('fault.cjs', import.meta.url));

const longestMs = 120_000;
const mostRssKb = 1.5e6;

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  seconds: number;
  /** File operations of the command; undefined where it was killed. */
  operations?: number;
  maxRssKb?: number;
  /** Full paths of the files it opened. */
  opened: ReadonlySet<string>;
}

/** `rmac <args>` in `folder`. `fault` is what fault.cjs takes: "count", "kill:N", "ENOSPC:N". */
export async function runCommand(args: readonly string[], folder: string, fault = 'count'): Promise<Outcome> {
  const report = join(folder, '.fault-report');
  const openedList = join(folder, '.fault-opened');
  writeFileSync(openedList, '');
  rmSync(report, { force: true });
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--require', preload, cli, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      RMAC_FAULT: fault,
      RMAC_FAULT_ROOT: folder,
      RMAC_FAULT_REPORT: report,
      RMAC_FAULT_OPENED: openedList,
      OMP_NUM_THREADS: '1',
    },
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString('utf8');
    });
  }
  const timer = setTimeout(() => child.kill('SIGABRT'), longestMs);
  const ended = await new Promise<Pick<Outcome, 'code' | 'signal'>>((settle) => {
    child.on('close', (code, signal) => settle({ code, signal }));
  });
  clearTimeout(timer);
  const measured = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Partial<Outcome>) : {};
  const opened = new Set(
    readFileSync(openedList, 'utf8')
      .split('\n')
      .map((path) => resolve(folder, path)),
  );
  return { ...ended, ...texts, ...measured, opened, seconds: (performance.now() - startedAt) / 1000 };
}

/** What no end of a command may be, whatever it was given: in words, or undefined. */
export function wrongEnd({ code, signal, stdout, stderr, maxRssKb = 0 }: Outcome): string | undefined {
  const told = stderr.split('\n').filter((line) => /^(rmac|error): /.test(line));
  if (signal === 'SIGABRT') return `not ended after ${longestMs / 1000} s`;
  if (signal !== null) return `ended by ${signal}`;
  if (![0, 1, 2, 130].includes(code ?? -1)) return `exit code ${code}`;
  if (/internal error/.test(stderr)) return 'an internal error';
  if (/ended before its work was done/.test(stderr)) return 'a promise that never settled';
  if (/^ {4}at |Unhandled|node:internal|Warning: /m.test(stderr)) return 'a stack trace or a warning of Node';
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(stdout + stderr)) return 'control characters on the terminal';
  if (code === 0 && told.length > 0) return 'an error line and exit code 0';
  if (code !== 0 && told.length !== 1) return `${told.length} error lines, one expected`;
  if (maxRssKb > mostRssKb) return `${Math.round(maxRssKb / 1000)} MB of memory`;
  return undefined;
}
