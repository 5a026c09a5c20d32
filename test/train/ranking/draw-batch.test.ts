import { describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { plainSimilarity } from '../../../src/linear/rows.js';
import { type BatchConfig, drawList, tupleNegatives } from '../../../src/train/ranking/draw-batch.js';
import { mineTriplets, numberLabels } from '../../../src/train/ranking/mining.js';
import { RandomStream } from '../../../src/train/random.js';

const config: BatchConfig = {
  loss: 'average-precision',
  tripletsPerStep: 2,
  sampling: 'ijcv',
  margin: 0.1,
  negativesPerTuple: 5,
  listSize: 6,
  photographsPerLandmark: 2,
  bins: 20,
  augmentation: { flip: false, colour: 0, crop: 0 },
};

const record = (landmark: string, i: number, group?: string): ImageRecord => ({
  id: `${landmark}${i}`,
  path: `${landmark}${i}.jpg`,
  landmark,
  ...(group !== undefined && { group }),
});

describe('tupleNegatives', () => {
  test('hardest first, one per landmark and group', async () => {
    // Query a0 with positive a1; its negatives by falling similarity: b0, b1, c0 (of b's group), d0.
    const images = [
      record('a', 0),
      record('a', 1),
      record('b', 0, 'g'),
      record('b', 1, 'g'),
      record('c', 0, 'g'),
      record('d', 0),
    ];
    const rows = [0, 1.2, 0.1, 0.2, 0.3, 0.4].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
    const labels = numberLabels(images);
    const table = { data: Float32Array.from(rows), dimension: 2, ids: images.map(({ id }) => id) };
    const mined = await mineTriplets(table, labels, {
      margin: 0.5,
      hardestPerQuery: 25,
      similarity: plainSimilarity(table),
    });
    expect(mined.triplets[0]).toBe(0);
    expect(tupleNegatives(mined, 0, labels, 5)).toEqual([2, 5]);
    expect(tupleNegatives(mined, 0, labels, 1)).toEqual([2]);
    // The sampled negative comes first, whatever its place.
    expect(tupleNegatives(mined, 3, labels, 5)).toEqual([5, 2]);
  });
});

describe('drawList', () => {
  const images = ['a', 'a', 'a', 'b', 'b', 'c', 'd', 'd', 'e', 'e'].map((landmark, i) => record(landmark, i));
  const draw = (changes: Partial<BatchConfig> = {}, seed = 1) =>
    drawList(images, numberLabels(images), { ...config, ...changes }, new RandomStream(seed)).batch.images.map(
      ({ record: { landmark } }) => landmark,
    );

  test('every landmark in the list has a positive there, and at most the photographs asked for', () => {
    for (let seed = 0; seed < 20; seed++) {
      const landmarks = draw({ listSize: 7 }, seed); // an odd place stays empty
      expect(landmarks).toHaveLength(6);
      for (const landmark of new Set(landmarks)) {
        expect(landmark).not.toBe('c'); // has one photograph
        expect(landmarks.filter((other) => other === landmark)).toHaveLength(2);
      }
    }
  });

  test('takes all photographs there are when the list is longer', () => {
    expect(draw({ listSize: 100, photographsPerLandmark: 5 }).toSorted().join('')).toBe('aaabbddee');
  });

  test('one seed, one list', () => {
    expect(draw({}, 3)).toEqual(draw({}, 3));
    expect(new Set(Array.from({ length: 10 }, (_, seed) => draw({}, seed).join(''))).size).toBeGreaterThan(1);
  });
});
