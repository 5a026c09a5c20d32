/** @file Every photograph of a collection described once: its content's hash, its local features in the cache, its signature in the log. */
import { createHash } from 'node:crypto';
import { readImageFile } from '../../data/image-format.js';
import { runAhead } from '../../data/run-ahead.js';
import { InputError } from '../../errors.js';
import type { ImageDescription } from './describe-image.js';
import type { FeatureCache } from './feature-cache.js';
import type { LoggedImage, MatchLog } from '../graph/match-log.js';

/** What a photograph is known by; `error` where it could not be described. */
export type PhotographFacts = (LoggedImage & { error?: undefined }) | { error: string };

/** Detects the features of an image file and makes its signature. */
export type DescribeImage = (path: string) => Promise<ImageDescription>;

export interface DescribeRun {
  cache: FeatureCache;
  log: MatchLog;
  describe: DescribeImage;
  /** Images in the making at once. */
  ahead: number;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
}

/** Facts of each path, in order. A file that cannot be used has an error; equal files have equal facts. */
export async function describePhotographs(
  paths: readonly string[],
  { cache, log, describe, ahead, signal, onProgress }: DescribeRun,
): Promise<PhotographFacts[]> {
  const facts: PhotographFacts[] = [];
  const work = async (path: string) => {
    const key = await contentKey(path);
    const known = log.images.get(key);
    if (known !== undefined && cache.has(key)) return { known };
    return { key, ...(await describe(path)) };
  };
  for await (const outcome of runAhead(paths, work, ahead)) {
    if (signal?.aborted) throw new InputError(`Interrupted after ${facts.length} of ${paths.length} photographs.`);
    if ('error' in outcome) {
      if (!(outcome.error instanceof InputError)) throw outcome.error;
      facts.push({ error: withoutPath(outcome.error.message, outcome.item) });
    } else if ('known' in outcome.value && outcome.value.known !== undefined) {
      facts.push(outcome.value.known);
    } else if ('features' in outcome.value) {
      const { key, features, signature } = outcome.value;
      await cache.put(key, features);
      const line: LoggedImage = {
        image: key,
        width: features.width,
        height: features.height,
        keypoints: features.count,
        signature: Buffer.from(signature).toString('base64'),
      };
      if (!log.images.has(key)) await log.append(line);
      facts.push(line);
    }
    onProgress?.(facts.length);
  }
  return facts;
}

/** Hash of a file's bytes. @throws as `readImageFile`. */
export async function contentKey(path: string): Promise<string> {
  const bytes = await readImageFile(path);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** The message without the path it starts with, which is listed beside it. */
function withoutPath(message: string, path: string): string {
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}
