/**
 * @file `npm run bench:sift [-- IMAGE] [--json]`: SIFT, keypoints and descriptors, against OpenCV's on one thread, in turns in
 * one run, the side whose turn it is not stopped. Without IMAGE a generated photograph; either cut to 800 x 600 px.
 * `ratio` = our time per keypoint / OpenCV's.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { greyImage } from '../../src/cleaning/features/grey-image.js';
import { siftFeatures } from '../../src/cleaning/features/sift.js';
import { synthesizeLandmarks } from '../../src/synthetic/dataset.js';
import { listImages } from '../../src/data/image-list.js';
import { clock, median, peerWorker } from './process.js';
import { largest, smallest } from '../../src/extremes.js';

const runs = 15;
const [width, height] = [800, 600];
const file = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-'));
try {
  const result = await bench(file ?? (await photograph()));
  process.stdout.write(`${JSON.stringify(result, null, process.argv.includes('--json') ? undefined : 1)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}

async function bench(source: string) {
  const { data } = await sharp(source)
    .resize(width, height, { fit: 'cover' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const image = greyImage({ data, width, height });
  const raw = join(folder, 'image.raw');
  writeFileSync(raw, image.data);
  const peer = peerWorker('sift.py', [], 'cv2');
  if (peer === undefined) throw new Error('bench:sift needs OpenCV for Python (Debian: python3-opencv).');
  const { opencv } = (await peer.answer()) as { opencv: string };
  const entries = [];
  for (const [name, maximum] of Object.entries({ '1500 strongest': 1500, all: 0 })) {
    const ours: number[] = [];
    const theirs: number[] = [];
    let [keypoints, peerKeypoints] = [0, 0];
    for (let run = -3; run < runs; run++) {
      const elapsed = clock();
      keypoints = siftFeatures(image, { maxKeypoints: maximum === 0 ? 1e6 : maximum }).count;
      const { ms } = elapsed();
      const answer = (await peer.ask(`${raw} ${width} ${height} ${maximum}`)) as { ms: number; keypoints: number };
      peerKeypoints = answer.keypoints;
      if (run < 0) continue; // warming up
      ours.push(ms);
      theirs.push(answer.ms);
    }
    const [mine, other] = [median(ours) / keypoints, median(theirs) / peerKeypoints];
    const round = (value: number, digits = 3) => Number(value.toPrecision(digits));
    entries.push({
      keypoints: name,
      found: keypoints,
      peer_found: peerKeypoints,
      ours_ms: round(median(ours), 4),
      ours_range_ms: [smallest(ours), largest(ours)].map((value) => round(value)),
      peer_ms: round(median(theirs), 4),
      peer_range_ms: [smallest(theirs), largest(theirs)].map((value) => round(value)),
      ours_us_per_keypoint: round(1e3 * mine),
      peer_us_per_keypoint: round(1e3 * other),
      ratio: round(mine / other),
    });
  }
  await peer.end().catch(() => undefined);
  return { image: `${width}x${height}`, peer: `OpenCV ${opencv}, 1 thread`, node: process.version, runs, entries };
}

async function photograph(): Promise<string> {
  const out = join(folder, 'photographs');
  await synthesizeLandmarks(out, { landmarks: 3, photos: 3, noise: 0, size: 1000, seed: 7 });
  const [first] = await listImages(out);
  return first.path;
}
