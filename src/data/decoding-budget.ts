/**
 * @file The memory that all decodes of this process may take at once, those of its worker threads included. Each says what
 * it needs before it starts and waits until that much is left.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { InputError, UsageError } from '../errors.js';

const defaultMb = 1000;
const variable = 'RMAC_DECODING_MB';
/** How often a decode that waits looks again, ms. */
const pollMs = 5;

// One int32: the kB in use. Threads get it from the one that starts them.
const key = 'rmac.decoding-kb';
const inherited = getEnvironmentData(key);
const shared = inherited instanceof SharedArrayBuffer ? inherited : new SharedArrayBuffer(4);
setEnvironmentData(key, shared);
const used = new Int32Array(shared);

// In order, so that a large image is not overtaken for ever by small ones.
let queue: Promise<unknown> = Promise.resolve();

/**
 * Runs `work` once `bytes` of the budget (1 GB, or RMAC_DECODING_MB) are left.
 * @throws InputError naming `name` where that is more than all of it.
 */
export async function withinBudget<T>(bytes: number, name: string, work: () => Promise<T>): Promise<T> {
  const budget = budgetMb();
  if (bytes > budget * 1e6) {
    const needed = Math.ceil(bytes / 1e6);
    throw new InputError(
      `${name}: takes ${needed} MB to decode, more than the ${budget} MB for all images at once; scale it down first, or set ${variable}=${needed}.`,
    );
  }
  return hold(Math.ceil(bytes / 1000), budget * 1000, work);
}

/** Runs `work` while nothing else holds a part of the budget. */
export async function withoutOtherDecodes<T>(work: () => Promise<T>): Promise<T> {
  return hold(budgetMb() * 1000, budgetMb() * 1000, work);
}

async function hold<T>(kb: number, limit: number, work: () => Promise<T>): Promise<T> {
  const turn = queue.then(async () => {
    while (!take(kb, limit)) await wait(pollMs);
  });
  queue = turn;
  await turn;
  try {
    return await work();
  } finally {
    Atomics.sub(used, 0, kb);
  }
}

function take(kb: number, limit: number): boolean {
  const before = Atomics.load(used, 0);
  return before + kb <= limit && Atomics.compareExchange(used, 0, before, before + kb) === before;
}

function budgetMb(): number {
  const text = process.env[variable] ?? String(defaultMb);
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new UsageError(`${variable}=${text}: expected whole megabytes, such as ${defaultMb}.`);
  }
  return Number(text);
}
