import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import {
  ClassifierHead,
  dropoutMask,
  headLayout,
  type HeadLayout,
  headShapes,
  initialHead,
} from '../../../src/train/classify/classifier-head.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { RandomStream } from '../../../src/train/random.js';
import '../../support/engine.js';
import { checkGradient } from '../../support/gradient.js';

const classes = ['a', 'b', 'c'];
const options = { head: 'auto', dropout: 'auto', cropSize: 224 } as const;

/** What an image of each seed loses. */
function masks(head: ClassifierHead, seeds: readonly number[]): tf.Tensor[] {
  return head.dropoutMasks(seeds).map(({ values, shape }) => tf.tensor(values, shape));
}

describe('headLayout', () => {
  // The published networks' own: 7 x 7 x 512 and 6 x 6 x 256 numbers go into fc6.
  test.each([
    ['vgg16', 'conv5_3', 25088],
    ['vgg16', 'pool5', 25088],
    ['vgg19', 'conv5_4', 25088],
    ['alexnet', 'conv5', 9216],
    ['alexnet-tv', 'conv5', 9216],
  ])('%s cut at %s has its own layers', (architecture, cut, inputs) => {
    const layout = headLayout({ architecture, cut }, classes, options);
    expect(layout).toMatchObject({ kind: 'fc', dropout: 0.5, widths: [inputs, 4096, 4096, 3] });
  });

  test('other networks, and parts of these, classify the pooled feature', () => {
    for (const [architecture, cut, channels] of [
      ['densenet121', 'norm', 1024],
      ['vgg16', 'conv4_3', 512],
    ] as const) {
      const layout = headLayout({ architecture, cut }, classes, options);
      expect(layout).toMatchObject({ kind: 'pooled', dropout: 0, widths: [channels, 3] });
      expect(() => headLayout({ architecture, cut }, classes, { ...options, head: 'fc' })).toThrow(UsageError);
    }
  });
});

describe('dropoutMask', () => {
  test('belongs to its seed, keeps the mean, drops the share', () => {
    const mask = dropoutMask(40_000, 0.25, new RandomStream(7));
    expect(dropoutMask(40_000, 0.25, new RandomStream(7))).toEqual(mask);
    expect(dropoutMask(40_000, 0.25, new RandomStream(8))).not.toEqual(mask);
    const dropped = mask.filter((v) => v === 0).length;
    expect(Math.abs(dropped - 10_000)).toBeLessThan(5 * Math.sqrt(7500));
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  });
});

/** A head of the form `fc` in small: map 4 x 4 x 2, pooled to 2 x 2, hidden layers of 5 and 6. */
const small: HeadLayout = {
  kind: 'fc',
  classes,
  dropout: 0.5,
  lastPool: { op: 'maxPool', name: 'pool5', inputs: ['image'], stage: 's', size: 2, stride: 2, pad: 0 },
  widths: [8, 5, 6, 3],
};

/** Weights large enough to be seen: no bias is neutral. */
function visible(layout: HeadLayout): NamedArrays {
  const weights: NamedArrays = new Map();
  for (const [name, shape] of headShapes(layout)) {
    const length = shape.reduce((a, b) => a * b);
    weights.set(name, { shape, data: Float32Array.from({ length }, (_, i) => 0.1 + 0.6 * Math.sin(2 + 1.9 * i)) });
  }
  return weights;
}

test('initialHead: the deviations of the published definition', () => {
  const layout: HeadLayout = { ...small, widths: [400, 100, 100, 50] };
  const weights = initialHead(layout, new RandomStream(1));
  expect(initialHead(layout, new RandomStream(1))).toEqual(weights);
  for (const [name, deviation] of [
    ['fc6', 0.005],
    ['fc7', 0.005],
    ['classes', 0.01],
  ] as const) {
    const { data } = weights.get(`classifier/${name}/kernel`)!;
    const mean = data.reduce((a, b) => a + b) / data.length;
    const found = Math.sqrt(data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length);
    expect(Math.abs(found / deviation - 1)).toBeLessThan(0.06);
    expect(Math.abs(mean)).toBeLessThan((5 * deviation) / Math.sqrt(data.length));
    const { data: bias } = weights.get(`classifier/${name}/bias`)!;
    expect(new Set(bias)).toEqual(new Set([Math.fround(name === 'classes' ? 0 : 0.1)]));
  }
});

describe('ClassifierHead', () => {
  const head = () => new ClassifierHead(small, visible(small));
  const map = (n: number) =>
    tf.tensor4d(
      Array.from({ length: n * 32 }, (_, i) => Math.sin(1 + 1.3 * i)),
      [n, 4, 4, 2],
    );

  test('the layers are those of a plain loop, with and without dropout', async () => {
    const weights = visible(small);
    const x = Array.from(await map(1).data());
    for (const seed of [undefined, 11]) {
      const stream = new RandomStream(11);
      const drop = (values: number[]) => {
        if (seed === undefined) return values;
        return values.map((v) => (stream.next() < 0.5 ? 0 : 2 * v));
      };
      const dense = (values: number[], name: string) => {
        const kernel = weights.get(`classifier/${name}/kernel`)!;
        const bias = weights.get(`classifier/${name}/bias`)!.data;
        return Array.from(bias, (b, o) => values.reduce((sum, v, i) => sum + v * kernel.data[i * bias.length + o], b));
      };
      const pooled: number[] = [];
      for (const [row, column] of [
        [0, 0],
        [0, 2],
        [2, 0],
        [2, 2],
      ]) {
        for (let c = 0; c < 2; c++) {
          const at = (dy: number, dx: number) => x[((row + dy) * 4 + column + dx) * 2 + c];
          pooled.push(Math.max(at(0, 0), at(0, 1), at(1, 0), at(1, 1)));
        }
      }
      const relu = (values: number[]) => values.map((v) => Math.max(0, v));
      const expected = dense(drop(relu(dense(drop(relu(dense(pooled, 'fc6'))), 'fc7'))), 'classes');
      const actual = await head()
        .scores(map(1), seed === undefined ? undefined : masks(head(), [seed]))
        .data();
      for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5);
    }
  });

  test('an image’s scores do not depend on the others in its pass', async () => {
    const both = await head()
      .scores(map(2), masks(head(), [3, 4]))
      .data();
    const second = tf.tidy(() => head().scores(map(2).slice([1, 0, 0, 0], [1, 4, 4, 2]), masks(head(), [4])));
    const alone = await second.data();
    for (let k = 0; k < 3; k++) expect(alone[k]).toBeCloseTo(both[3 + k], 6);
  });

  test('gradients through both forms agree with finite differences', () => {
    const fc = head();
    checkGradient((x) => fc.scores(x as tf.Tensor4D, masks(fc, [5])), map(1), { step: 1e-3 });
    const layout: HeadLayout = { kind: 'pooled', classes, dropout: 0.3, widths: [2, 3] };
    const pooled = new ClassifierHead(layout, visible(layout));
    checkGradient((x) => pooled.scores(x as tf.Tensor4D, masks(pooled, [5])), map(1));
    const cosine = new ClassifierHead(
      { ...layout, kind: 'cosine', cosineScale: 3 },
      visible({ ...layout, kind: 'cosine' }),
    );
    checkGradient((x) => cosine.scores(x as tf.Tensor4D, masks(cosine, [5])), map(1));
  });

  test('cosines times their scale, of the averaged feature and the classes, whatever their lengths', async () => {
    const layout: HeadLayout = { kind: 'cosine', classes: ['a', 'b'], dropout: 0, cosineScale: 20, widths: [2, 2] };
    // classes (3, 4) and (0, -7)
    const weights: NamedArrays = new Map([
      ['classifier/classes/kernel', { shape: [2, 2], data: Float32Array.of(3, 0, 4, -7) }],
    ]);
    const cosine = new ClassifierHead(layout, weights);
    const features = tf.tensor4d([0, 4, 0, 6], [1, 2, 1, 2]); // averages to (0, 5)
    expect([...(await cosine.scores(features).data())].map((score) => Math.round(score * 1e4) / 1e4)).toEqual([
      16, -20,
    ]);
    expect([...cosine.variables.keys()]).toEqual(['classifier/classes/kernel']);
  });

  test('weights of another shape are refused by name', () => {
    const weights = initialHead({ ...small, widths: [8, 5, 6, 4] }, new RandomStream(1));
    expect(() => new ClassifierHead(small, weights, 'c.safetensors')).toThrow(
      /c\.safetensors: no finite classifier\/classes\/kernel of shape \[6, 3\], got \[6, 4\]/,
    );
  });
});
