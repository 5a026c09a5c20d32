import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordModel } from '../../src/backend/index.js';
import { manifestName, readExportManifest } from '../../src/export/manifest.js';
import { measureFile } from '../../src/export/measure-file.js';
import { exportOnnx } from '../../src/export/onnx.js';
import { verifyOnnx } from '../../src/export/verify-onnx.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { RpnMeta } from '../../src/models/meta.js';
import type { RegionSource } from '../../src/models/region-source.js';
import { initialRpn, RpnHead } from '../../src/rpn/head.js';
import { describeInGraph } from '../../src/rpn/graph-pooling.js';
import { ProposalDescriber } from '../../src/rpn/proposal-describer.js';
import { RandomStream } from '../../src/train/random.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { smallModelParts } from '../support/small-model.js';
import { stripedPhotographs } from '../train/tiny-run.js';

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

test.each<[string, Parameters<typeof smallModelParts>[0]]>([
  ['R-MAC', { whiteningDimension: 8 }],
  ['R-MAC on the image', { pooling: { plane: 'image', wholeImage: true } }],
  ['R-MAC with a power law', { pooling: { power: 0.5 }, whiteningDimension: 8 }],
  ['R-MAC+', { pooling: { grid: 'rmac-plus' }, whiteningDimension: 8 }],
  ['GeM', { pooling: { kind: 'gem', p: 2.5 }, whiteningDimension: 8 }],
  ['MAC', { pooling: { kind: 'mac' } }],
  ['SPoC', { pooling: { kind: 'spoc' } }],
])('one file for images of any size: %s', async (_, options) => {
  const { meta, weights } = smallModelParts(options);
  const model = DescriptorModel.create({ ...meta, imageSize: 96 }, weights);
  const { files, resize } = await exportOnnx(model, folder, 'any');
  expect(files).toEqual([{ file: 'descriptor.onnx', bytes: expect.any(Number) }]);
  expect(resize).toEqual({ longestSide: 96, enlarge: true, filter: 'lanczos3' });
  expect(await readExportManifest(folder)).toMatchObject({ files, resize });
  const made = await verifyOnnx(model, folder, files[0], { resize });
  expect(made).toMatchObject({ pictures: 3, ok: true });
  expect(made.cosine).toBeGreaterThan(0.99999);
  const records = await stripedPhotographs(folder, { sidePx: 60 });
  const images = records.map(({ path }) => path);
  expect(await verifyOnnx(model, folder, files[0], { resize, images })).toMatchObject({ pictures: 9, ok: true });
  model.dispose();
});

test('weights in fewer bytes', async () => {
  const model = smallModel();
  const bytes: number[] = [];
  for (const precision of ['float32', 'float16', 'int8'] as const) {
    const { files, resize } = await exportOnnx(model, folder, 'any', { precision, overwrite: true });
    bytes.push(files[0].bytes);
    const { cosine, ok } = await verifyOnnx(model, folder, files[0], {
      precision,
      resize: { ...resize!, longestSide: 128 },
    });
    expect(cosine).toBeGreaterThan({ float32: 0.999999, float16: 0.99999, int8: 0.99 }[precision]);
    expect(ok).toBe(true);
  }
  expect(bytes[1] / bytes[0]).toBeLessThan(0.52);
  expect(bytes[2] / bytes[0]).toBeLessThan(0.28);
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

test('mAP by the file beside that of the model', async () => {
  const model = smallModel();
  const records = await stripedPhotographs(folder, { sidePx: 48 });
  const images = records.map(({ id, path }) => ({ id, image: path }));
  const queries = images.map((item, i) => ({ ...item, positives: [images[(i + 2) % 9].id], junk: [item.id] }));
  const measured = async (weights: DescriptorModel) => {
    const { files } = await exportOnnx(weights, folder, 'any', { overwrite: true });
    return measureFile(model, join(folder, files[0].file), { database: images, queries });
  };
  const { model: own, file } = await measured(model);
  expect(own).toBeGreaterThan(0);
  expect(file).toBe(own);
  const other = DescriptorModel.create(defaultMeta('rmac-small'), initialWeights('rmac-small', 4));
  const ofOther = await measured(other);
  expect(ofOther.model).toBe(own);
  expect(ofOther.file).not.toBe(own);
  model.dispose();
  other.dispose();
});

describe('proposals inside the file', () => {
  test('need an image size', async () => {
    const model = withProposals(rpn, { grid: true, proposals: 4 });
    await expect(exportOnnx(model, folder, 'any')).rejects.toThrow('--sizes');
    model.dispose();
  });

  /** Kernels so large that boxes differ from anchors and from image to image. */
  function withProposals(rpn: RpnMeta, regions?: RegionSource) {
    const { meta, weights } = smallModelParts({ whiteningDimension: 8 });
    const head = initialRpn(rpn, 256, new RandomStream(1));
    for (const { data } of head.values()) data.forEach((value, i) => (data[i] = 3 * value));
    return DescriptorModel.create({ ...meta, rpn, ...(regions && { regions }) }, new Map([...weights, ...head]));
  }
  const rpn: RpnMeta = { anchors: { base: 16, scales: [1, 2, 4], ratios: [0.5, 1, 2], clip: true }, channels: 8 };

  test.each<[string, RegionSource, Partial<RpnMeta['anchors']>]>([
    ['rpn:4', { grid: false, proposals: 4 }, {}],
    ['grid+rpn:5, anchors left whole', { grid: true, proposals: 5 }, { clip: false }],
    ['more than anchors', { grid: false, proposals: 600 }, {}],
    ['none: all too small', { grid: false, proposals: 3 }, { scales: [0.01] }],
  ])('photographs give the descriptors of the plain numbers (%s)', async (_, regions, anchors) => {
    const model = withProposals({ ...rpn, anchors: { ...rpn.anchors, ...anchors } }, regions);
    const records = await stripedPhotographs(folder, { sidePx: 96 });
    const images = records.map(({ path }) => path);
    const { files, model: stored } = await exportOnnx(model, folder, [
      { width: 144, height: 96 },
      ...(regions.grid ? [{ width: 104, height: 122 }] : []),
    ]);
    expect(stored.regions).toEqual(regions);
    for (const file of files) {
      const { maxDifference, pictures, ok } = await verifyOnnx(model, folder, file, { images });
      expect(pictures).toBe(9);
      expect(maxDifference).toBeLessThan(1e-5);
      expect(ok).toBe(true);
    }
    const grid = await verifyOnnx(model, folder, files[0], { images, regions: { grid: true, proposals: 0 } });
    expect(grid.ok).toBe(false); // what was compared were the proposals
    model.dispose();
  });

  test('more anchors than enter the suppression', () => {
    const many = { ...rpn, anchors: { ...rpn.anchors, scales: [1, 1.5, 2, 3, 4, 5, 6, 7] } };
    const source = { grid: false, proposals: 40 };
    const model = withProposals(many, source);
    const [height, width] = [256, 272]; // 16 x 17 x 24 anchors = 6528
    const images = tf.tensor4d(
      Float32Array.from({ length: height * width * 3 }, (_, i) => 127 + 127 * Math.sin(i * 0.013) * Math.cos(i * 1e-4)),
      [1, height, width, 3],
    );
    const head = new RpnHead(many, model.channels, model.rpnWeights);
    const expected = new ProposalDescriber(model, source).describe(images).dataSync();
    expectClose(describeInGraph(model, head, { source, images }).dataSync(), expected, { absolute: 1e-5 });
  });

  test('regions of the call win over those of the model', async () => {
    const model = withProposals(rpn, { grid: false, proposals: 4 });
    const { model: stored, files } = await exportOnnx(model, folder, [{ width: 96, height: 64 }], {
      regions: { grid: true, proposals: 0 },
    });
    expect(stored.regions).toBeUndefined();
    expect((await verifyOnnx(model, folder, files[0], { regions: { grid: true, proposals: 0 } })).ok).toBe(true);
    await expect(
      exportOnnx(smallModel(), folder, [{ width: 96, height: 64 }], {
        regions: { grid: false, proposals: 4 },
        overwrite: true,
      }),
    ).rejects.toThrow('no region proposals');
  });
});
