import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Job, mpirun, processOf, until, withoutMpi } from '../support/mpirun.js';
import { mcaOptions, type NetworkHosts, networkHosts, withoutHosts } from '../support/network-hosts.js';
import { lossesOf, smallJob, upTo } from './small-job.js';

// Only where asked for (npm run test:cluster): it makes network interfaces.
const asked = process.env.RMAC_TEST_HOSTS === '1';
const skipped = asked ? (withoutMpi ?? withoutHosts()) : 'npm run test:cluster';
if (asked && skipped !== undefined) console.warn(`Training across hosts is not tested: ${skipped}.`);

describe.skipIf(skipped !== undefined)('over TCP between three hosts', { timeout: 400_000 }, () => {
  let folder: string;
  let common: string[];
  let hosts: NetworkHosts;
  beforeAll(async () => {
    ({ folder, common } = await smallJob());
    hosts = networkHosts(3);
  });
  afterAll(() => hosts.remove());
  const start = (size: number, args: readonly string[], { timeout = '5', mca = {} } = {}) =>
    mpirun(size, [...common, ...args], {
      ...hosts.launch,
      args: [...hosts.launch.args, ...mcaOptions(mca)],
      env: { RMAC_RANK_TIMEOUT: timeout },
    });
  /** How mpirun ends by itself. */
  const endWithin = async (ms: number, job: Job) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      job.process.kill('SIGKILL');
    }, ms);
    const ended = await job.ended.finally(() => clearTimeout(timer));
    expect(late, ended.stderr).toBe(false);
    return ended;
  };

  test('three ranks train as one does, over a slow link too', async () => {
    const [one, three] = ['one', 'three'].map((name) => join(folder, name));
    expect((await start(1, [...upTo(4), '--run', one]).ended).code).toBe(0);
    if (!hosts.slow(2, '5ms', '100mbit')) console.warn('No slow link: the system has no netem (tc).');
    const { code, stderr } = await start(3, [...upTo(4), '--run', three]).ended;
    expect(code, stderr).toBe(0);
    const [expected, losses] = [await lossesOf(one), await lossesOf(three)];
    expect(losses).toHaveLength(4);
    for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(expected[i], 5);
  });

  test('a rank that is killed on another host is named', async () => {
    const run = join(folder, 'killed');
    const job = start(3, [...upTo(400, 1), '--run', run]);
    await until(() => existsSync(join(run, 'checkpoints', 'step-000001')), job);
    process.kill(await processOf(2, run), 'SIGKILL');
    const { code, stderr } = await job.ended;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Rank 2 of 3 \(process \d+ on rm\d+h3\) has ended .*: the last checkpoint is \S+step-/);
  });

  test('a host that cannot be reached any more is named', async () => {
    const run = join(folder, 'cut');
    const job = start(3, [...upTo(400, 1), '--run', run]);
    await until(() => existsSync(join(run, 'checkpoints', 'step-000001')), job);
    hosts.cut(2);
    // mpirun itself waits for the host, until the first rank's lifeline ends it.
    const { code, stderr } = await endWithin(60_000, job);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Rank 2 of 3 \(.*h3\) has ended or cannot be reached: the last checkpoint is \S+step-/);
    // The rank behind the cut link has ended, too.
    await expect(processOf(2, run)).rejects.toThrow(/no rank 2/);
    hosts.join(2);
  });

  test('mpirun that looks for its hosts more often ends by itself', async () => {
    const run = join(folder, 'looked-for');
    const mca = { oob_tcp_keepalive_time: '5', oob_tcp_keepalive_intvl: '2', oob_tcp_keepalive_probes: '3' };
    const job = start(3, [...upTo(400, 1), '--run', run], { timeout: '60', mca });
    await until(() => existsSync(join(run, 'checkpoints', 'step-000001')), job);
    hosts.cut(2);
    const { code, stderr } = await endWithin(60_000, job);
    expect(code).not.toBe(0);
    expect(stderr).toContain('ORTE has lost communication with a remote daemon');
  });
});
