import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { InputError, UsageError } from '../../src/errors.js';
import { cosine, expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModel, smallModelParts } from '../support/small-model.js';

const photo = (height: number, width: number, n = 1): tf.Tensor4D =>
  tf.tidy(() =>
    tf.tensor4d(
      Float32Array.from(
        { length: n * height * width * 3 },
        (_, i) => 128 + 120 * Math.sin(i * 0.37 + Math.floor(i / 97)),
      ),
      [n, height, width, 3],
    ),
  );

describe('describe', () => {
  test('gives unit rows of the model dimension for every pooling, with and without whitening', () => {
    for (const kind of ['mac', 'spoc', 'gem', 'rmac'] as const) {
      for (const whiteningDimension of [undefined, 7]) {
        const model = smallModel({ pooling: { kind }, ...(whiteningDimension && { whiteningDimension }) });
        const rows = model.describe(photo(75, 93, 2));
        expect(rows.shape).toEqual([2, whiteningDimension ?? 256]);
        expect(model.dimension).toBe(rows.shape[1]);
        expectClose(rows.square().sum(1).dataSync(), [1, 1]);
        model.dispose();
      }
    }
  });

  test('beside the caller: the same rows and regions', async () => {
    const model = smallModel({ pooling: { kind: 'rmac' } });
    const large = photo(400, 500);
    const [rows, regions] = await Promise.all([model.describeAsync(large), model.regionDescriptorsAsync(large)]);
    expectClose(rows.dataSync(), model.describe(large).dataSync());
    expectClose(regions.dataSync(), model.regionDescriptors(large).dataSync());
    await expectNoLeak(async () => (await model.describeAsync(large)).dispose());
    model.dispose();
  });

  test('power: regions are unit rows of the square roots, and no others', () => {
    const [plain, rooted] = [smallModel(), smallModel({ pooling: { power: 0.5 } })];
    const image = photo(64, 96);
    const rows = plain.regionDescriptors(image).arraySync()[0];
    const expected = rows.map((row) => row.map((x) => Math.sqrt(x)));
    const unit = (v: number[]) => v.map((x) => x / Math.hypot(...v));
    expectClose(rooted.regionDescriptors(image).dataSync(), expected.flatMap(unit), { absolute: 1e-5 });
    plain.dispose();
    rooted.dispose();
  });

  test('an image in a batch has the descriptor it has alone', () => {
    const model = smallModel();
    const images = photo(64, 80, 2);
    const alone = model.describe(images.slice([1, 0, 0, 0], [1, 64, 80, 3]));
    const together = model.describe(images).slice([1, 0], [1, 256]);
    expect(cosine(alone.dataSync(), together.dataSync())).toBeGreaterThan(0.999999);
    model.dispose();
  });

  test('equals l2, shift, FC, l2, sum, l2 of regionDescriptors, in plain loops', () => {
    const model = smallModel({ whiteningDimension: 5 });
    const image = photo(64, 96);
    const regions = model.regionDescriptors(image).arraySync()[0];
    expect(regions.length).toBe(20); // 4 x 6 cells: levels of 2, 6 and 12 regions
    const shift = model.variables.get('whitening/shift')!.arraySync() as number[];
    const kernel = model.variables.get('whitening/kernel')!.arraySync() as number[][];
    const unit = (v: number[]) => v.map((x) => x / Math.hypot(...v));
    const sum = new Array<number>(5).fill(0);
    for (const region of regions) {
      expect(Math.hypot(...region)).toBeCloseTo(1, 5);
      const projected = kernel[0].map((_, d) => region.reduce((s, x, c) => s + (x + shift[c]) * kernel[c][d], 0));
      for (const [d, x] of unit(projected).entries()) sum[d] += x;
    }
    expectClose(model.describe(image).dataSync(), unit(sum), { absolute: 1e-5 });
    model.dispose();
  });

  test('the image plane uses the size of the image, the R-MAC+ grid has 15 regions', () => {
    const onImage = smallModel({ pooling: { plane: 'image', levels: 2 } });
    expect(onImage.regionDescriptors(photo(97, 131)).shape).toEqual([1, 8, 256]);
    const map = onImage.featureMap(photo(97, 131));
    expectClose(onImage.pool(map, [97, 131]).dataSync(), onImage.describe(photo(97, 131)).dataSync());
    expect(() => onImage.pool(map)).toThrow('size of the image');
    const plus = smallModel({ pooling: { grid: 'rmac-plus' } });
    expect(plus.regionDescriptors(photo(97, 131)).shape).toEqual([1, 15, 256]);
    onImage.dispose();
    plus.dispose();
  });

  test('a 1 x 1 image works where the trunk allows it, and is refused with the smallest size where not', async () => {
    const model = smallModel();
    expectClose(tf.norm(model.describe(photo(1, 1))).dataSync(), [1]);
    model.dispose();
    const parts = smallModelParts();
    const dense = DescriptorModel.create(
      { ...parts.meta, architecture: 'densenet121', cut: 'block4' },
      initialWeights('densenet121', 1, 'block4'),
    );
    expect(dense.smallestSide).toBe(29); // 29 -> 15 -> 8 -> 4 -> 2 -> 1
    expect(() => dense.describe(photo(1, 1))).toThrow(InputError);
    expect(() => dense.describe(photo(28, 400))).toThrow('at least 29 px');
    await expect(dense.describeAsync(photo(28, 400))).rejects.toThrow('at least 29 px');
    expect(dense.featureMap(photo(29, 29)).shape).toEqual([1, 1, 1, 1024]);
    dense.dispose();
  });
});

describe('training', () => {
  test('gradients of every kind of variable equal finite differences', () => {
    const model = smallModel({ cut: 'stage1', pooling: { kind: 'gem', p: 2 }, whiteningDimension: 4 });
    const image = photo(24, 20);
    const weights = tf.tensor1d([0.3, -1, 0.7, 0.5]);
    const loss = () => model.describe(image).mul(weights).sum<tf.Scalar>();
    const { grads } = tf.variableGrads(loss, [...model.trainable('none').values()]);
    const names = [
      'stem/kernel',
      'stem/gamma',
      'stem/beta',
      'stage1/down/kernel',
      'stage1/conv1/gamma',
      'stage1/conv2/kernel',
      'stage1/conv2/beta',
      'pooling/p',
      'whitening/shift',
      'whitening/kernel',
    ];
    for (const name of names) {
      const variable = model.variables.get(name)!;
      const analytic = grads[variable.name].dataSync();
      const values = Float32Array.from(variable.dataSync());
      const scale = Math.max(...Array.from(analytic, Math.abs));
      expect(scale, name).toBeGreaterThan(1e-6);
      for (let k = 0; k < 3; k++) {
        const i = Math.floor((k * values.length) / 3);
        const step = 4e-3;
        const at = (delta: number) => {
          variable.assign(
            tf.tensor(
              values.map((v, j) => (j === i ? v + delta : v)),
              variable.shape,
            ),
          );
          return loss().dataSync()[0];
        };
        const numeric = (at(step) - at(-step)) / (2 * step);
        variable.assign(tf.tensor(values, variable.shape));
        expect(
          Math.abs(analytic[i] - numeric) / scale,
          `${name}[${i}]: ${analytic[i]} against ${numeric}`,
        ).toBeLessThan(0.03);
      }
    }
    model.dispose();
  });

  test.each(['none', 'stem', 'stage2', 'all'])(
    'freeze %s: prefix and the rest give the descriptor; only the rest trains',
    (freeze) => {
      const model = smallModel({ whiteningDimension: 6 });
      const image = photo(64, 80);
      const prefix = model.prefix(image, freeze);
      expectClose(model.describeFromPrefix(prefix, freeze).dataSync(), model.describe(image).dataSync());
      const trainable = model.trainable(freeze);
      const loss = () => model.describeFromPrefix(prefix, freeze).sum<tf.Scalar>();
      const { grads } = tf.variableGrads(loss, [...trainable.values()]);
      expect(Object.keys(grads).length).toBe(trainable.size);
      const stages = new Set([...trainable.keys()].map((name) => name.split('/')[0]));
      const expected = {
        none: ['stem', 'stage1', 'stage2', 'stage3', 'out'],
        stem: ['stage1', 'stage2', 'stage3', 'out'],
        stage2: ['stage3', 'out'],
        all: [],
      };
      expect([...stages]).toEqual([...expected[freeze as 'none'], 'whitening']);
      model.dispose();
    },
  );

  test('an unknown stage is a usage error that lists the stages', () => {
    const model = smallModel();
    expect(() => model.trainable('block9')).toThrow(UsageError);
    expect(() => model.trainable('block9')).toThrow('none, stem, stage1, stage2, stage3, all');
    model.dispose();
  });

  test('describing, gradients and a model that comes and goes leak nothing', async () => {
    const image = photo(40, 48);
    await expectNoLeak(() => {
      const model = smallModel({ pooling: { kind: 'gem' }, whiteningDimension: 3 });
      const { value, grads } = tf.variableGrads(
        () => model.describe(image).sum<tf.Scalar>(),
        [...model.trainable('stem').values()],
      );
      value.dataSync();
      tf.dispose([value, ...Object.values(grads)]);
      tf.dispose([model.describe(image), model.regionDescriptors(image), model.prefix(image, 'stage1')]);
      model.dispose();
    });
  });
});

describe('create', () => {
  test('lists missing, unknown, misshapen and broken tensors in one line', () => {
    const { meta, weights } = smallModelParts();
    weights.delete('stem/gamma');
    weights.set('fc/kernel', { shape: [1], data: Float32Array.of(1) });
    weights.set('stem/beta', { shape: [3], data: Float32Array.of(1, 2, 3) });
    weights.get('stage1/down/kernel')!.data[5] = NaN;
    weights.get('out/variance')!.data[0] = -1;
    const message =
      /missing: stem\/gamma; unknown: fc\/kernel; stem\/beta is \[3\], \[32\] expected, stage1\/down\/kernel holds NaN or infinite values, out\/variance holds a negative variance/;
    expect(() => DescriptorModel.create(meta, weights)).toThrow(InputError);
    expect(() => DescriptorModel.create(meta, weights)).toThrow(message);
  });

  test('refuses unknown architectures, layers and whitening of the wrong size', () => {
    const { meta, weights } = smallModelParts();
    expect(() => DescriptorModel.create({ ...meta, architecture: 'lenet' }, weights)).toThrow(
      'Known: alexnet, alexnet-tv',
    );
    expect(() => DescriptorModel.create({ ...meta, cut: 'fc6' }, weights)).toThrow(
      'Layers to cut at: stem, stage1/down',
    );
    expect(() => DescriptorModel.create({ ...meta, whitening: { dimension: 4 } }, weights)).toThrow(
      'missing: whitening/shift',
    );
  });

  test('toArrays gives the weights back, trained values included', async () => {
    const { meta, weights } = smallModelParts({ pooling: { kind: 'gem', p: 2.5 } });
    const model = DescriptorModel.create(meta, weights);
    model.variables.get('stem/beta')!.assign(tf.fill([32], 9));
    const arrays = await model.toArrays();
    expect([...arrays.keys()].toSorted()).toEqual([...weights.keys(), 'pooling/p'].toSorted());
    expect(arrays.get('pooling/p')).toEqual({ shape: [], data: Float32Array.of(2.5) });
    expect([...arrays.get('stem/beta')!.data]).toEqual(new Array(32).fill(9));
    for (const name of ['out/kernel', 'stage2/conv1/mean', 'stage3/down/variance'])
      expect(arrays.get(name)).toEqual(weights.get(name));
    model.dispose();
  });
});

test('initialWeights: the same seed gives the same bytes, another seed others; He deviation', () => {
  const a = initialWeights('rmac-small', 3).get('stage3/conv1/kernel')!;
  expect(initialWeights('rmac-small', 3).get('stage3/conv1/kernel')).toEqual(a);
  expect(initialWeights('rmac-small', 4).get('stage3/conv1/kernel')!.data[0]).not.toBe(a.data[0]);
  const variance = a.data.reduce((s, v) => s + v * v, 0) / a.data.length;
  expectClose(variance, 2 / (9 * 128), { relative: 0.03 });
});

test('rmac-small stays below 700,000 values and has stride 16', () => {
  const size = [...initialWeights('rmac-small', 1).values()].reduce((s, { data }) => s + data.length, 0);
  expect(size).toBeLessThan(700_000);
  const model = smallModel();
  expect([model.stride, model.channels, model.stages]).toEqual([16, 256, ['stem', 'stage1', 'stage2', 'stage3']]);
  model.dispose();
});
