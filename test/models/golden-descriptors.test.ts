/** @file Real networks on real photographs against descriptors that an independent float32 implementation computed. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { importWeights } from '../../src/models/import-weights.js';
import { loadModel, writeModelFile } from '../../src/data/model-file.js';
import { parseSafetensors } from '../../src/models/safetensors.js';
import { cosine } from '../support/close.js';
import { sharedData } from '../support/data.js';
import '../support/engine.js';
import { readGoldenNpy } from '../support/npy.js';

interface GoldenEntry {
  image: string;
  network: string;
  map_hwc: [number, number, number];
  map_sum: number;
  map_max: number;
}

const networks = [
  { golden: 'densenet121', file: 'densenet121.safetensors', architecture: 'densenet121', cut: 'norm' },
  { golden: 'resnet50_conv4', file: 'resnet50_conv1-4.safetensors', architecture: 'resnet50', cut: 'activation_40' },
];
const poolings = [
  { golden: 'mac', pooling: { kind: 'mac' } },
  { golden: 'spoc', pooling: { kind: 'spoc' } },
  { golden: 'gem3', pooling: { kind: 'gem', p: 3 } },
  { golden: 'rmac_l3', pooling: { kind: 'rmac', levels: 3 } },
] as const;

async function readImage(file: string): Promise<tf.Tensor4D> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return tf.tensor4d(Float32Array.from(data), [1, info.height, info.width, 3]);
}

describe.skipIf(sharedData === undefined).each(networks)('$golden', ({ golden, file, architecture, cut }) => {
  const folder = join(sharedData ?? '', 'golden');

  test('imported from its published names, its four descriptors and its map equal the reference', async () => {
    const path = join(sharedData!, 'weights', file);
    const { meta, weights } = importWeights(parseSafetensors(readFileSync(path), path).tensors, path, {
      architecture,
      cut,
    });
    const modelFile = join(mkdtempSync(join(tmpdir(), 'rmac-')), 'model.safetensors');
    await writeModelFile(modelFile, { meta, weights });
    const entries = (JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as GoldenEntry[]).filter(
      (e) => e.network === golden,
    );
    const images = await Promise.all(entries.map((entry) => readImage(join(folder, 'images', entry.image))));
    expect(entries.length).toBe(4);

    for (const { golden: name, pooling } of poolings) {
      const model = await loadModel(modelFile, { pooling });
      const expected = readGoldenNpy(join(folder, `${golden}.${name}.npy`));
      const dimension = expected.length / entries.length;
      for (const [i, image] of images.entries()) {
        const descriptor = await tf.tidy(() => model.describe(image)).data<'float32'>();
        const row = expected.subarray(i * dimension, (i + 1) * dimension);
        const worst = descriptor.reduce((max, v, k) => Math.max(max, Math.abs(v - row[k])), 0);
        expect(cosine(descriptor, row), `${name} of image ${i}: cosine`).toBeGreaterThanOrEqual(0.99999);
        expect(worst, `${name} of image ${i}: largest difference`).toBeLessThan(1e-4);
        if (name !== 'mac') continue;
        const map = tf.tidy(() => model.featureMap(image));
        const [height, width, channels] = entries[i].map_hwc;
        expect(map.shape).toEqual([1, height, width, channels]);
        const values = await map.data<'float32'>();
        const sum = values.reduce((a, b) => a + b, 0);
        expect(Math.abs(sum / entries[i].map_sum - 1), 'sum of the map').toBeLessThan(1e-4);
        expect(Math.abs(values.reduce((a, b) => Math.max(a, b)) / entries[i].map_max - 1)).toBeLessThan(1e-4);
        map.dispose();
      }
      model.dispose();
    }
    tf.dispose(images);
  });
});
