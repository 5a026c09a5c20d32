/** @file What is said about the ranks of a job, and by which of them. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../errors.js';
import type { ProcessGroup } from '../train/process-group.js';
import type { RunContext } from './train-run.js';

/** The first rank often meets the same error: the others let it tell, and it ends them, ms. */
const precedenceMs = 1500;

/** The error with the rank that met it. */
export async function errorOfRank(error: unknown, { rank, size }: ProcessGroup): Promise<unknown> {
  if (rank === 0) return error;
  await sleep(precedenceMs);
  if (error instanceof InputError) return new InputError(`Rank ${rank} of ${size} on ${hostname()}: ${error.message}`);
  return error;
}

/** A job of several tasks in which this process trains by itself was started in another way than its author meant. */
export function tellIfAlone({ group, view }: RunContext, env: NodeJS.ProcessEnv = process.env): void {
  if (group.size > 1 || !(Number(env.SLURM_NTASKS) > 1) || env.OMPI_COMM_WORLD_SIZE !== undefined) return;
  view.note(
    `Slurm has given this job ${env.SLURM_NTASKS} tasks, and this process trains alone: start it by srun --mpi=pmix or by mpirun.`,
  );
}
