/**
 * @file `npm run bench:mining`: the loss of every triplet of a pool of 10,000 descriptors of 2048 dimensions, at 17 and at 300
 * photographs per landmark. Prints seconds, triplets per second and peak memory as JSON lines.
 */
import { startEngine } from '../../src/backend/index.js';
import { engineSimilarity } from '../../src/retrieval/engine-similarity.js';
import { mineTriplets } from '../../src/train/ranking/mining.js';
import { lengthOf } from '../../src/extremes.js';
import { clock, noise, print, rounded } from './process.js';

await startEngine({ device: 'cpu' });
const [images, dimension] = [10_000, 2048];
for (const perLandmark of [17, 300]) {
  const landmarks = Int32Array.from({ length: images }, (_, i) => Math.floor(i / perLandmark));
  const data = new Float32Array(images * dimension);
  const next = noise(1);
  const centre = new Float32Array(dimension);
  for (let i = 0; i < images; i++) {
    if (i % perLandmark === 0) for (let d = 0; d < dimension; d++) centre[d] = next() - 0.5;
    const row = data.subarray(i * dimension, (i + 1) * dimension);
    for (let d = 0; d < dimension; d++) row[d] = centre[d] * 0.5 + (next() - 0.5);
    const length = lengthOf(row);
    for (let d = 0; d < dimension; d++) row[d] /= length;
  }
  const table = { data, dimension, ids: Array.from({ length: images }, (_, i) => `${i}`) };
  const elapsed = clock();
  const engine = engineSimilarity(table);
  const labels = { landmarks, groups: new Int32Array(images).fill(-1) };
  const mined = await mineTriplets(table, labels, { margin: 0.5, hardestPerQuery: 25, similarity: engine.similarity });
  engine.dispose();
  const seconds = rounded(elapsed().ms / 1000, 2);
  print({
    images,
    dimension,
    perLandmark,
    seconds,
    triplets: mined.possible,
    withLoss: mined.withLoss,
    kept: mined.losses.length,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
  });
}
