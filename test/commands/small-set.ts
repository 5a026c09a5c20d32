/** @file A dozen small images of three textures, their manifest and ground truth, and rmac-small with random weights. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeModelFile } from '../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';

export interface SmallSet {
  folder: string;
  images: string;
  manifest: string;
  groundTruth: string;
  model: string;
}

export async function makeSmallSet(): Promise<SmallSet> {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-set-'));
  const images = join(folder, 'images');
  const records: { id: string; path: string; landmark: string }[] = [];
  for (const [kind, landmark] of ['stripes', 'checks', 'rings'].entries()) {
    mkdirSync(join(images, landmark), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const path = `${landmark}/${i}.png`;
      await writeTexture(join(images, path), kind, i);
      records.push({ id: `${landmark}/${i}`, path, landmark });
    }
  }
  const manifest = join(images, 'manifest.jsonl');
  writeFileSync(manifest, records.map((record) => `${JSON.stringify(record)}\n`).join(''));

  const database = records.map(({ id, path }) => ({ id, image: path }));
  const queries = records.map(({ id, path, landmark }) => ({
    id,
    image: path,
    positives: records.filter((other) => other.landmark === landmark && other.id !== id).map((other) => other.id),
    junk: [id],
  }));
  const groundTruth = join(images, 'groundtruth.json');
  writeFileSync(groundTruth, JSON.stringify({ queries, database }));

  const model = join(folder, 'model.safetensors');
  await writeModelFile(model, { meta: defaultMeta('rmac-small'), weights: initialWeights('rmac-small', 1) });
  return { folder, images, manifest, groundTruth, model };
}

/** 64 x 48 px; `index` shifts and tints the texture. */
async function writeTexture(file: string, kind: number, index: number): Promise<void> {
  const pixels = new Uint8Array(64 * 48 * 3);
  for (let y = 0; y < 48; y++) {
    for (let x = 0; x < 64; x++) {
      const [u, v] = [x + 3 * index, y + 2 * index];
      const wave = [Math.sin(u), Math.sin(u / 2) * Math.sin(v / 2), Math.sin(Math.hypot(u - 40, v - 30) / 3)][kind];
      pixels.set([128 + 100 * wave, 128 + (80 - 10 * index) * wave, 128 - 60 * wave], (y * 64 + x) * 3);
    }
  }
  await sharp(pixels, { raw: { width: 64, height: 48, channels: 3 } })
    .png()
    .toFile(file);
}
