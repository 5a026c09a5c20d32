/** @file `--shard`, by number or from the array of a Slurm job. */
import { UsageError } from '../errors.js';
import type { Shard } from '../retrieval/descriptor-folder.js';

/** commander parser: "2/4" is part 2 of 4; "slurm" the part of this task of a job array. */
export function shardOption(text: string): Shard {
  if (text === 'slurm') return shardOfArray();
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || count < 1 || index < 1 || index > count) {
    throw new UsageError(`--shard: expected i/n with i from 1 to n, such as 1/4, or slurm; got "${text}".`);
  }
  return { index, count };
}

/** An array that numbers its tasks otherwise, such as one that repeats a few of them, does not say which parts there are. */
function shardOfArray(): Shard {
  const [id, count, min, max] = ['ID', 'COUNT', 'MIN', 'MAX'].map((name) =>
    Number(process.env[`SLURM_ARRAY_TASK_${name}`] ?? NaN),
  );
  if (![id, count, min, max].every(Number.isInteger)) {
    throw new UsageError('--shard slurm: this is no task of a job array (sbatch --array=1-N).');
  }
  if ((min !== 0 && min !== 1) || max - min + 1 !== count) {
    throw new UsageError(
      `--shard slurm: the tasks of the array are not numbered from 1 or 0 without a gap (${min} to ${max}, ${count} tasks); to repeat ` +
        'some of N parts say --shard $SLURM_ARRAY_TASK_ID/N.',
    );
  }
  return { index: id - min + 1, count };
}
