/** @file Global descriptors of a collection from its cached features, for pre-selecting pairs without a descriptor model. */
import { aggregateFeatures, learnVocabulary, type Vocabulary } from './aggregate-features.js';
import { descriptorLength, type Features } from './features.js';
import type { GlobalDescriptors } from '../matching/similar-pairs.js';

/** Features of every image in the vocabulary's sample, and of all images, at most. */
const sampledPerImage = 40;
const sampledAtMost = 20_000;

/** Rows in the order of `keys` (undefined: no features, a row of zeros), from a vocabulary learned on a seeded sample of them. */
export async function aggregateCollection(
  keys: readonly (string | undefined)[],
  featuresOf: (key: string) => Promise<Features>,
  { seed = 1, onProgress }: { seed?: number; onProgress?: (done: number) => void } = {},
): Promise<GlobalDescriptors> {
  const vocabulary = await sampleVocabulary(keys, featuresOf, seed);
  const dimension = Math.max(1, vocabulary.length);
  const data = new Float32Array(keys.length * dimension);
  for (const [row, key] of keys.entries()) {
    if (key !== undefined) data.set(aggregateFeatures(await featuresOf(key), vocabulary), row * dimension);
    onProgress?.(row + 1);
  }
  return { data, dimension };
}

async function sampleVocabulary(
  keys: readonly (string | undefined)[],
  featuresOf: (key: string) => Promise<Features>,
  seed: number,
): Promise<Vocabulary> {
  const known = [...new Set(keys)].filter((key) => key !== undefined);
  const perImage = Math.max(1, Math.min(sampledPerImage, Math.floor(sampledAtMost / Math.max(1, known.length))));
  const step = Math.max(1, Math.ceil((known.length * perImage) / sampledAtMost));
  const rows: Uint8Array[] = [];
  for (let i = 0; i < known.length; i += step) {
    const { count, descriptors } = await featuresOf(known[i]);
    rows.push(descriptors.slice(0, Math.min(perImage, count) * descriptorLength));
  }
  return learnVocabulary(new Uint8Array(Buffer.concat(rows)), { seed });
}
