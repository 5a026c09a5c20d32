/**
 * @file Repeatability and matching score on sequences of images with known homographies (img1.png, H1to2p ... in a folder each),
 * ours against OpenCV's SIFT and VLFeat's Hessian-affine, at the same number of keypoints and by the same evaluator:
 *
 *     npx tsx scripts/repeatability/run.ts FOLDER... [--max 1000] [--covdet BINARY] [--json]
 *
 * OpenCV needs /usr/bin/python3 with cv2 (Debian: python3-opencv), VLFeat the program built from covdet.c.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DetectOptions, detectFeatures } from '../../src/cleaning/features/detect.js';
import { descriptorLength, type Features, frameLength } from '../../src/cleaning/features/features.js';
import { type GreyImage, readGreyImage } from '../../src/cleaning/features/grey-image.js';
import { evaluate, type Score } from './evaluate.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { max: { type: 'string', default: '1000' }, covdet: { type: 'string' }, json: { type: 'boolean' } },
});
const maxKeypoints = Number(values.max);
const folder = mkdtempSync(join(tmpdir(), 'rmac-repeatability-'));
type Detector = (image: GreyImage, file: string) => Features;
const ours =
  (options: DetectOptions): Detector =>
  (image) =>
    detectFeatures(image, { ...options, maxKeypoints });

/** Rows of floats: a frame, the response, then SIFT's values, made RootSIFT bytes as ours. */
function fromRows(rows: Float32Array, { width, height }: GreyImage): Features {
  const length = frameLength + 1 + descriptorLength;
  const count = Math.min(maxKeypoints, rows.length / length);
  const frames = new Float32Array(count * frameLength);
  const responses = new Float32Array(count);
  const descriptors = new Uint8Array(count * descriptorLength);
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * length, (i + 1) * length);
    frames.set(row.subarray(0, frameLength), i * frameLength);
    responses[i] = Math.abs(row[frameLength]);
    const bins = row.subarray(frameLength + 1);
    const sum = bins.reduce((total, bin) => total + bin, 0);
    const bytes = bins.map((bin) => Math.min(255, Math.round(512 * Math.sqrt(bin / Math.max(sum, 1e-12)))));
    descriptors.set(bytes, i * descriptorLength);
  }
  return { count, frames, responses, descriptors, width, height };
}

function rowsOf(file: string): Float32Array {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const detectors: Record<string, Detector> = {
  'SIFT, ours': ours({ detector: 'sift' }),
  'SIFT, OpenCV': (image, file) => {
    const out = join(folder, 'opencv.bin');
    const script = new URL('opencv.py', import.meta.url).pathname;
    execFileSync('/usr/bin/python3', [script, file, String(maxKeypoints), out]);
    return fromRows(rowsOf(out), image);
  },
  'Hessian-affine, ours': ours({ detector: 'hessian-affine' }),
};
const { covdet } = values;
if (covdet !== undefined) {
  detectors['Hessian-affine, VLFeat'] = (image, _file) => {
    const [raw, out] = [join(folder, 'image.raw'), join(folder, 'covdet.bin')];
    writeFileSync(raw, image.data);
    execFileSync(covdet, [raw, String(image.width), String(image.height), String(maxKeypoints), out]);
    return fromRows(rowsOf(out), image);
  };
}

const table: Record<string, unknown>[] = [];
try {
  for (const sequence of positionals) {
    const images = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async (i) => {
        const file = join(sequence, `img${i}.png`);
        return { file, image: await readGreyImage(file, { longest: 'none' }) };
      }),
    );
    for (const [name, detect] of Object.entries(detectors)) {
      const [first, ...others] = images.map(({ image, file }) => detect(image, file));
      const scores = others.map((other, i) => {
        const homography = readFileSync(join(sequence, `H1to${i + 2}p`), 'utf8')
          .trim()
          .split(/\s+/)
          .map(Number);
        return evaluate(first, other, homography);
      });
      table.push({ sequence: basename(sequence), detector: name, keypoints: first.count, ...summary(scores) });
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
if (values.json === true) process.stdout.write(`${JSON.stringify(table)}\n`);
else for (const row of table) process.stdout.write(`${Object.values(row).flat().join('\t')}\n`);

/** Per cent: means over the five pairs, then pair by pair. */
function summary(scores: readonly Score[]) {
  const percent = (of: (score: Score) => number) => scores.map((score) => Math.round(1000 * of(score)) / 10);
  const mean = (list: readonly number[]) => Math.round((10 * list.reduce((a, b) => a + b, 0)) / list.length) / 10;
  const [repeatability, matchingScore] = [percent((s) => s.repeatability), percent((s) => s.matchingScore)];
  return {
    repeatability: mean(repeatability),
    matchingScore: mean(matchingScore),
    repeatability_pairs: repeatability.join(' '),
    matching_pairs: matchingScore.join(' '),
  };
}
