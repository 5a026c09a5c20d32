/** @file Graph models in TensorFlow.js itself, on its plain JavaScript backend, against the models. */
import '../support/engine.js';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportedFile, readExportManifest } from '../../src/export/manifest.js';
import { exportTfjs } from '../../src/export/tfjs.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { type ExportStageOptions, exportModel } from '../../src/stages/export.js';
import { verifyExport } from '../../src/stages/verify.js';
import { cosine } from '../support/close.js';
import { testDevice } from '../support/device.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModel } from '../support/small-model.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-tfjs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function pixelsOf(width: number, height: number): Uint8Array {
  return Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => 127 + 60 * Math.sin(i / 7) + 60 * Math.sin(i / (width * 4)),
  );
}

/** [1, D] of the file, and the model's own. */
async function described(model: DescriptorModel, out: string, { file, width = 0, height = 0 }: ExportedFile) {
  const pixels = Float32Array.from(pixelsOf(width, height));
  const shape: [number, number, number, number] = [1, height, width, 3];
  const expected = tf.tidy(() => model.describe(tf.tensor4d(pixels, shape)).dataSync());
  const { format, modelTopology, weightsManifest } = JSON.parse(readFileSync(join(out, file), 'utf8'));
  const [{ paths, weights: weightSpecs }] = weightsManifest;
  const { buffer: weightData } = new Uint8Array(readFileSync(join(out, paths[0])));
  const own = tf.getBackend();
  await tf.setBackend('cpu');
  try {
    const graph = await tf.loadGraphModel(tf.io.fromMemory({ format, modelTopology, weightSpecs, weightData }));
    expect(graph.inputs.map((input) => input.shape)).toEqual([shape]);
    const values = tf.tidy(() => {
      const output = graph.predict(tf.tensor4d(pixels, shape)) as tf.Tensor;
      expect(output.shape).toEqual([1, model.dimension]);
      return [...output.dataSync()];
    });
    graph.dispose();
    return { values, expected };
  } finally {
    await tf.setBackend(own);
  }
}

test.each([
  ['rmac', 1],
  ['rmac', 0.5],
  ['gem', 1],
  ['mac', 1],
  ['spoc', 1],
] as const)('%s, power %d: the descriptor is the model’s', async (kind, power) => {
  const model = smallModel({ pooling: { kind, power }, whiteningDimension: 20 });
  const out = join(folder, `${kind}-${power}`);
  const { files } = await exportTfjs(model, out, [
    { width: 96, height: 64 },
    { width: 64, height: 80 },
  ]);
  expect(await readExportManifest(out)).toMatchObject({ format: 'tfjs', precision: 'float32', files });
  for (const file of kind === 'rmac' ? files : [files[0]]) {
    const { values, expected } = await described(model, out, file);
    for (const [d, value] of values.entries()) expect(Math.abs(value - expected[d])).toBeLessThan(1e-5);
  }
  model.dispose();
});

test('float16 halves the weights', async () => {
  const model = smallModel();
  const size = [{ width: 96, height: 64 }];
  const { files } = await exportTfjs(model, join(folder, 'half'), size, { precision: 'float16' });
  const { files: whole } = await exportTfjs(model, join(folder, 'whole'), size);
  const { values, expected } = await described(model, join(folder, 'half'), files[0]);
  expect(cosine(values, expected)).toBeGreaterThan(0.9999);
  const weights = (name: string) => statSync(join(folder, name, 'descriptor-96x64.bin')).size;
  expect(weights('half') / weights('whole')).toBeLessThan(0.52);
  expect(whole[0].bytes).toBe(weights('whole') + statSync(join(folder, 'whole', 'descriptor-96x64.json')).size);
  model.dispose();
});

test.each([
  ['alexnet', 'conv3'], // groups, local response norm
  ['resnet18-tv', 'stage2/block1'], // padded maximum
  ['densenet121', 'transition1'], // means, concatenation
  ['mobilenet-v2-tv', 'block4'], // depthwise, ReLU 6
])('%s to %s', async (name, cut) => {
  const model = DescriptorModel.create(defaultMeta(name, { cut }), initialWeights(name, 1, cut));
  const out = join(folder, name);
  const { files } = await exportTfjs(model, out, [{ width: 128, height: 96 }]);
  const { values, expected } = await described(model, out, files[0]);
  expect(cosine(values, expected)).toBeGreaterThan(0.9999);
  model.dispose();
});

test('folded norms are stored, not computed; no tensor is left', async () => {
  const model = smallModel();
  await expectNoLeak(
    async () => void (await exportTfjs(model, join(folder, 'leak'), [{ width: 64, height: 64 }], { overwrite: true })),
  );
  const { modelTopology } = JSON.parse(readFileSync(join(folder, 'leak/descriptor-64x64.json'), 'utf8'));
  const ops = (modelTopology.node as { op: string }[]).map(({ op }) => op);
  expect(ops.filter((op) => op === 'Rsqrt')).toHaveLength(2); // the lengths of regions and of their sum
  model.dispose();
});

test('what graph models do not have is refused', async () => {
  const model = join(import.meta.dirname, '../../checkpoints/rmac-small.safetensors');
  const out = join(folder, 'refused');
  const refused: [Partial<ExportStageOptions>, RegExp][] = [
    [{ precision: 'int8' }, /float32 or float16 expected/],
    [{ regions: { grid: true, proposals: 30 } }, /--regions grid expected/],
    [{ images: folder }, /--images compares ONNX files/],
    [{ manifest: 'val.jsonl' }, /--manifest compares ONNX files/],
  ];
  for (const [options, reason] of refused) {
    await expect(exportModel({ model, out, format: 'tfjs', ...options })).rejects.toThrow(reason);
  }
  expect(existsSync(out)).toBe(false);
  await exportModel({ model, out, format: 'tfjs', sizes: [{ width: 64, height: 64 }], device: testDevice });
  await expect(verifyExport({ model, out })).rejects.toThrow(/holds no ONNX files/);
});
