import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readModelFile, writeModelFile } from '../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import type { ModelMeta } from '../../src/models/meta.js';
import type { NamedArrays } from '../../src/models/safetensors.js';
import { withWhitening } from '../../src/models/whitening.js';
import { averageModels } from '../../src/stages/weights-average.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-average-'));

/** A model file whose every value is `value`. */
async function modelOf(value: number, change: Partial<ModelMeta> = {}, whitened = 0): Promise<string> {
  const bare = { ...defaultMeta('rmac-small'), ...change };
  const filled: NamedArrays = new Map(
    [...initialWeights('rmac-small', 1)].map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map(() => value) },
    ]),
  );
  const pca = {
    mean: Array<number>(256).fill(value),
    components: new Float32Array(256 * whitened),
    dimension: whitened,
  };
  const { meta, weights } = whitened === 0 ? { meta: bare, weights: filled } : withWhitening(bare, filled, pca);
  const file = join(folder, `${value}-${whitened}-${Math.random()}.safetensors`);
  await writeModelFile(file, { meta, weights });
  return file;
}

test('weighs every tensor by its share', async () => {
  const out = join(folder, 'mean.safetensors');
  const report = await averageModels({ models: [await modelOf(1), await modelOf(3)], shares: [1, 3], out });
  expect(report).toMatchObject({ shares: [0.25, 0.75], leftOut: [] });
  const { weights } = await readModelFile(out);
  expect(weights.size).toBe(report.tensors);
  for (const { data } of weights.values()) expect(new Set(data)).toEqual(new Set([2.5]));
});

test('a whitening that only one of them has is left out, of file and meta', async () => {
  const out = join(folder, 'bare.safetensors');
  const { leftOut } = await averageModels({ models: [await modelOf(1, {}, 8), await modelOf(3)], out });
  expect(leftOut).toEqual(['whitening/kernel', 'whitening/shift']);
  const { meta } = await readModelFile(out);
  expect(meta.whitening).toBeUndefined();
  const both = join(folder, 'both.safetensors');
  await averageModels({ models: [await modelOf(1, {}, 8), await modelOf(3, {}, 8)], out: both });
  const whitened = await readModelFile(both);
  expect(whitened.meta.whitening).toEqual({ dimension: 8 });
  expect(whitened.weights.get('whitening/shift')?.data[0]).toBe(-2);
});

test('refuses what is no mean', async () => {
  const out = join(folder, 'refused.safetensors');
  const models = [await modelOf(1), await modelOf(3)];
  await expect(averageModels({ models: models.slice(1), out })).rejects.toThrow('two model files or more');
  await expect(averageModels({ models, shares: [1], out })).rejects.toThrow('1 of 2 models');
  await expect(averageModels({ models, shares: [1, -1], out })).rejects.toThrow('0 or more');
  await expect(averageModels({ models, shares: [0, 0], out })).rejects.toThrow('not all 0');
  const pooling = { ...defaultMeta('rmac-small').pooling, levels: 2 };
  const other = await modelOf(1, { pooling });
  await expect(averageModels({ models: [models[0], other], out })).rejects.toThrow('differ in pooling');
});
