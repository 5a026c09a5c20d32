/**
 * @file `npm run bench:match -- [IMAGES]`: matching and affine verification of pairs of images with 1500 keypoints, in pairs per second
 * on all cores, against OpenCV doing the same (brute force, two nearest, ratio, estimateAffine2D) with one process per core. In turns, so
 * that a drift of the machine meets both. Then 10,000 pairs in one go, with the memory they take.
 *
 * IMAGES is a folder or manifest of photographs; without it the images are made up: planes with 600 of 1500 keypoints in common.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import seedrandom from 'seedrandom';
import { type AffineMap } from '../../src/cleaning/matching/affine-map.js';
import { detectFeatures } from '../../src/cleaning/features/detect.js';
import { descriptorLength, type Features } from '../../src/cleaning/features/features.js';
import { readGreyImage } from '../../src/cleaning/features/grey-image.js';
import { matchPairs, shareFeatures } from '../../src/cleaning/matching/pair-workers.js';
import { listImages } from '../../src/data/image-list.js';
import { planarScene } from '../../test/cleaning/scene.js';
import { clock, median, peerWorker, print, rounded } from './process.js';

const source = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const keypoints = 1500;
const imageCount = 24;
const rounds = 5;
const pairsOfRound = { ours: 400, peer: 150 };
const manyPairs = 10_000;
const edgeInliers = 15;

const features = (source === undefined ? madeUp() : await photographed(source)).map(shareFeatures);

/** One plane, seen from `imageCount` places: shared keypoints move by a map, their descriptors are disturbed; the others are new each time. */
function madeUp(): Features[] {
  const random = seedrandom('bench match');
  const histogram = () =>
    Float32Array.from({ length: descriptorLength }, () => -Math.log(random() + 1e-9) * (random() < 0.5 ? 1 : 0.1));
  const shared = 600;
  const base = Array.from({ length: shared }, histogram);
  return Array.from({ length: imageCount }, () => {
    const near = (value: number, by: number) => value + by * (2 * random() - 1);
    const map: AffineMap = [near(1, 0.3), near(0, 0.2), near(0, 60), near(0, 0.2), near(1, 0.3), near(0, 60)];
    const { b: view } = planarScene({
      map,
      inliers: shared,
      outliers: keypoints - shared,
      noisePx: 2,
      frameNoise: 0.1,
      seed: 1,
    });
    for (let i = 0; i < keypoints; i++) {
      const mine = histogram();
      if (i < shared) base[i].forEach((value, k) => (mine[k] = value + (mine[k] * (1.2 * i)) / shared));
      const sum = mine.reduce((total, value) => total + value);
      view.descriptors.set(
        mine.map((value) => Math.min(255, Math.round(512 * Math.sqrt(value / sum)))),
        i * descriptorLength,
      );
    }
    return view;
  });
}

async function photographed(folder: string): Promise<Features[]> {
  const found: Features[] = [];
  for (const { path } of await listImages(folder)) {
    if (found.length === imageCount) break;
    const image = detectFeatures(await readGreyImage(path), { maxKeypoints: keypoints });
    if (image.count >= keypoints) found.push(image);
  }
  if (found.length < 2)
    throw new Error(`${folder}: expected photographs with ${keypoints} keypoints, found ${found.length}.`);
  return found;
}

const hundredth = (value: number) => rounded(value, 2);

function* pairsFrom(first: number, count: number): Generator<[number, number]> {
  const n = features.length;
  for (let k = first; k < first + count; k++) {
    const a = k % n;
    yield [a, (a + 1 + (Math.floor(k / n) % (n - 1))) % n];
  }
}

async function ours(first: number, count: number, onResult: (done: number) => void = () => {}) {
  const elapsed = clock();
  let [verified, done] = [0, 0];
  for await (const result of matchPairs(features, pairsFrom(first, count))) {
    if (result.count >= edgeInliers) verified++;
    onResult(++done);
  }
  const { ms, cpuMs } = elapsed();
  return { wall: ms, cpu: cpuMs, verified };
}

const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-match-'));
try {
  writeFileSync(join(folder, 'images.json'), JSON.stringify(features.length));
  for (const [n, { descriptors, frames }] of features.entries()) {
    writeFileSync(join(folder, `${n}.descriptors`), descriptors);
    writeFileSync(join(folder, `${n}.frames`), frames);
  }
  const peer = peerWorker('match.py', [folder, String(availableParallelism())], 'cv2, numpy');
  const peerName = await peer?.answer();

  await ours(0, 64);
  type Part = Awaited<ReturnType<typeof ours>>;
  const parts: { ours: Part[]; peer: Part[] } = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    parts.ours.push(await ours(round * pairsOfRound.ours, pairsOfRound.ours));
    if (peer === undefined) continue;
    const pairs = [...pairsFrom(round * pairsOfRound.ours, pairsOfRound.peer)];
    parts.peer.push((await peer.ask(JSON.stringify(pairs))) as Part);
  }
  peer?.close();

  const rssMB: number[] = [];
  await ours(0, manyPairs, (done) => {
    if (done % (manyPairs / 10) === 0) rssMB.push(Math.round(process.memoryUsage().rss / 1e6));
  });
  // medians of the rounds: a pause of the machine spoils one
  const figures = (rows: readonly Part[], count: number) => ({
    pairsPerSecond: hundredth((1000 * count) / median(rows.map(({ wall }) => wall))),
    cpuMsPerPair: hundredth(median(rows.map(({ cpu }) => cpu)) / count),
    verifiedShare: hundredth(median(rows.map(({ verified }) => verified)) / count),
  });
  const mine = figures(parts.ours, pairsOfRound.ours);
  const theirs = peer && figures(parts.peer, pairsOfRound.peer);
  print({
    images: features.length,
    keypoints,
    photographs: source !== undefined,
    cores: availableParallelism(),
    ours: mine,
    peerName,
    peer: theirs,
    ratio: theirs && hundredth(mine.pairsPerSecond / theirs.pairsPerSecond),
    cpuRatio: theirs && hundredth(theirs.cpuMsPerPair / mine.cpuMsPerPair),
    manyPairs,
    rssMB,
    node: process.version,
  });
} finally {
  rmSync(folder, { recursive: true });
}
