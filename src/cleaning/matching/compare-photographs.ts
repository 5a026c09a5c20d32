/** @file Pairs of described photographs compared, each once, the results in the log. */
import { groupBy } from '../../data/group-by.js';
import { InputError } from '../../errors.js';
import { type CompareOptions, examinePair, type PairResult } from './compare-pair.js';
import { cellsText } from './coverage.js';
import type { Features } from '../features/features.js';
import { type ComparedPair, type MatchLog, pairKey } from '../graph/match-log.js';
import { matchPairs, shareFeatures } from './pair-workers.js';

export interface CompareRun {
  log: MatchLog;
  /** Features of a content. */
  featuresOf: (key: string) => Promise<Features>;
  /** How alike the pictures of two contents are as a whole (near-duplicates.ts). */
  correlationOf: (a: string, b: string) => number;
  compare?: CompareOptions;
  /** Worker threads. Default: all cores. */
  workers?: number;
  signal?: AbortSignal;
  /** Called once, before the first pair: pairs known from an earlier run, and pairs still to compare. */
  onStart?: (known: number, waiting: number) => void;
  onProgress?: (done: number) => void;
}

/** Images of a block; the features of two blocks lie in memory at once (120 MB at 1,500 features). */
const imagesPerBlock = 256;

/**
 * Compares the pairs that the log does not have. A pair is compared from the smaller key to the larger, so that its result does not
 * depend on the order of a list. A finished pair is safe on disk; after an interruption the same call continues.
 */
export async function comparePhotographs(
  pairs: Iterable<readonly [string, string]>,
  { log, featuresOf, correlationOf, compare = {}, workers, signal, onStart, onProgress }: CompareRun,
): Promise<void> {
  const waiting = new Map<string, [string, string]>();
  let known = 0;
  for (const [x, y] of pairs) {
    if (x === y) continue; // copies
    const key = pairKey(x, y);
    if (log.pairs.has(key)) known++;
    else waiting.set(key, x < y ? [x, y] : [y, x]);
  }
  onStart?.(known, waiting.size);
  let done = 0;
  for (const block of inBlocks([...waiting.values()])) {
    const keys = [...new Set(block.flat())];
    const features: Features[] = [];
    for (const key of keys) features.push(shareFeatures(await featuresOf(key)));
    const position = new Map(keys.map((key, i) => [key, i]));
    const numbers = block.map(([a, b]): [number, number] => [position.get(a) as number, position.get(b) as number]);
    const { match, verify } = compare;
    for await (const found of matchPairs(features, numbers, { workers, match, verify })) {
      const [a, b] = [keys[found.a], keys[found.b]];
      const result = examinePair(features[found.a], features[found.b], found, correlationOf(a, b), compare);
      await log.append({ pair: [a, b], ...forLog(result) });
      onProgress?.(++done);
      if (signal?.aborted && done < waiting.size) {
        throw new InputError(
          `Interrupted with ${done} of ${waiting.size} pairs compared; run the same command again to continue.`,
        );
      }
    }
  }
}

/** Pairs in sets that need few images: both of a pair lie in the same two blocks of `imagesPerBlock`. */
function inBlocks(pairs: [string, string][]): Iterable<[string, string][]> {
  const number = new Map<string, number>();
  for (const key of pairs.flat()) if (!number.has(key)) number.set(key, number.size);
  const blockOf = (key: string) => Math.floor((number.get(key) as number) / imagesPerBlock);
  return groupBy(pairs, ([a, b]) => {
    const [x, y] = [blockOf(a), blockOf(b)];
    return `${Math.min(x, y)} ${Math.max(x, y)}`;
  }).values();
}

function forLog({ matches, inliers, overlay, verified }: PairResult): Omit<ComparedPair, 'pair'> {
  return {
    matches,
    inliers,
    ...(overlay !== undefined && { overlay }),
    ...(verified && {
      verified: {
        aToB: [...verified.aToB],
        boxA: [...verified.boxA],
        boxB: [...verified.boxB],
        cellsA: cellsText(verified.cellsA),
        cellsB: cellsText(verified.cellsB),
      },
    }),
  };
}

/** Every pair of positions of equal label, in order. */
export function* pairsWithin(labels: readonly string[]): Generator<[number, number]> {
  for (const list of groupBy(labels.keys(), (i) => labels[i]).values()) {
    for (let x = 0; x < list.length; x++) for (let y = x + 1; y < list.length; y++) yield [list[x], list[y]];
  }
}
