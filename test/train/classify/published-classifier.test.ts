import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { register } from '../../../src/commands/weights.js';
import { resolveConfig } from '../../../src/config.js';
import { readModelFile } from '../../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../../src/models/architectures.js';
import { exportWeights } from '../../../src/models/export-weights.js';
import { encodeSafetensors, type NamedArray } from '../../../src/models/safetensors.js';
import { classifyConfigSchema } from '../../../src/train/classify/classify-config.js';
import { newClassifier } from '../../../src/train/classify/classifier-start.js';
import { runCommand } from '../../commands/run-command.js';
import '../../support/engine.js';
import { temporaryFolder, tinyModelFile } from '../tiny-run.js';

const classes = ['a', 'b', 'c'];
let folder: string;
let trunk: string;
let classifier: string;

/** Crops of 63 px leave one cell of AlexNet's last pooling: fc6 has 256 inputs. */
const config = (changes: readonly string[] = []) =>
  resolveConfig(classifyConfigSchema, {
    set: ['cropSize=63', 'shortestSideMin=63', 'shortestSideMax=63', 'validationSide=63', ...changes],
  });

const ramp = (shape: number[]): NamedArray => {
  const length = shape.reduce((a, b) => a * b);
  return { shape, data: Float32Array.from({ length }, (_, i) => (i % 1000) / 1e5) };
};

beforeAll(async () => {
  folder = await temporaryFolder();
  const architecture = 'alexnet-tv';
  const { tensors } = exportWeights(defaultMeta(architecture), initialWeights(architecture, 1), 'torchvision');
  for (const [place, inputs, outputs] of [
    [1, 256, 4096],
    [4, 4096, 4096],
    [6, 4096, 10],
  ]) {
    tensors.set(`classifier.${place}.weight`, ramp([outputs, inputs]));
    tensors.set(`classifier.${place}.bias`, ramp([outputs]));
  }
  const file = join(folder, 'alexnet-published.safetensors');
  await writeFile(file, encodeSafetensors(tensors, {}));
  [trunk, classifier] = ['trunk', 'fc'].map((name) => join(folder, `${name}.safetensors`));
  const out = ['--out', trunk, '--with-classifier', classifier, '--json'];
  const { stdout } = await runCommand(register, 'weights', 'import', file, '--arch', architecture, ...out);
  expect(JSON.parse(stdout)).toMatchObject({ classifier, layout: 'torchvision' });
});

test('the head starts from the published fc6 and fc7, with a new class layer; the model file stays without them', async () => {
  const { weights } = await readModelFile(trunk);
  expect([...weights.keys()].filter((name) => name.startsWith('classifier'))).toEqual([]);
  const { model, head } = await newClassifier(trunk, { classes, config: await config(), classifier });
  const fresh = await newClassifier(trunk, { classes, config: await config() });
  try {
    const [started, drawn] = [await head.toArrays(), await fresh.head.toArrays()];
    // torch's [outputs, inputs]: the weight of input 3 and output 2 is number 2 * 256 + 3.
    expect(started.get('classifier/fc6/kernel')!.data[3 * 4096 + 2]).toBeCloseTo(515 / 1e5, 9);
    expect(started.get('classifier/fc7/kernel')!.data[3 * 4096 + 2]).toBeCloseTo(((2 * 4096 + 3) % 1000) / 1e5, 9);
    expect(started.get('classifier/fc7/bias')!.data[7]).toBeCloseTo(7 / 1e5, 9);
    const [kernel, other] = [started, drawn].map((arrays) => arrays.get('classifier/classes/kernel')!);
    expect(kernel.shape).toEqual([4096, 3]);
    const deviation = Math.sqrt(kernel.data.reduce((sum, value) => sum + value * value, 0) / kernel.data.length);
    expect(deviation).toBeCloseTo(0.01, 3);
    expect(other.shape).toEqual(kernel.shape);
  } finally {
    for (const part of [model, head, fresh.model, fresh.head]) part.dispose();
  }
});

test('crops of another size, another network and another form of head are refused', async () => {
  const wide = await config(['cropSize=95', 'shortestSideMin=95', 'shortestSideMax=95', 'validationSide=95']);
  await expect(newClassifier(trunk, { classes, config: wide, classifier })).rejects.toThrow(
    /fc6 takes 256 inputs.*1024.*cropSize/,
  );
  const pooled = await config(['head=pooled']);
  await expect(newClassifier(trunk, { classes, config: pooled, classifier })).rejects.toThrow(
    /form fc, the run one of the form pooled/,
  );
  const small = await tinyModelFile(folder);
  await expect(newClassifier(small, { classes, config: await config(), classifier })).rejects.toThrow(/form fc/);
});
