import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { engineStats } from '../../../src/backend/index.js';
import { decodeImage } from '../../../src/data/images.js';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { InputError } from '../../../src/errors.js';
import { rpnLoss } from '../../../src/losses/rpn.js';
import { tripletLoss } from '../../../src/losses/triplet.js';
import { DescriptorModel } from '../../../src/models/descriptor.js';
import type { RpnMeta } from '../../../src/models/meta.js';
import { regionMaxPool } from '../../../src/models/pooling.js';
import type { RegionSource } from '../../../src/models/region-source.js';
import { rigidGrid } from '../../../src/models/regions.js';
import { initialRpn, RpnHead } from '../../../src/rpn/head.js';
import { ProposalDescriber } from '../../../src/rpn/proposal-describer.js';
import { ProposalPooling } from '../../../src/rpn/proposal-pooling.js';
import type { Draws } from '../../../src/rpn/sampler.js';
import { applyView, identityView, sizingOf, type ImageView } from '../../../src/train/augmentation.js';
import { GradientAccumulator } from '../../../src/train/gradients.js';
import { ImageInputs, unaugmented, type ViewedImage } from '../../../src/train/image-inputs.js';
import { RandomStream } from '../../../src/train/random.js';
import { tripletBatch } from '../../../src/train/ranking/ranking-batches.js';
import type { DescribedImage, ImageSource } from '../../../src/train/ranking/image-source.js';
import { openSource } from '../../../src/train/ranking/open-source.js';
import { rankingStep } from '../../../src/train/ranking/ranking-step.js';
import { boxInView } from '../../../src/train/ranking/viewed-box.js';
import { rpnConfigSchema } from '../../../src/train/proposals/rpn-config.js';
import { sampleTargets } from '../../../src/train/proposals/rpn-step.js';
import { expectClose, relativeDistance } from '../../support/close.js';
import '../../support/engine.js';
import { checkGradient } from '../../support/gradient.js';
import { expectNoLeak } from '../../support/leak.js';
import { smallModelParts } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

const rpn: RpnMeta = { anchors: { base: 16, scales: [1.2, 2], ratios: [0.5, 1, 2], clip: true }, channels: 8 };
const [stride, sidePx] = [16, 96];

let records: ImageRecord[];
beforeAll(async () => {
  records = await stripedPhotographs(await temporaryFolder(), { sidePx });
});

function setUp(regions: RegionSource, weights = initialRpn(rpn, 256, new RandomStream(1))) {
  const { meta, weights: trunk } = smallModelParts({ whiteningDimension: 8 });
  const model = DescriptorModel.create({ ...meta, rpn, regions }, new Map([...trunk, ...weights]));
  const head = new RpnHead(rpn, model.channels, weights);
  return { model, head, pooling: new ProposalPooling(model, head, regions) };
}

/** Inputs of three photographs of one shape. */
async function inputsOf(model: DescriptorModel, head: RpnHead, { freeze = 'none', recomputeActivations = false } = {}) {
  const inputs = new ImageInputs(model, { freeze, imageSize: sidePx, cacheBytes: 1e8 });
  const source = openSource(model, inputs, { freeze, imageSize: sidePx, head, recomputeActivations });
  const items = [0, 3, 6].map((i) => unaugmented(records[i]));
  const loaded = [];
  for await (const result of inputs.load(items)) {
    if ('error' in result) throw result.error;
    loaded.push(result);
  }
  return { source, items, loaded };
}

async function described(source: ImageSource<ViewedImage>, item: ViewedImage): Promise<DescribedImage<ViewedImage>> {
  for await (const image of source.describe([item])) if (!('error' in image)) return image;
  throw new Error('readable');
}

const sources: [string, RegionSource][] = [
  ['rpn:4', { grid: false, proposals: 4 }],
  ['more than there are', { grid: false, proposals: 200 }],
  ['grid+rpn:3', { grid: true, proposals: 3 }],
];

describe('ProposalPooling', () => {
  const map = tf.tensor4d(
    Float32Array.from({ length: 4 * 6 * 256 }, (_, i) => Math.abs(Math.sin(i * 1.37)) + 1e-3 * (i % 7)),
    [1, 4, 6, 256],
  );
  const image = { height: 4 * stride, width: 6 * stride };
  const chosenBy = (pooling: ProposalPooling) =>
    pooling.choose(
      { values: map.dataSync<'float32'>(), shape: map.shape },
      tf.tidy(() => pooling.headValues(map).dataSync<'float32'>()),
      image,
    );

  test.each(sources)(
    'descriptor and gradient by the map are those of regionMaxPool over the regions (%s)',
    (_, regions) => {
      const { model, pooling } = setUp(regions);
      const chosen = chosenBy(pooling);
      expect(chosen.weights).toHaveLength((regions.grid ? rigidGrid(4, 6).length : 0) + regions.proposals);
      expect(chosen.weights.filter((weight) => weight === 1).length).toBe(chosen.regions.length);
      const expected = (x: tf.Tensor) => model.aggregate(regionMaxPool(x as tf.Tensor4D, chosen.regions));
      const actual = (x: tf.Tensor) => pooling.pool(x as tf.Tensor4D, chosen);
      expectClose(actual(map).dataSync(), expected(map).dataSync());
      expectClose(pooling.describe(chosen).dataSync(), expected(map).dataSync());
      const upstream = tf.tensor2d(
        Array.from({ length: 8 }, (__, i) => Math.sin(i)),
        [1, 8],
      );
      const gradient = (f: typeof actual) =>
        tf
          .grad((x) => f(x).mul(upstream).sum())(map)
          .dataSync();
      expect(relativeDistance(gradient(actual), gradient(expected))).toBeLessThan(1e-5);
    },
  );

  test.each(sources)('the gradient by the map against finite differences (%s)', (_, regions) => {
    const { pooling } = setUp(regions);
    const chosen = chosenBy(pooling);
    // Where maxima are, and somewhere else: the positions do not move with so small a step.
    checkGradient((x) => pooling.pool(x as tf.Tensor4D, chosen), map, { step: 2e-4, samples: 40, tolerance: 0.03 });
  });

  test('nothing proposed: the whole map in one row, the others weigh nothing', () => {
    const none = { ...rpn, anchors: { ...rpn.anchors, scales: [0.5] } }; // 8 px: below the smallest proposal
    const { model } = setUp({ grid: false, proposals: 3 });
    const head = new RpnHead(none, 256, initialRpn(none, 256, new RandomStream(2)));
    const chosen = chosenBy(new ProposalPooling(model, head, { grid: false, proposals: 3 }));
    expect(chosen.regions).toEqual([{ yMin: 0, xMin: 0, yMax: 4, xMax: 6 }]);
    expect([...chosen.weights]).toEqual([1, 0, 0]);
  });
});

describe('ProposalSource', () => {
  test.each([false, true])(
    'gradients of an update equal one tape over the regions of each image (in blocks: %s)',
    async (recomputeActivations) => {
      const { model, head } = setUp({ grid: true, proposals: 5 });
      const variables = model.trainable('none');
      const { source, items, loaded } = await inputsOf(model, head, { recomputeActivations });
      const accumulator = new GradientAccumulator();
      const result = await rankingStep(tripletBatch([[items[0], items[1], items[2]]], { margin: 3 }), source, {
        variables,
        accumulator,
        nameOf: ({ record }) => record.id,
      });
      const describer = new ProposalDescriber(model, { grid: true, proposals: 5, head });
      const rowOf = (i: number) => {
        const { input } = loaded[i];
        if (input.kind !== 'pixels') throw new Error('pixels expected');
        const { data, width, height } = input.image;
        const map = model.featureMap(tf.tensor4d(Float32Array.from(data), [1, height, width, 3]));
        return { map, regions: describer.regions(map, { width, height }) };
      };
      const fixed = [0, 1, 2].map((i) => rowOf(i).regions);
      expect(new Set(fixed.map((regions) => JSON.stringify(regions))).size).toBe(3);
      const { value, grads } = tf.variableGrads(() => {
        const [q, p, n] = [0, 1, 2].map((i) => model.aggregate(regionMaxPool(rowOf(i).map, fixed[i])));
        return tripletLoss(q, p, n, { margin: 3 });
      }, [...variables.values()]);
      expect(result.loss).toBeCloseTo(value.dataSync()[0], 5);
      expect([...accumulator.sums.keys()].sort()).toEqual([...variables.keys()].sort());
      for (const [name, sum] of accumulator.sums) {
        const expected = grads[variables.get(name)!.name].dataSync();
        expect(relativeDistance(sum.dataSync(), expected), name).toBeLessThan(1e-4);
      }
    },
  );

  test.each(['none', 'stage2', 'all'])(
    'describes what ProposalDescriber describes, and replays it (freeze: %s)',
    async (freeze) => {
      const { model, head } = setUp({ grid: false, proposals: 6 });
      const { source, items } = await inputsOf(model, head, { freeze });
      const { loaded: pixels } = await inputsOf(model, head);
      const describer = new ProposalDescriber(model, { proposals: 6 });
      const variables = model.trainable(freeze);
      const upstream = Float32Array.from({ length: model.dimension }, (_, i) => Math.sin(i + 1));
      for (const [i, item] of items.entries()) {
        const { descriptor } = await described(source, item);
        const whole = pixels[i].input;
        if (whole.kind !== 'pixels') throw new Error('pixels expected');
        const { data, width, height } = whole.image;
        const image = tf.tensor4d(Float32Array.from(data), [1, height, width, 3]);
        expectClose(descriptor, describer.describe(image).dataSync());
        const accumulator = new GradientAccumulator();
        expect(await source.replay([item], () => upstream, { variables, accumulator })).toEqual([]);
        const regions = describer.regions(model.featureMap(image), { width, height });
        const { grads } = tf.variableGrads(
          () =>
            model
              .aggregate(regionMaxPool(model.featureMap(image), regions))
              .mul(upstream)
              .sum(),
          [...variables.values()],
        );
        for (const [name, sum] of accumulator.sums) {
          expect(relativeDistance(sum.dataSync(), grads[variables.get(name)!.name].dataSync()), name).toBeLessThan(
            1e-4,
          );
        }
      }
    },
  );

  test('images of one shape share their graphs, whatever their boxes', async () => {
    const { model, head } = setUp({ grid: true, proposals: 5 });
    const variables = model.trainable('none');
    const { source, items } = await inputsOf(model, head);
    const accumulator = new GradientAccumulator();
    const step = (triplet: [number, number, number]) =>
      rankingStep(tripletBatch([triplet.map((i) => items[i]) as never], { margin: 3 }), source, {
        variables,
        accumulator,
        nameOf: () => '',
      });
    await step([0, 1, 0]); // sums begin with a graph of their own
    const compiled = engineStats()!.compiled;
    await step([2, 1, 0]);
    await step([1, 2, 2]);
    expect(engineStats()!.compiled).toBe(compiled);
  });

  test('without the network of proposals: refused', () => {
    const { model } = setUp({ grid: false, proposals: 4 });
    const inputs = new ImageInputs(model, { freeze: 'none', imageSize: 64, cacheBytes: 0 });
    expect(() => openSource(model, inputs, { freeze: 'none', imageSize: 64 })).toThrow(InputError);
  });

  test('nothing leaks', async () => {
    const { model, head } = setUp({ grid: false, proposals: 4 });
    const { source, items } = await inputsOf(model, head);
    await expectNoLeak(() => described(source, items[0]));
  });
});

describe('ProposalSource with proposals that learn', () => {
  const box = { x: 20, y: 10, width: 50, height: 40 };
  const joint = (model: DescriptorModel, head: RpnHead, recomputeActivations = false) => {
    const inputs = new ImageInputs(model, { freeze: 'none', imageSize: sidePx, cacheBytes: 1e8 });
    const anchors = ({ record }: ViewedImage): Draws => new RandomStream(Number(record.id.at(-1)));
    return openSource(model, inputs, { freeze: 'none', imageSize: sidePx, head, anchors, recomputeActivations });
  };

  test.each([
    ['grid', false],
    ['rpn', false],
    ['rpn', true],
  ] as const)(
    'the gradient is that of ranking loss + weight x mean loss of the images with a box, in one tape (%s, in blocks: %s)',
    async (pooled, recomputeActivations) => {
      const weight = 0.7;
      const whole = setUp({ grid: false, proposals: 5 });
      const { head } = whole;
      const { meta } = whole.model;
      const model =
        pooled === 'rpn'
          ? whole.model
          : DescriptorModel.create({ ...meta, regions: undefined }, await whole.model.toArrays());
      const items = [0, 3, 6].map((i) => unaugmented(i === 3 ? records[i] : { ...records[i], box }));
      const variables = new Map([...model.trainable('none'), ...head.variables]);
      const accumulator = new GradientAccumulator();
      const result = await rankingStep(
        tripletBatch([[items[0], items[1], items[2]]], { margin: 3 }),
        joint(model, head, recomputeActivations),
        {
          variables,
          accumulator,
          nameOf: ({ record }) => record.id,
          ownWeight: weight,
        },
      );
      // The same draws: each image's own.
      const describer = new ProposalDescriber(model, { proposals: 5, head });
      const inputs = await inputsOf(whole.model, head);
      const images = inputs.loaded.map(({ input }) => {
        if (input.kind !== 'pixels') throw new Error('pixels expected');
        const { data, width, height } = input.image;
        const pixels = tf.tensor4d(Float32Array.from(data), [1, height, width, 3]);
        const map = model.featureMap(pixels);
        const image = { width, height };
        return { pixels, image, shape: map.shape, regions: describer.regions(map, image) };
      });
      const rows = [10, 20, 50, 70]; // the images are not resized
      const targets = [0, 2].map((i) =>
        sampleTargets(
          { shape: images[i].shape, image: images[i].image, box: Float32Array.from(rows) },
          { anchors: rpn.anchors, stride },
          rpnConfigSchema.parse({}),
          new RandomStream(Number(items[i].record.id.at(-1))),
        ),
      );
      expect(targets.every(({ positives }) => positives > 0)).toBe(true);
      const { value, grads } = tf.variableGrads(() => {
        const maps = images.map(({ pixels }) => model.featureMap(pixels));
        const [q, p, n] = maps.map((map, i) =>
          pooled === 'grid' ? model.pool(map) : model.aggregate(regionMaxPool(map, images[i].regions)),
        );
        const own = [0, 2].map((i, k) => {
          const { logOdds, deltas } = head.run(maps[i]);
          const positions = tf.tensor1d(targets[k].positions, 'int32');
          const wanted = {
            labels: tf.tensor1d(targets[k].labels),
            weights: tf.tensor1d(targets[k].weights),
            deltas: tf.tensor2d(targets[k].deltas, [256, 4]),
          };
          return rpnLoss({ logOdds: logOdds.gather(positions), deltas: deltas.gather(positions) }, wanted).total;
        });
        return tripletLoss(q, p, n, { margin: 3 }).add(own[0].add(own[1]).mul(weight / 2));
      }, [...variables.values()]);
      expect(result.replayed).toBe(3);
      expect(result.loss! + weight * result.own!.loss).toBeCloseTo(value.dataSync()[0], 4);
      expect(result.own!.objectness + result.own!.boxes).toBeCloseTo(result.own!.loss, 5);
      expect([...accumulator.sums.keys()].sort()).toEqual([...variables.keys()].sort());
      for (const [name, sum] of accumulator.sums) {
        const expected = grads[variables.get(name)!.name].dataSync();
        expect(relativeDistance(sum.dataSync(), expected), name).toBeLessThan(1e-3);
      }
    },
  );

  test('an image without a box ranks and learns nothing else; a batch without any has no loss of proposals', async () => {
    const { model, head } = setUp({ grid: false, proposals: 5 });
    const items = [0, 3, 6].map((i) => unaugmented(records[i]));
    const variables = new Map([...model.trainable('none'), ...head.variables]);
    const accumulator = new GradientAccumulator();
    const batch = tripletBatch([[items[0], items[1], items[2]] as const], { margin: 3 });
    const options = { variables, accumulator, nameOf: () => '', ownWeight: 1 };
    const { own, loss } = await rankingStep(batch, joint(model, head), options);
    expect(own).toBeUndefined();
    expect(loss).toBeGreaterThan(0);
    for (const name of head.variables.keys()) expect(accumulator.sums.get(name)!.abs().max().dataSync()[0]).toBe(0);
  });
});

describe('boxInView', () => {
  const original = { width: 200, height: 100 };
  const options = (view: Partial<ImageView>) => ({ view: { ...identityView, ...view }, imageSize: 100, stride: 10 });
  const box = { x: 20, y: 10, width: 40, height: 60 };

  test('is scaled; mirrored; cut by the window of a zoom', () => {
    expect([...boxInView(box, original, options({}))!]).toEqual([5, 10, 35, 30]);
    expect([...boxInView(box, original, options({ flip: true }))!]).toEqual([5, 70, 35, 90]);
    // decoded at 200 x 100, a window of 100 x 50 of it, at (50, 25): x 20..60 - 50, y 10..70 - 25
    const window = { zoom: 2, left: 0.5, top: 0.5 };
    expect([...boxInView(box, original, options(window))!]).toEqual([0, 0, 45, 10]);
    expect([...boxInView(box, original, options({ ...window, flip: true }))!]).toEqual([0, 90, 45, 100]);
  });

  test('none where the window does not show it, or the box is none', () => {
    expect(boxInView(box, original, options({ zoom: 2, left: 1, top: 0 }))).toBeUndefined();
    expect(boxInView({ ...box, width: -3 }, original, options({}))).toBeUndefined();
  });

  test('is where the pixels are', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'spot.png');
    const spot = { left: 60, top: 30, width: 40, height: 20 };
    await sharp({ create: { width: 200, height: 100, channels: 3, background: 'black' } })
      .composite([{ input: { create: { width: 40, height: 20, channels: 3, background: 'white' } }, ...spot }])
      .png()
      .toFile(path);
    for (const flip of [false, true]) {
      const { view } = options({ zoom: 1.4, left: 0.4, top: 0.7, flip });
      const image = applyView(
        await decodeImage(path, { sizing: sizingOf(view, { imageSize: 100, stride: 10 }) }),
        view,
        10,
      );
      const [yMin, xMin, yMax, xMax] = boxInView({ x: 60, y: 30, width: 40, height: 20 }, original, options(view))!;
      const bright = [...Array(image.width * image.height).keys()].filter((i) => image.data[3 * i] > 127);
      const columns = bright.map((i) => i % image.width);
      const rows = bright.map((i) => Math.floor(i / image.width));
      const found = [Math.min(...rows), Math.min(...columns), Math.max(...rows) + 1, Math.max(...columns) + 1];
      [yMin, xMin, yMax, xMax].forEach((edge, i) => expect(Math.abs(edge - found[i])).toBeLessThan(1));
    }
  });
});
