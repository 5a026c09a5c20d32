import { expect, test } from 'vitest';
import { silentView } from '../../src/stages/context.js';
import { tellIfAlone } from '../../src/stages/rank-notes.js';
import { singleProcess } from '../../src/train/collective.js';
import { openCollective } from '../../src/train/mpi.js';
import { ProcessGroup } from '../../src/train/process-group.js';

/** What is said to a process that was started with these variables. */
async function notesIn(env: NodeJS.ProcessEnv, collective = singleProcess): Promise<string[]> {
  const notes: string[] = [];
  tellIfAlone({ group: new ProcessGroup(collective), view: { ...silentView, note: (line) => notes.push(line) } }, env);
  return notes;
}

test('a job of several Slurm tasks that was not started by srun or mpirun is told that it trains alone', async () => {
  const env = { SLURM_JOB_ID: '7', SLURM_NTASKS: '2' };
  expect(await openCollective(env)).toBe(singleProcess);
  expect(await notesIn(env)).toEqual([
    'Slurm has given this job 2 tasks, and this process trains alone: start it by srun --mpi=pmix or by mpirun.',
  ]);
  expect(await notesIn({ ...env, SLURM_NTASKS: '1' })).toEqual([]);
  expect(await notesIn({})).toEqual([]);
  // mpirun -n 1 on purpose; two ranks that have found each other.
  expect(await notesIn({ ...env, OMPI_COMM_WORLD_SIZE: '1' })).toEqual([]);
  expect(await notesIn(env, { ...singleProcess, size: 2 })).toEqual([]);
});
