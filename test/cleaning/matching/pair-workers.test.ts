import { expect, test } from 'vitest';
import { type Features } from '../../../src/cleaning/features/features.js';
import { matchFeatures } from '../../../src/cleaning/matching/matching.js';
import { matchPairs, type VerifiedPair, shareFeatures } from '../../../src/cleaning/matching/pair-workers.js';
import { verify } from '../../../src/cleaning/matching/verification.js';
import { planarScene } from '../scene.js';

/** Views of one plane, features with descriptors that match; the last image is of something else. */
function views(): Features[] {
  const maps = [
    [1, 0, 0, 0, 1, 0],
    [0.9, 0.1, 5, -0.1, 0.9, 9],
    [1.2, 0, -30, 0.2, 1.1, 4],
  ] as const;
  const images = maps.map((map) => planarScene({ map, inliers: 60, seed: 3 }).b);
  images.push(planarScene({ map: maps[0], inliers: 60, seed: 4 }).b);
  for (const [n, image] of images.entries()) {
    image.descriptors.forEach((_, k, all) => {
      all[k] = ((k * 2654435761 + (n === 3 ? 12345 : 0)) >>> 13) & 127;
    });
  }
  return images;
}

async function collect(results: AsyncIterable<VerifiedPair>): Promise<VerifiedPair[]> {
  const list = [];
  for await (const result of results) list.push(result);
  return list;
}

test('matchPairs: the results of matchFeatures and verify, in the order of the pairs', async () => {
  const features = views().map(shareFeatures);
  const pairs: [number, number][] = [];
  for (let k = 0; k < 40; k++) pairs.push([k % 4, (k * 7 + 1) % 4]);
  const found = await collect(matchPairs(features, pairs, { workers: 2, batchSize: 3, verify: { minInliers: 10 } }));
  const expected = pairs.map(([a, b]) => {
    const matches = matchFeatures(features[a], features[b]);
    return { a, b, matches: matches.count, ...verify(features[a], features[b], matches, { minInliers: 10 }) };
  });
  expect(found).toEqual(expected);
  expect(found.filter(({ count }) => count >= 50).length).toBeGreaterThan(10);
});

test('matchPairs: reads endless pairs only as results are taken, and stops when its reader does', async () => {
  const features = views().map(shareFeatures);
  let read = 0;
  function* endless(): Generator<[number, number]> {
    for (;;) {
      read++;
      yield [0, 1];
    }
  }
  let taken = 0;
  for await (const { count } of matchPairs(features, endless(), { workers: 2, batchSize: 4 })) {
    expect(count).toBeGreaterThan(0);
    if (++taken === 30) break;
  }
  // the batch in the reader's hands, and five on their way
  expect(read).toBeLessThanOrEqual(30 + 4 * 6);
});

test('matchPairs: a worker that fails is an error that names the pair; so is an image that is not there', async () => {
  const features = views().map(shareFeatures);
  const broken = { ...features[1], frames: undefined } as unknown as Features;
  const results = matchPairs(
    [features[0], broken],
    [
      [0, 0],
      [0, 1],
    ],
    { workers: 1, batchSize: 2 },
  );
  await expect(collect(results)).rejects.toThrow(/A worker failed on images 0 and 1: .*undefined/);
  await expect(collect(matchPairs(features, [[0, 4]]))).rejects.toThrow('names image 4; there are features of 4');
  await expect(collect(matchPairs(features, []))).resolves.toEqual([]);
});
