/**
 * @file Matching and verification of many pairs of images on all cores.
 *
 * Features lie in shared memory, so a pair costs a message of two numbers. Pairs travel in small batches; at most `ahead` batches
 * a worker are on their way, and answers come in the order of the pairs whatever worker is faster.
 */
import { availableParallelism } from 'node:os';
import { runAhead } from '../../data/run-ahead.js';
import { messageOf } from '../../errors.js';
import type { Features } from '../features/features.js';
import type { MatchOptions } from './matching.js';
import { openWorker } from '../../backend/open-worker.js';
import type { PairAnswer, PairRequest, MatchedPair, PairWorkerData } from './pair-worker.js';
import type { VerifiedMatches, VerificationOptions } from './verification.js';

export interface PairWorkersOptions {
  /** Default: the cores this process may use. */
  workers?: number;
  match?: MatchOptions;
  verify?: VerificationOptions;
  /** Pairs of a message. Default 8. */
  batchSize?: number;
}

/** What was found for a pair of images. */
export interface VerifiedPair extends VerifiedMatches {
  /** Indices of the images' features. */
  a: number;
  b: number;
  /** Matches before verification. */
  matches: number;
}

type Pair = readonly [number, number];

/** Batches on their way to a worker: one it works on, one that waits. */
const ahead = 2;

/** A copy of features whose arrays worker threads can read in place. */
export function shareFeatures(features: Features): Features {
  const { frames, responses, descriptors } = features;
  const shared = {
    frames: new Float32Array(new SharedArrayBuffer(frames.byteLength)),
    responses: new Float32Array(new SharedArrayBuffer(responses.byteLength)),
    descriptors: new Uint8Array(new SharedArrayBuffer(descriptors.byteLength)),
  };
  shared.frames.set(frames);
  shared.responses.set(responses);
  shared.descriptors.set(descriptors);
  return { ...features, ...shared };
}

/**
 * Matches and verifies pairs of `features` (best made by `shareFeatures`; others are copied to every worker) and yields a result for each, in
 * order. `pairs` may be endless: it is read as results are taken. Stopping early ends the workers.
 * @throws Error where a worker fails, naming the pair, or the batch where it ends; RangeError for an index without features.
 */
export async function* matchPairs(
  features: readonly Features[],
  pairs: Iterable<Pair>,
  { workers = availableParallelism(), match = {}, verify = {}, batchSize = 8 }: PairWorkersOptions = {},
): AsyncGenerator<VerifiedPair> {
  const pool = Array.from({ length: workers }, () => startWorker({ features, match, verify }));
  const waiting = (worker: PairWorker) => worker.waiting();
  try {
    const work = (batch: readonly Pair[]) =>
      pool.reduce((least, worker) => (waiting(worker) < waiting(least) ? worker : least)).run(batch);
    for await (const outcome of runAhead(inBatches(pairs, batchSize, features.length), work, workers * ahead + 1)) {
      if ('error' in outcome) throw outcome.error;
      for (const [k, [a, b]] of outcome.item.entries()) yield { a, b, ...outcome.value[k] };
    }
  } finally {
    await Promise.all(pool.map((worker) => worker.stop()));
  }
}

function* inBatches(pairs: Iterable<Pair>, size: number, count: number): Generator<Pair[]> {
  let batch: Pair[] = [];
  for (const [a, b] of pairs) {
    for (const index of [a, b]) {
      if (!(Number.isInteger(index) && index >= 0 && index < count)) {
        throw new RangeError(`matchPairs: the pair (${a}, ${b}) names image ${index}; there are features of ${count}.`);
      }
    }
    batch.push([a, b]);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

interface PairWorker {
  /** Batches without an answer yet. */
  waiting(): number;
  run(pairs: readonly Pair[]): Promise<MatchedPair[]>;
  stop(): Promise<unknown>;
}

function startWorker(workerData: PairWorkerData): PairWorker {
  const worker = openWorker(import.meta.url, './pair-worker.js', workerData);
  const open = new Map<
    number,
    { pairs: readonly Pair[]; resolve: (results: MatchedPair[]) => void; reject: (error: Error) => void }
  >();
  let batches = 0;
  let failure: string | undefined;
  const fail = (reason: string) => {
    failure ??= reason;
    for (const { pairs, reject } of open.values()) reject(failed(pairs, failure));
    open.clear();
  };
  worker.on('message', (answer: PairAnswer) => {
    const asked = open.get(answer.batch);
    open.delete(answer.batch);
    if ('results' in answer) asked?.resolve(answer.results);
    else asked?.reject(failed([asked.pairs[answer.failed]], answer.reason));
  });
  worker.on('error', (error) => fail(messageOf(error)));
  worker.on('messageerror', (error) => fail(messageOf(error)));
  worker.on('exit', (code) => fail(`it exited with code ${code}`));
  return {
    waiting: () => open.size,
    run: (pairs) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failed(pairs, failure));
        const batch = batches++;
        open.set(batch, { pairs, resolve, reject });
        worker.postMessage({ batch, pairs } satisfies PairRequest);
      }),
    stop: () => worker.terminate(),
  };
}

function failed([first, ...after]: readonly Pair[], reason: string): Error {
  const or = after.length === 0 ? '' : ` or the ${after.length} pairs after`;
  return new Error(`A worker failed on images ${first.join(' and ')}${or}: ${reason}.`);
}
