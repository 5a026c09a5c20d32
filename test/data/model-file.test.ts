import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { loadModel, readModelFile, saveModel } from '../../src/data/model-file.js';
import { InputError } from '../../src/errors.js';
import { encodeSafetensors } from '../../src/models/safetensors.js';
import '../support/engine.js';
import { smallModel } from '../support/small-model.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-model-'));
const image = () =>
  tf.tensor4d(
    Float32Array.from({ length: 48 * 64 * 3 }, (_, i) => (i * 7) % 256),
    [1, 48, 64, 3],
  );

test('a saved model describes exactly as before, and saving it again gives the same bytes', async () => {
  const model = smallModel({ pooling: { kind: 'gem', p: 2.5 }, whiteningDimension: 9 });
  const [a, b] = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')];
  await saveModel(a, model);
  const loaded = await loadModel(a);
  expect(loaded.meta).toEqual(model.meta);
  expect(loaded.describe(image()).dataSync()).toEqual(model.describe(image()).dataSync());
  await saveModel(b, loaded);
  expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  expect(readFileSync(a, 'latin1')).not.toContain(folder);
  model.dispose();
  loaded.dispose();
});

test('a trained GeM exponent is the one the file states', async () => {
  const model = smallModel({ pooling: { kind: 'gem' } });
  model.variables.get('pooling/p')!.assign(tf.scalar(4.5));
  const file = join(folder, 'gem.safetensors');
  await saveModel(file, model);
  expect((await readModelFile(file)).meta.pooling.p).toBe(4.5);
  model.dispose();
});

test('overrides replace the pooling and drop the whitening', async () => {
  const model = smallModel({ pooling: { kind: 'gem', p: 2 }, whiteningDimension: 5 });
  const file = join(folder, 'override.safetensors');
  await saveModel(file, model);
  const mac = await loadModel(file, { pooling: { kind: 'mac' }, dropWhitening: true });
  expect([mac.dimension, [...mac.variables.keys()].filter((name) => !/^(stem|stage|out)/.test(name))]).toEqual([
    256,
    [],
  ]);
  const kept = await loadModel(file, { pooling: { epsilon: 1e-5 } });
  expect(kept.variables.get('pooling/p')!.dataSync()[0]).toBe(2);
  const restarted = await loadModel(file, { pooling: { p: 3 } });
  expect(restarted.variables.get('pooling/p')!.dataSync()[0]).toBe(3);
  for (const m of [model, mac, kept, restarted]) m.dispose();
});

test('an existing file stays unless overwriting is asked for', async () => {
  const model = smallModel();
  const file = join(folder, 'exists.safetensors');
  await saveModel(file, model);
  await expect(saveModel(file, model)).rejects.toThrow('--overwrite');
  await saveModel(file, model, { overwrite: true });
  model.dispose();
});

test('files that are not models are refused with the way out', async () => {
  const weights = join(folder, 'weights.safetensors');
  writeFileSync(weights, encodeSafetensors(new Map([['fc1000/bias', { shape: [1], data: Float32Array.of(1) }]]), {}));
  await expect(loadModel(weights)).rejects.toThrow(InputError);
  await expect(loadModel(weights)).rejects.toThrow(`rmac weights import ${weights}`);
  await expect(loadModel(join(folder, 'absent'))).rejects.toThrow('Cannot read');
  const model = smallModel();
  const file = join(folder, 'broken.safetensors');
  await saveModel(file, model);
  const { meta, weights: arrays } = await readModelFile(file);
  arrays.get('stem/kernel')!.data[0] = NaN;
  writeFileSync(file, encodeSafetensors(arrays, { rmac: JSON.stringify(meta) }));
  await expect(loadModel(file)).rejects.toThrow(`${file}: The weights do not fit the model: stem/kernel holds NaN`);
  model.dispose();
});
