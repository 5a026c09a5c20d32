import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeImage, toTensor } from '../../src/data/images.js';
import { readManifest } from '../../src/data/manifest.js';
import { loadModel, readModelFile, writeModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { importWeights } from '../../src/models/import-weights.js';
import { encodeSafetensors, parseSafetensors } from '../../src/models/safetensors.js';
import { withWhitening } from '../../src/models/whitening.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';
import { learnWhitening } from '../../src/retrieval/learn-whitening.js';
import { describeForSystem, evaluateSystem } from '../../src/systems/describe-for-system.js';
import { openSystem } from '../../src/systems/open-system.js';
import type { System } from '../../src/systems/system.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';
import { cosine, expectClose } from '../support/close.js';
import { sharedData } from '../support/data.js';
import '../support/engine.js';
import { readGoldenNpy } from '../support/npy.js';

let set: SmallSet;
let images: { id: string; path: string }[];
beforeAll(async () => {
  set = await makeSmallSet();
  images = await readManifest(set.manifest);
});

const size = 64;
const open = (name: string, options: { classifier?: string; size?: number } = {}) =>
  openSystem(name, { weights: set.model, size, ...options });
async function using<T>(name: string, use: (system: System) => Promise<T>, options = {}): Promise<T> {
  const system = await open(name, options);
  try {
    return await use(system);
  } finally {
    system.dispose();
  }
}

describe('against the descriptor model, which pools on the engine', () => {
  const pixels = async (path: string) => toTensor(await decodeImage(path, { sizing: { longest: size } }));
  const byModel = async (model: DescriptorModel, path: string) => {
    const image = await pixels(path);
    const descriptor = await tf.tidy(() => model.describe(image)).data<'float32'>();
    image.dispose();
    return descriptor;
  };

  test.each([
    ['tolias-rmac-plain', { kind: 'rmac' }],
    ['tolias-mac', { kind: 'mac' }],
    ['spoc', { kind: 'spoc' }],
  ] as const)('%s', async (name, pooling) => {
    const model = await loadModel(set.model, { pooling });
    await using(name, async (system) => {
      expect(system.bytesPerImage).toBe(1024);
      const { path } = images[5];
      expectClose(await system.describe({ path }, 'database'), await byModel(model, path), { absolute: 1e-5 });
    });
    model.dispose();
  });

  test('gordo, its whitening learned on the same images', async () => {
    const { meta, weights } = await readModelFile(set.model);
    const pooling = {
      ...meta.pooling,
      kind: 'rmac',
      levels: 2,
      plane: 'image',
      precision: 'f32',
      epsilon: 1e-8,
    } as const;
    const plain = DescriptorModel.create({ ...meta, pooling }, weights);
    await using('gordo', async (system) => {
      const report = await system.fit(images);
      expect(report).toMatchObject({ images: 12, rows: 12 * 8, failures: [] });
      expect(system.dimension).toBeLessThan(12 * 8 - 1); // some of the 96 vectors are sums of others around their mean
      const { whitening } = await learnWhitening(plain, images, {
        channels: 256,
        dimension: 95,
        sizing: { longest: size },
      });
      const whitened = withWhitening(plain.meta, weights, whitening);
      const model = DescriptorModel.create(whitened.meta, whitened.weights);
      for (const { path } of images.slice(0, 3)) {
        const descriptor = await system.describe({ path }, 'query');
        expect(cosine(descriptor, await byModel(model, path))).toBeGreaterThan(0.9999);
      }
      model.dispose();
    });
    plain.dispose();
  });
});

test('R-MAC+ with db regions: 45 vectors in the database, one of a query, the price of an image once for both', () =>
  using('rmac-plus-db-regions@rmac-small', async (system) => {
    expect(system.name).toBe('rmac-plus-db-regions@rmac-small');
    expect(system.settings.sides).toEqual([64, 48, 80]);
    expect([system.vectors('query'), system.vectors('database')]).toEqual([1, 45]);
    expect(system.bytesPerImage).toBe(45 * 256 * 4);
    const image = { path: images[0].path };
    expect(system.needsFit).toBe(true);
    await expect(system.describe(image, 'query')).rejects.toThrow(UsageError);
    await system.fit(images);
    expect(system.needsFit).toBe(false);
    const both = await system.describeBoth(image);
    expect(both.query).toEqual(await system.describe(image, 'query'));
    expect(both.database).toEqual(await system.describe(image, 'database'));
    expect(both.database.length).toBe(45 * 256);
  }));

test('a query is cut from the maps (R-MAC+) or from the image (the others); the whole image as box is the image', async () => {
  const { path } = images[0];
  for (const name of ['os-rmac-both', 'tolias-mac', 'rmac-plus-baseline']) {
    await using(name, async (system) => {
      if (system.needsFit) await system.fit(images.flatMap((image) => Array.from({ length: 2 }, () => image)));
      const whole = await system.describe({ path }, 'query');
      expectClose(await system.describe({ path, box: { x: 0, y: 0, width: 64, height: 48 } }, 'query'), whole);
      const left = await system.describe({ path, box: { x: 0, y: 0, width: 32, height: 48 } }, 'query');
      expect(cosine(left, whole)).toBeLessThan(0.9999);
    });
  }
});

test('a class activation mask needs the classifier, and gives a second vector', async () => {
  await expect(open('os-rmac-cam')).rejects.toThrow(/--classifier FILE/);
  const file = join(mkdtempSync(join(tmpdir(), 'rmac-cam-')), 'classifier.safetensors');
  const write = (channels: number) => {
    const kernel = Float32Array.from({ length: channels * 3 }, (_, i) => Math.sin(i));
    writeFileSync(
      file,
      encodeSafetensors(
        new Map([
          ['classifier/classes/kernel', { shape: [channels, 3], data: kernel }],
          ['classifier/classes/bias', { shape: [3], data: new Float32Array(3) }],
        ]),
        {},
      ),
    );
  };
  write(128);
  await expect(open('os-rmac-cam', { classifier: file })).rejects.toThrow(/from 256 channels.*kernel \[128, 3\]/);
  write(256);
  await using(
    'os-rmac-cam',
    async (system) => {
      await system.fit(images);
      const { dimension } = system;
      const rows = await system.describe({ path: images[0].path }, 'database');
      expect(rows.length).toBe(2 * dimension);
      expect(rows.subarray(0, dimension)).not.toEqual(rows.subarray(dimension));
    },
    { classifier: file },
  );
});

test('the same weights, images and seed select the same values', async () => {
  const oneImage = () =>
    using('os-rmac-oxford', async (system) => {
      await system.fit(images);
      return system.describe({ path: images[3].path }, 'query');
    });
  const first = await oneImage();
  expect(first.length).toBe(320); // of 256 + 128
  expect(await oneImage()).toEqual(first);
});

test('on a ground truth every image is the nearest to itself, and nothing stays on the engine', async () => {
  const { queries, database } = await readGroundTruth(set.groundTruth);
  const truth = { database, queries: queries.map((query) => ({ ...query, positives: [query.id], junk: [] })) };
  const run = async (name: string) =>
    using(name, async (system) => {
      if (system.needsFit) await system.fit(images);
      const described = await describeForSystem(system, truth);
      expect(described.failures).toEqual([]);
      return evaluateSystem(system, truth, described);
    });
  await run('rmac-plus-qe-paris');
  const before = tf.memory().numTensors;
  for (const name of ['rmac-plus', 'os-rmac', 'gordo-multires']) {
    const result = await run(name);
    expect(result.queries.length).toBe(12);
    expect(result.map).toBe(1);
  }
  expect(tf.memory().numTensors).toBe(before);
});

test('bad images are listed and the others go on; bad weights are named', async () => {
  const broken = join(set.folder, 'broken.png');
  writeFileSync(broken, 'no picture');
  await using('gordo', async (system) => {
    const report = await system.fit([...images, { id: 'broken', path: broken }]);
    expect(report.failures).toMatchObject([{ id: 'broken', error: expect.stringContaining('broken.png') }]);
    await expect(system.describe({ path: broken }, 'query')).rejects.toThrow(InputError);
    await expect(system.fit([{ id: 'broken', path: broken }])).rejects.toThrow(/None of the 1 images to fit on/);
  });
  const { meta, weights } = await readModelFile(set.model);
  const file = join(set.folder, 'part.safetensors');
  const part = new Map([...weights].filter(([name]) => !name.startsWith('stage3/conv1')));
  await writeModelFile(file, { meta, weights: part });
  await expect(openSystem('gordo', { weights: file })).rejects.toThrow(
    /part\.safetensors: the weights do not fit the network: stage3\/conv1\/kernel is missing/,
  );
});

test.skipIf(sharedData === undefined)(
  'tolias-rmac-plain and tolias-mac of DenseNet-121 against the reference',
  async () => {
    const file = join(sharedData!, 'weights', 'densenet121.safetensors');
    const model = importWeights(parseSafetensors(readFileSync(file), file).tensors, file, {
      architecture: 'densenet121',
    });
    const weights = join(mkdtempSync(join(tmpdir(), 'rmac-')), 'model.safetensors');
    await writeModelFile(weights, model);
    const folder = join(sharedData!, 'golden');
    const entries = (
      JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as { network: string; image: string }[]
    ).filter(({ network }) => network === 'densenet121');
    for (const [preset, golden] of [
      ['tolias-rmac-plain', 'rmac_l3'],
      ['tolias-mac', 'mac'],
      ['spoc', 'spoc'],
    ]) {
      const system = await openSystem(`${preset}@densenet121`, { weights });
      const expected = readGoldenNpy(join(folder, `densenet121.${golden}.npy`));
      for (const [i, { image }] of entries.entries()) {
        const descriptor = await system.describe({ path: join(folder, 'images', image) }, 'database');
        expectClose(descriptor, expected.subarray(i * 1024, (i + 1) * 1024), { absolute: 1e-4 });
      }
      system.dispose();
    }
  },
);
