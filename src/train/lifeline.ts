/**
 * @file Connections from the first rank to the others, which tell when one of them ends or cannot be reached any more: MPI itself may wait
 * for it for ever. They are held by worker threads, since an update keeps the main one busy.
 */
import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { openWorker } from '../backend/open-worker.js';
import type { LifelineData, LifelineMessage } from './lifeline-worker.js';
import type { ProcessGroup } from './process-group.js';

/** Seconds without a sign of life after which a rank counts as lost; RMAC_RANK_TIMEOUT in its place. */
const defaultTimeout = 60;

export interface Lifeline {
  /** The others are told that this rank leaves. */
  end(): Promise<void>;
}

/** Ends this process, and with it the job, with a line where another rank is lost; the line names the newest of `checkpoints`. */
export async function openLifeline(group: ProcessGroup, checkpoints: string): Promise<Lifeline> {
  if (group.size === 1) return { end: async () => {} };
  const { rank } = group;
  const timeoutMs = 1000 * (Number(process.env.RMAC_RANK_TIMEOUT) || defaultTimeout);
  const token = randomBytes(16).toString('hex');
  const data: LifelineData = { rank, token, checkpoints, timeoutMs };
  const worker = openWorker(import.meta.url, './lifeline-worker.js', data);
  const port = await answerOf(worker);
  worker.unref();
  worker.on('message', (message: LifelineMessage) => {
    if ('lost' in message) process.exit(1);
  });
  const addresses = Object.values(networkInterfaces()).flatMap((each = []) =>
    each.flatMap(({ address, internal }) => (internal ? [] : [address])),
  );
  const ranks = await group.gather({ host: hostname(), pid: process.pid, addresses, port, token });
  const names = ranks.map(({ host, pid }, i) => `Rank ${i} of ${group.size} (process ${pid} on ${host})`);
  const [first] = ranks;
  const near = first.host === hostname() ? ['127.0.0.1'] : [];
  worker.postMessage({ names, first: { ...first, addresses: [...near, ...first.addresses] } });
  return {
    end: () =>
      new Promise((resolve) => {
        worker.ref();
        worker.once('exit', () => resolve());
        worker.postMessage('end');
      }),
  };
}

function answerOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', ({ port }: { port: number }) => resolve(port));
  });
}
