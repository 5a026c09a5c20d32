/** @file The two long stages of cleaning, describing and comparing, over the cache and the log that make them resumable. */
import { join } from 'node:path';
import { lockFolder } from '../data/folder-lock.js';
import type { ImageRecord } from '../data/manifest.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import type { CompareOptions } from './matching/compare-pair.js';
import { comparePhotographs } from './matching/compare-photographs.js';
import type { DescribeImageOptions } from './features/describe-image.js';
import { describePhotographs, type PhotographFacts } from './features/describe-photographs.js';
import { DescribeWorkers } from './features/describe-workers.js';
import { FeatureCache } from './features/feature-cache.js';
import type { Features } from './features/features.js';
import { MatchLog, matchLogFile } from './graph/match-log.js';
import { signatureCorrelation } from './features/near-duplicates.js';

export interface StageOptions {
  /** Working folder for the log and the features. */
  folder: string;
  /** Another folder for the features, to share them between runs. */
  cacheFolder?: string;
  cacheBytes?: number;
  describe?: DescribeImageOptions;
  compare?: CompareOptions;
  /** Worker threads. Default: all cores. */
  workers?: number;
  shard?: Shard;
  /** Begin again where a log has other settings. */
  overwrite?: boolean;
  signal?: AbortSignal;
  view?: CleaningView;
}

/** What a person is shown meanwhile. */
export interface CleaningView {
  /** A stage of `total` items begins; `known` further ones are finished already. */
  start(stage: 'describe' | 'compare' | 'pre-select' | 'compare across', total: number, known: number): void;
  update(done: number): void;
  stop(): void;
}

const silent: CleaningView = { start: () => undefined, update: () => undefined, stop: () => undefined };

/** Open it, run stages, close it. */
export class CleanStages {
  readonly log: MatchLog;
  readonly view: CleaningView;
  readonly #cache: FeatureCache;
  readonly #options: StageOptions;
  readonly #workers: DescribeWorkers;
  /** A file of each content. */
  readonly #paths = new Map<string, string>();

  private constructor(
    log: MatchLog,
    cache: FeatureCache,
    options: StageOptions,
    private readonly release: () => void,
  ) {
    this.log = log;
    this.view = options.view ?? silent;
    this.#cache = cache;
    this.#options = options;
    this.#workers = new DescribeWorkers(options.describe, options.workers);
  }

  /** @throws InputError where the folder cannot be used, another process writes into it, or its log has other settings. */
  static async open(options: StageOptions): Promise<CleanStages> {
    const { folder, cacheFolder, cacheBytes, describe = {}, compare = {}, shard, overwrite } = options;
    const features = { features: JSON.stringify(describe) };
    const release = await lockFolder(folder, { shard, within: ['features'] });
    try {
      const cache = await FeatureCache.open(cacheFolder ?? join(folder, 'features'), {
        settings: features,
        ...(cacheBytes !== undefined && { maxBytes: cacheBytes }),
      });
      const settings = { ...features, matches: JSON.stringify(compare) };
      const log = await MatchLog.open(matchLogFile(folder, shard), settings, { overwrite });
      return new CleanStages(log, cache, options, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Facts of every photograph, in order. */
  async describe(records: readonly ImageRecord[]): Promise<PhotographFacts[]> {
    this.view.start('describe', records.length, 0);
    const facts = await describePhotographs(
      records.map(({ path }) => path),
      {
        cache: this.#cache,
        log: this.log,
        describe: (path) => this.#workers.describe(path),
        ahead: 2 * this.#workers.count + 1,
        signal: this.#options.signal,
        onProgress: (done) => this.view.update(done),
      },
    );
    this.view.stop();
    for (const [i, fact] of facts.entries()) if (fact.error === undefined) this.#paths.set(fact.image, records[i].path);
    return facts;
  }

  /** Compares pairs of positions of `facts` that the log does not have. */
  async compare(
    pairs: readonly (readonly [number, number])[],
    facts: readonly PhotographFacts[],
    stage: 'compare' | 'compare across',
  ): Promise<void> {
    const signatures = new Map<string, Uint8Array>();
    const signatureOf = (key: string) => signatures.get(key) as Uint8Array;
    for (const fact of facts) {
      if (fact.error === undefined) signatures.set(fact.image, Uint8Array.from(Buffer.from(fact.signature, 'base64')));
    }
    const keyPairs = pairs.flatMap(([a, b]): [string, string][] => {
      const [one, other] = [facts[a], facts[b]];
      return one.error === undefined && other.error === undefined ? [[one.image, other.image]] : [];
    });
    const { compare, workers, signal } = this.#options;
    await comparePhotographs(keyPairs, {
      log: this.log,
      featuresOf: (key) => this.featuresOf(key),
      correlationOf: (a, b) => signatureCorrelation(signatureOf(a), signatureOf(b)),
      compare,
      workers,
      signal,
      onStart: (known, waiting) => this.view.start(stage, waiting, known),
      onProgress: (done) => this.view.update(done),
    });
    this.view.stop();
  }

  /** Features of a described content; detected again where the cache has dropped them. */
  async featuresOf(key: string): Promise<Features> {
    const cached = await this.#cache.get(key);
    if (cached !== undefined) return cached;
    const path = this.#paths.get(key);
    if (path === undefined) throw new Error(`featuresOf: ${key} was not described in this run.`);
    const { features } = await this.#workers.describe(path);
    await this.#cache.put(key, features);
    return features;
  }

  async close(): Promise<void> {
    this.view.stop();
    try {
      await this.#workers.close();
      await this.log.close();
    } finally {
      this.release();
    }
  }
}
