import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readManifest } from '../src/data/manifest.js';
import { loadModel } from '../src/data/model-file.js';
import { synthesizeLandmarks } from '../src/synthetic/dataset.js';
import { renderCategory } from '../src/synthetic/categories.js';
import { toTensor } from '../src/data/images.js';
import { defaultMeta, initialWeights } from '../src/models/architectures.js';
import { DescriptorModel } from '../src/models/descriptor.js';
import { describeGroundTruth } from '../src/retrieval/describe-ground-truth.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { labelsGroundTruth } from '../src/retrieval/ground-truth.js';
import { expectClose } from './support/close.js';
import './support/engine.js';

const folder = resolve(import.meta.dirname, '../checkpoints');
const file = join(folder, 'rmac-small.safetensors');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');

test('the starting trunk has at most 3 MB and the checksum the README states', () => {
  const bytes = readFileSync(file);
  expect(bytes.length).toBeLessThanOrEqual(3e6);
  expect(readme).toContain(`\`${createHash('sha256').update(bytes).digest('hex')}\``);
});

test('it says what it is, without a path, host or time', async () => {
  const model = await loadModel(file);
  expect(model.meta).toMatchObject({
    architecture: 'rmac-small',
    cut: 'out',
    imageSize: 320,
    pooling: { kind: 'rmac', levels: 3, wholeImage: false },
  });
  expect(model.meta.whitening).toBeUndefined();
  expect(model.meta.provenance).toMatch(
    /^trained from scratch by scripts\/train-trunk\.ts on generated categories, seed \d+, \d+ steps$/,
  );
  model.dispose();
});

test('it describes a picture by a unit vector that another picture does not have', async () => {
  const model = await loadModel(file);
  const describe = (category: number) =>
    Array.from(model.describe(toTensor(renderCategory(category, 5, 160))).dataSync());
  const [a, b] = [describe(0), describe(30)];
  expect(a.length).toBe(256);
  for (const row of [a, b]) expectClose(Math.hypot(...row), 1);
  const cosine = a.reduce((sum, v, i) => sum + v * b[i], 0);
  expect(cosine).toBeLessThan(0.99);
  model.dispose();
});

test('it finds generated landmarks better than random weights do', { timeout: 60_000 }, async () => {
  const parent = mkdtempSync(join(tmpdir(), 'rmac-trunk-'));
  const out = join(parent, 'landmarks');
  await synthesizeLandmarks(out, { landmarks: 12, photos: 5, noise: 0, size: 192, seed: 11 });
  const groundTruth = labelsGroundTruth(await readManifest(join(out, 'manifest.jsonl')));
  const sizing = { longest: 192, multipleOf: 64 };
  const meanAveragePrecision = async (model: DescriptorModel) => {
    const { database, queries } = await describeGroundTruth(model, groundTruth, { sizing });
    model.dispose();
    return (await evaluateDescriptors(groundTruth, database, queries)).map;
  };
  const random = DescriptorModel.create(defaultMeta('rmac-small'), initialWeights('rmac-small', 1));
  const difference = (await meanAveragePrecision(await loadModel(file))) - (await meanAveragePrecision(random));
  rmSync(parent, { recursive: true });
  // 0.184 against 0.114 here; over seeds 11 to 15 the difference is 0.036 to 0.069.
  expect(difference).toBeGreaterThan(0.03);
});
