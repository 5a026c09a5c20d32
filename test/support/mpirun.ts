/** @file Runs the built command under Open MPI, where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Why the tests that need Open MPI are skipped; undefined where they are not. */
export const withoutMpi: string | undefined =
  process.platform !== 'linux'
    ? 'not on Linux'
    : spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).stdout?.includes('Open MPI')
      ? undefined
      : 'no Open MPI (Debian packages openmpi-bin and libopenmpi-dev)';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Job {
  /** mpirun. */
  process: ChildProcess;
  /** What the ranks have said so far. */
  stderr(): string;
  ended: Promise<Ended>;
}

/** `mpirun -n size rmac ...args`, on as many cores as there are. */
export function mpirun(size: number, args: readonly string[], more: readonly string[] = []): Job {
  const options = ['--oversubscribe', '--bind-to', 'none', '-n', `${size}`, ...more];
  const child = spawn('mpirun', [...options, process.execPath, cli, ...args], {
    env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (said[name] += String(chunk)));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...said }));
  });
  return { process: child, stderr: () => said.stderr, ended };
}
