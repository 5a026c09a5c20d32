import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { mpirun, processOf, tellingCodes, until, withoutMpi } from '../support/mpirun.js';
import { lossesOf, smallJob, upTo } from './small-job.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const skipped = withoutMpi ?? (existsSync(cli) ? undefined : 'not built (npm run build)');
if (skipped !== undefined) console.warn(`Training over MPI is not tested: ${skipped}.`);

let folder: string;
let common: string[];
beforeAll(async () => {
  ({ folder, common } = await smallJob());
});

describe.skipIf(skipped !== undefined)('over MPI', () => {
  test('two ranks train as one process does; one rank to the bit; one of them writes and tells', async () => {
    const [alone, one, two] = ['alone', 'one', 'two'].map((name) => join(folder, name));
    const settings = upTo(6, 3);
    const { status } = spawnSync(process.execPath, [cli, ...common, ...settings, '--run', alone]);
    expect(status).toBe(0);
    await mpirun(1, [...common, ...settings, '--run', one]).ended;
    const { code, stdout, stderr } = await mpirun(2, [...common, ...settings, '--run', two]).ended;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: two, step: 6, stopped: 'finished', unreadable: 1 });
    const [model, modelOfOne] = await Promise.all([alone, one].map((run) => readFile(join(run, 'model.safetensors'))));
    expect(modelOfOne.equals(model)).toBe(true);
    const [expected, losses] = [await lossesOf(alone), await lossesOf(two)];
    expect(losses).toHaveLength(6);
    for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[i], 5);
    expect((await readdir(two)).toSorted()).toEqual(
      [...(await readdir(alone))]
        .toSorted()
        .map((n) => (n.startsWith('events') ? expect.stringMatching(/^events/) : n)),
    );
  });

  test('a warning of the scheduler ends all ranks with a checkpoint, from which three go on as one would have', async () => {
    const [whole, run] = ['whole', 'stopped'].map((name) => join(folder, name));
    const job = mpirun(2, [...common, ...upTo(400), '--run', run]);
    await until(() => job.stderr().includes('update 1/400'), job);
    job.process.kill('SIGUSR1'); // which mpirun passes on
    const { code, stderr } = await job.ended;
    expect(code, stderr).toBe(75);
    const stopped = (await lossesOf(run)).length;
    expect(await readdir(join(run, 'checkpoints'))).toContain(`step-${String(stopped).padStart(6, '0')}`);
    const resumed = ['--run', run, '--resume', '--set', `steps=${stopped + 3}`];
    const ended = await mpirun(3, [...common, ...resumed]).ended;
    expect(ended.code, ended.stderr).toBe(0);
    spawnSync(process.execPath, [cli, ...common, ...upTo(stopped + 3), '--run', whole]);
    const [expected, losses] = [await lossesOf(whole), await lossesOf(run)];
    expect(losses).toHaveLength(stopped + 3);
    for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[i], 4);
  });

  test('an end that one rank alone is asked for comes for all, with a checkpoint and one code', async () => {
    const run = join(folder, 'asked');
    const job = mpirun(2, [...common, ...upTo(400), '--run', run], tellingCodes);
    await until(() => job.stderr().includes('update 1/400'), job);
    process.kill(await processOf(1, run), 'SIGTERM');
    const { stdout, stderr } = await job.ended;
    for (const rank of [0, 1]) expect(stderr).toContain(`rank ${rank} ended with 75\n`);
    const stopped = (await lossesOf(run)).length;
    expect(JSON.parse(stdout)).toMatchObject({ run, step: stopped, stopped: 'interrupted' });
    expect(await readdir(join(run, 'checkpoints'))).toContain(`step-${String(stopped).padStart(6, '0')}`);
  });

  test('a rank that is killed ends the job, with a line that names it and the last checkpoint', async () => {
    const run = join(folder, 'killed');
    const job = mpirun(2, [...common, ...upTo(400, 1), '--run', run]);
    await until(() => existsSync(join(run, 'checkpoints', 'step-000002')), job);
    process.kill(await processOf(1, run), 'SIGKILL');
    const { code, stderr } = await job.ended;
    expect(code).not.toBe(0);
    const last =
      /Rank 1 of 2 \(process \d+ on .*\) has ended .*: the last checkpoint is (\S+); continue with --resume/.exec(
        stderr,
      );
    expect(existsSync(last?.[1] ?? ''), stderr).toBe(true);
  });

  test('what is wrong is told once, and ends all', async () => {
    const args = [...common, ...upTo(2), '--run', join(folder, 'alone')];
    const { code, stdout, stderr } = await mpirun(2, args).ended;
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.match(/^rmac: .* holds a run/gm)).toHaveLength(1);
  });
});
