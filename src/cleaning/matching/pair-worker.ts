/** @file A worker thread of `pair-workers.ts`: matches and verifies the pairs it is sent. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Features } from '../features/features.js';
import { messageOf } from '../../errors.js';
import { type MatchOptions, matchFeatures } from './matching.js';
import { type VerifiedMatches, type VerificationOptions, verify } from './verification.js';

export interface PairWorkerData {
  /** Typed arrays in shared memory. */
  features: readonly Features[];
  match: MatchOptions;
  verify: VerificationOptions;
}

export interface PairRequest {
  /** Number of the batch, sent back with its answer. */
  batch: number;
  /** Indices of features. */
  pairs: readonly (readonly [number, number])[];
}

export type MatchedPair = VerifiedMatches & { matches: number };

/** Results of a batch's pairs, or at which of them it failed, and why. */
export type PairAnswer = { batch: number } & ({ results: MatchedPair[] } | { failed: number; reason: string });

const { features, match, verify: verifyOptions } = workerData as PairWorkerData;

parentPort!.on('message', ({ batch, pairs }: PairRequest) => {
  const results: MatchedPair[] = [];
  try {
    for (const [i, j] of pairs) {
      const matches = matchFeatures(features[i], features[j], match);
      results.push({ matches: matches.count, ...verify(features[i], features[j], matches, verifyOptions) });
    }
    parentPort!.postMessage({ batch, results } satisfies PairAnswer);
  } catch (error) {
    parentPort!.postMessage({ batch, failed: results.length, reason: messageOf(error) } satisfies PairAnswer);
  }
});
