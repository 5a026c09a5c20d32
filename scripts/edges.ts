/**
 * @file How well matching finds the edges of a reference match graph: `npx tsx scripts/edges.ts MANIFEST EDGES.tsv [--ratio .8 ...]`.
 *
 * Compares all pairs of photographs of each landmark and 2,500 random pairs of different groups. EDGES.tsv has a header and lines
 * `file_a file_b inliers` (tabs; paths as in the manifest), pairs with at least 8 inliers by another program. Prints one JSON object:
 *   found      of the reference's edges with >= 25 inliers, those with >= 15 here
 *   confirmed  of the edges with >= 15 inliers here, those in the reference
 *   false      random pairs with >= 15 inliers here, which show different places
 * and `found` for pairs with a small photograph (longest side at most 320 px) apart.
 */
import { readFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { detectFeatures } from '../src/cleaning/features/detect.js';
import type { Detector, Features } from '../src/cleaning/features/features.js';
import { readGreyImage } from '../src/cleaning/features/grey-image.js';
import { matchPairs, shareFeatures } from '../src/cleaning/matching/pair-workers.js';
import { runAhead } from '../src/data/run-ahead.js';
import { type ImageRecord, readManifest } from '../src/data/manifest.js';
import { RandomStream } from '../src/train/random.js';

const edgeInliers = 15;
const strongInliers = 25;
const randomPairs = 2500;
const smallSide = 320;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ratio: { type: 'string', default: '0.8' },
    unique: { type: 'boolean', default: false },
    mutual: { type: 'boolean', default: false },
    method: { type: 'string', default: 'single' },
    tolerance: { type: 'string', default: '8' },
    keypoints: { type: 'string', default: '1500' },
    longest: { type: 'string', default: '640' },
    detector: { type: 'string', default: 'sift' },
  },
});
const [manifest, edgesFile] = positionals;
if (edgesFile === undefined) throw new Error('Expected: edges.ts MANIFEST EDGES.tsv');

const records = await readManifest(manifest);

const startedAt = performance.now();
const features: Features[] = [];
const decode = ({ path }: ImageRecord) => readGreyImage(path, { longest: Number(values.longest) });
for await (const outcome of runAhead(records, decode, 3)) {
  if ('error' in outcome) throw outcome.error;
  const detector = values.detector as Detector;
  features.push(shareFeatures(detectFeatures(outcome.value, { maxKeypoints: Number(values.keypoints), detector })));
}
const detectedAt = performance.now();

const pairs: [number, number][] = [];
for (let a = 0; a < records.length; a++) {
  for (let b = a + 1; b < records.length; b++) if (records[a].landmark === records[b].landmark) pairs.push([a, b]);
}
const within = pairs.length;
const groupOf = ({ group, landmark }: ImageRecord) => group ?? landmark;
const random = new RandomStream(1);
const drawn = new Set<string>();
while (drawn.size < randomPairs) {
  const [a, b] = [random.below(records.length), random.below(records.length)].sort((x, y) => x - y);
  if (groupOf(records[a]) === groupOf(records[b]) || drawn.has(`${a} ${b}`)) continue;
  drawn.add(`${a} ${b}`);
  pairs.push([a, b]);
}

const nameOf = ({ path }: ImageRecord) => relative(dirname(manifest), path);
const reference = new Map<string, number>();
for (const line of readFileSync(edgesFile, 'utf8').trim().split('\n').slice(1)) {
  const [a, b, inliers] = line.split('\t');
  reference.set([a, b].sort().join(' '), Number(inliers));
}

const share = (part: number, whole: number) => ({ part, whole, share: part / whole });
const count = { strong: 0, found: 0, smallStrong: 0, smallFound: 0, edges: 0, confirmed: 0, false: 0, mostOfRandom: 0 };
let done = 0;
const isSmall = (index: number) => Math.max(features[index].width, features[index].height) <= smallSide;
for await (const { a, b, count: inliers } of matchPairs(features, pairs, {
  match: { ratio: Number(values.ratio), unique: values.unique, mutual: values.mutual },
  verify: { method: values.method as 'single' | 'ransac', tolerancePx: Number(values.tolerance), minInliers: 3 },
})) {
  const isEdge = inliers >= edgeInliers;
  if (done++ >= within) {
    count.false += Number(isEdge);
    count.mostOfRandom = Math.max(count.mostOfRandom, inliers);
    continue;
  }
  const theirs = reference.get([nameOf(records[a]), nameOf(records[b])].sort().join(' ')) ?? 0;
  if (theirs >= strongInliers) {
    const small = Number(isSmall(a) || isSmall(b));
    count.strong++;
    count.found += Number(isEdge);
    count.smallStrong += small;
    count.smallFound += small * Number(isEdge);
  }
  count.edges += Number(isEdge);
  count.confirmed += Number(isEdge && theirs > 0);
}
const seconds = (from: number, to: number) => Math.round((to - from) / 100) / 10;
process.stdout.write(
  `${JSON.stringify({
    settings: values,
    photographs: records.length,
    pairs: within,
    found: share(count.found, count.strong),
    foundSmall: share(count.smallFound, count.smallStrong),
    confirmed: share(count.confirmed, count.edges),
    false: share(count.false, randomPairs),
    mostInliersOfRandomPair: count.mostOfRandom,
    detectSeconds: seconds(startedAt, detectedAt),
    matchSeconds: seconds(detectedAt, performance.now()),
  })}\n`,
);
