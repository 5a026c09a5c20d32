/** @file Runs the built command under Open MPI, where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** The process of a rank of a run. */
export async function processOf(rank: number, run: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [command, env] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
    );
    const isRank = env.split('\0').includes(`OMPI_COMM_WORLD_RANK=${rank}`);
    if (isRank && command.startsWith(process.execPath) && command.split('\0').includes(run)) return Number(pid);
  }
  throw new Error(`no rank ${rank} of ${run}`);
}

/** Waits until a condition holds, for two minutes at most. */
export async function until(condition: () => boolean, job: Job): Promise<void> {
  for (let i = 0; i < 1200 && !condition(); i++) {
    if (job.process.exitCode !== null) throw new Error(`mpirun ended: ${job.stderr()}`);
    await sleep(100);
  }
  if (!condition()) throw new Error(`nothing came of it: ${job.stderr()}`);
}

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

/** A command that starts mpirun, and its arguments before those of the job. */
export interface Launch {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** What starts each rank's command, in front of it. */
  wrapper?: readonly string[];
}

/** Every rank says on stderr how it ended, which mpirun waits for and takes no notice of. */
export const tellingCodes: Launch = {
  command: 'mpirun',
  args: ['--mca', 'orte_abort_on_non_zero_status', '0'],
  wrapper: ['sh', '-c', '"$@"; code=$?; echo "rank $OMPI_COMM_WORLD_RANK ended with $code" >&2; exit $code', 'sh'],
};

/** `mpirun -n size rmac ...args`, on as many cores as there are. */
export function mpirun(size: number, args: readonly string[], launch: Launch = { command: 'mpirun', args: [] }): Job {
  const options = [...launch.args, '--oversubscribe', '--bind-to', 'none', '-n', `${size}`];
  const rank = [...(launch.wrapper ?? []), process.execPath, cli, ...args];
  const child = spawn(launch.command, [...options, ...rank], {
    env: { ...process.env, ...launch.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (said[name] += String(chunk)));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...said }));
    // What mpirun has started on a host that it could not reach keeps its pipes.
    child.on('exit', (code) => setTimeout(() => resolve({ code, ...said }), 3000).unref());
  });
  return { process: child, stderr: () => said.stderr, ended };
}
