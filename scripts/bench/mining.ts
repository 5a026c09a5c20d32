/**
 * @file `npm run bench:mining`: the loss of every triplet of a pool of 10,000 descriptors of 2048 dimensions, at 17 and at 300
 * photographs per landmark. Prints seconds, triplets per second and peak memory as JSON lines.
 */
import { startEngine } from '../../src/backend/index.js';
import { engineSimilarity } from '../../src/retrieval/engine-similarity.js';
import { mineTriplets } from '../../src/train/ranking/mining.js';
import { lengthOf } from '../../src/extremes.js';

await startEngine({ device: 'cpu' });
const [images, dimension] = [10_000, 2048];
for (const perLandmark of [17, 300]) {
  const landmarks = Int32Array.from({ length: images }, (_, i) => Math.floor(i / perLandmark));
  const data = new Float32Array(images * dimension);
  let state = 1;
  const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  const centre = new Float32Array(dimension);
  for (let i = 0; i < images; i++) {
    if (i % perLandmark === 0) for (let d = 0; d < dimension; d++) centre[d] = noise();
    const row = data.subarray(i * dimension, (i + 1) * dimension);
    for (let d = 0; d < dimension; d++) row[d] = centre[d] * 0.5 + noise();
    const length = lengthOf(row);
    for (let d = 0; d < dimension; d++) row[d] /= length;
  }
  const table = { data, dimension, ids: Array.from({ length: images }, (_, i) => `${i}`) };
  const startedAt = performance.now();
  const engine = engineSimilarity(table);
  const labels = { landmarks, groups: new Int32Array(images).fill(-1) };
  const mined = await mineTriplets(table, labels, { margin: 0.5, hardestPerQuery: 25, similarity: engine.similarity });
  engine.dispose();
  const seconds = (performance.now() - startedAt) / 1000;
  const line = {
    images,
    dimension,
    perLandmark,
    seconds: Math.round(seconds * 100) / 100,
    triplets: mined.possible,
    withLoss: mined.withLoss,
    kept: mined.losses.length,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
