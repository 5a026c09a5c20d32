/** @file A model and a handful of photographs small enough to train on in a test. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { ImageRecord } from '../../src/data/manifest.js';
import { encodeModelFile } from '../../src/data/model-file.js';
import { writeFileAtomic } from '../../src/data/files.js';
import { smallModelParts, type SmallModelOptions } from '../support/small-model.js';

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'rmac-train-'));
}

/**
 * Writes `landmarks` x `photos` PNG images: stripes whose direction and colour belong to the landmark, and whose phase and
 * brightness to the photograph. Sides alternate between two shapes.
 */
export async function stripedPhotographs(
  folder: string,
  { landmarks = 3, photos = 3, sidePx = 48 }: { landmarks?: number; photos?: number; sidePx?: number } = {},
): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (let l = 0; l < landmarks; l++) {
    for (let p = 0; p < photos; p++) {
      const [width, height] = p % 2 === 0 ? [sidePx, (sidePx * 2) / 3] : [sidePx, sidePx];
      const data = Buffer.alloc(width * height * 3);
      const angle = (Math.PI * l) / landmarks;
      for (let i = 0; i < width * height; i++) {
        const along = (i % width) * Math.cos(angle) + Math.floor(i / width) * Math.sin(angle);
        const wave = 0.5 + 0.5 * Math.sin(along / 3 + 1.7 * p);
        for (let c = 0; c < 3; c++) data[3 * i + c] = (0.6 + 0.1 * (p % 4)) * 255 * wave * (c === l % 3 ? 1 : 0.5);
      }
      const path = join(folder, `l${l}-p${p}.png`);
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(path);
      records.push({ id: `l${l}/p${p}`, path, landmark: `l${l}` });
    }
  }
  return records;
}

/** Writes a seeded model file. */
export async function tinyModelFile(folder: string, options: SmallModelOptions = {}): Promise<string> {
  const { meta, weights } = smallModelParts(options);
  const file = join(folder, 'tiny.safetensors');
  await writeFileAtomic(file, encodeModelFile(meta, weights), { overwrite: true });
  return file;
}
