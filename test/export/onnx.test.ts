import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordModel } from '../../src/backend/index.js';
import { exportOnnx, manifestName, verifyOnnx } from '../../src/export/onnx.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import '../support/engine.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-export-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const smallModel = () => DescriptorModel.create(defaultMeta('rmac-small'), initialWeights('rmac-small', 3));

test('each exported size gives the same descriptor in plain ONNX Runtime', async () => {
  const model = smallModel();
  const sizes = [
    { width: 96, height: 64 },
    { width: 65, height: 97 },
  ];
  const before = tf.memory().numTensors;
  const manifest = await exportOnnx(model, folder, sizes);
  expect(manifest.output.dimension).toBe(model.dimension);
  for (const file of manifest.files) {
    const { ok, maxDifference, cosine } = await verifyOnnx(model, folder, file);
    expect(ok).toBe(true);
    expect(maxDifference).toBeLessThan(1e-5);
    expect(cosine).toBeCloseTo(1, 5);
  }
  expect(tf.memory().numTensors).toBe(before);
  expect(JSON.parse(readFileSync(join(folder, manifestName), 'utf8'))).toEqual(manifest);
  model.dispose();
});

test('a changed file is found out', async () => {
  const model = smallModel();
  const { files } = await exportOnnx(model, folder, [{ width: 64, height: 64 }]);
  const other = DescriptorModel.create(defaultMeta('rmac-small'), initialWeights('rmac-small', 4));
  expect((await verifyOnnx(other, folder, files[0])).ok).toBe(false);
  writeFileSync(join(folder, files[0].file), 'not a model');
  await expect(verifyOnnx(model, folder, files[0])).rejects.toThrow();
  tf.dispose([...model.variables.values(), ...other.variables.values()]);
});

test('exporting the same model twice gives the same bytes', () => {
  const model = smallModel();
  const record = () => recordModel((x) => model.describe(x as tf.Tensor4D), { inputShape: [1, 64, 64, 3] });
  expect(Buffer.compare(record(), record())).toBe(0);
  model.dispose();
});

test('a function that ignores its input cannot be recorded', () => {
  expect(() => recordModel(() => tf.scalar(1), { inputShape: [1] })).toThrow(/does not depend/);
});

test('an existing export is not replaced without being told to', async () => {
  const model = smallModel();
  const sizes = [{ width: 64, height: 64 }];
  await exportOnnx(model, folder, sizes);
  await expect(exportOnnx(model, folder, sizes)).rejects.toThrow(/--overwrite/);
  await exportOnnx(model, folder, sizes, { overwrite: true });
  model.dispose();
});
