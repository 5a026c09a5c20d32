/**
 * @file Keypoints of a query that agree with those of a photograph on one affine map: features, matching and verification of the cleaning.
 * Features of the collection are kept in memory and in `features/` of the index, both bounded; a photograph is described at its first use.
 */
import { join } from 'node:path';
import { boxAroundPoints } from '../cleaning/boxes/boxes.js';
import { detectFeatures } from '../cleaning/features/detect.js';
import { descriptorLength, type Features, frameLength } from '../cleaning/features/features.js';
import { FeatureCache } from '../cleaning/features/feature-cache.js';
import { readGreyImage } from '../cleaning/features/grey-image.js';
import { matchFeatures } from '../cleaning/matching/matching.js';
import { verify } from '../cleaning/matching/verification.js';
import type { Box } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { CollectionRecord } from './collection-record.js';
import { photographPath } from './index-folder.js';
import { type LookedForQuery, type LookInside, RecentlyUsed, type SecondLook } from './second-look.js';

/** Keypoints of a photograph, the strongest, and the longest side that they are looked for at, px. */
const detection = { maxKeypoints: 1500, longestPx: 640 };
/** Of the files, and of what is in memory. */
const mostFileBytes = 2 ** 30;
const mostMemoryBytes = 2 ** 28;

/** Keypoints that two photographs of one thing share at least; what two of other things share stays below (results/cleaning.md). */
export const surelyAgreeing = 15;

/** The features of a collection's photographs. */
export class CollectionFeatures {
  readonly #recent = new RecentlyUsed<Features>(mostMemoryBytes);
  readonly #cache: Promise<FeatureCache | undefined>;

  constructor(private readonly folder: string) {
    const settings = Object.fromEntries(Object.entries(detection).map(([name, value]) => [name, `${value}`]));
    // Without a place to write to, they are in memory alone.
    this.#cache = FeatureCache.open(join(folder, 'features'), { settings, maxBytes: mostFileBytes }).catch(notInput);
  }

  /** @throws InputError for a photograph that cannot be read. */
  async of({ path, sha256 }: CollectionRecord): Promise<Features> {
    const recent = this.#recent.get(sha256);
    if (recent !== undefined) return recent;
    const cache = await this.#cache;
    const kept = await cache?.get(sha256);
    const features = kept ?? (await featuresOf({ image: photographPath(this.folder, path) }));
    if (kept === undefined) await cache?.put(sha256, features).catch(notInput);
    this.#recent.set(sha256, features, features.count * (descriptorLength + 4 * frameLength));
    return features;
  }

  /** Counts what agrees with a query. */
  async lookFor(query: LookedForQuery): Promise<LookInside> {
    const own = await featuresOf(query);
    return async (record) => agreementOf(own, await this.of(record));
  }
}

/** Keypoints of two photographs that agree. */
export function agreementOf(query: Features, item: Features): SecondLook {
  const { count, inliers } = verify(query, item, matchFeatures(query, item));
  if (count === 0) return { score: 0, agreeing: 0 };
  return {
    score: count,
    agreeing: count,
    regions: { query: regionOf(query, inliers, 0), item: regionOf(item, inliers, 1) },
  };
}

async function featuresOf({ image, box }: LookedForQuery): Promise<Features> {
  const grey = await readGreyImage(image, { longest: detection.longestPx, crop: box });
  const features = detectFeatures(grey, { maxKeypoints: detection.maxKeypoints });
  if (box === undefined) return features;
  const { frames } = features;
  for (let i = 0; i < frames.length; i += frameLength) {
    frames[i] += box.x;
    frames[i + 1] += box.y;
  }
  return features;
}

/** The box of the keypoints of one side. */
function regionOf({ frames }: Features, inliers: Uint32Array, side: 0 | 1): Box {
  const points: number[] = [];
  for (let k = side; k < inliers.length; k += 2) {
    points.push(frames[inliers[k] * frameLength], frames[inliers[k] * frameLength + 1]);
  }
  const [yMin, xMin, yMax, xMax] = boxAroundPoints(points);
  const rounded = (px: number) => Math.round(10 * px) / 10;
  return { x: rounded(xMin), y: rounded(yMin), width: rounded(xMax - xMin), height: rounded(yMax - yMin) };
}

function notInput(error: unknown): undefined {
  if (!(error instanceof InputError)) throw error;
  return undefined;
}
