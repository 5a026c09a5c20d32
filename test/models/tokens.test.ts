/** Tokens in a map: their places, positions and attention. Values of resized positions: torchvision.test.ts. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { parametersOf } from '../../src/models/architecture.js';
import { defaultMeta, trunkFor } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { exportWeights } from '../../src/models/export-weights.js';
import { importWeights } from '../../src/models/import-weights.js';
import { attend, placeTokens } from '../../src/models/tokens.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';

const wave = (shape: number[], phase = 0) =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(1 + phase + 2.7 * i)),
    shape,
  );

describe('placeTokens', () => {
  const grid = 3;
  const weights = () => ({ classToken: wave([4]), registers: wave([2, 4], 1), position: wave([1 + grid ** 2, 4], 2) });
  const patches = (h: number, w: number) => wave([2, h, w, 4], 3) as tf.Tensor4D;

  test.each([true, false])('a grid of its own size has the stored positions (antialias %s)', (antialias) => {
    const { classToken, registers, position } = weights();
    const map = placeTokens(patches(3, 3), { classToken, registers, position }, { grid, antialias });
    expect(map.shape).toEqual([2, 4, 3, 4]);
    const placed = patches(3, 3).add(position.slice([1], [9]).reshape([1, 3, 3, 4]));
    expectClose(map.slice([0, 1], [2, 3]).dataSync(), placed.dataSync());
    const first = [...classToken.add(position.slice([0], [1]).reshape([4])).dataSync(), ...registers.dataSync()];
    for (const n of [0, 1]) expectClose(map.slice([n, 0], [1, 1]).dataSync(), first);
  });

  test.each([true, false])('gradients by patches, tokens and positions on another size (antialias %s)', (antialias) => {
    const options = { grid, antialias };
    // The cells of the first row that are no tokens are nobody's: they have no gradient.
    const read = (map: tf.Tensor4D) =>
      tf.concat(
        [map.slice([0, 0, 0, 0], [2, 1, 3, 4]).reshape([2, 3, 4]), map.slice([0, 1], [2, 2]).reshape([2, 10, 4])],
        1,
      );
    checkGradient((at) => read(placeTokens(at as tf.Tensor4D, weights(), options)), patches(2, 5));
    for (const name of ['classToken', 'registers', 'position'] as const) {
      checkGradient((at) => read(placeTokens(patches(2, 5), { ...weights(), [name]: at }, options)), weights()[name]);
    }
  });
});

describe('attend', () => {
  const options = { heads: 2, tokens: 2 };
  /** Rows of tokens in order: those of the first row, then the patches. */
  const tokensOf = (map: tf.Tensor4D) => {
    const [, rows, w, channels] = map.shape;
    return tf.concat([
      map.slice([0, 0], [1, 1]).reshape([w, channels]).slice([0], [2]),
      map.slice([0, 1], [1, rows - 1]).reshape([-1, channels]),
    ]);
  };

  test('each token takes from all tokens by softmax, head by head', () => {
    const x = wave([1, 3, 3, 12]) as tf.Tensor4D;
    const rows = tokensOf(x).arraySync() as number[][];
    const expected = rows.map((row) =>
      [0, 1].flatMap((head) => {
        const part = (of: number[], at: number) => of.slice(at * 4 + head * 2, at * 4 + head * 2 + 2);
        const shares = rows.map((other) => {
          const [a, b] = [part(row, 0), part(other, 1)];
          return Math.exp((a[0] * b[0] + a[1] * b[1]) / Math.SQRT2);
        });
        const total = shares.reduce((a, b) => a + b);
        return [0, 1].map((c) => rows.reduce((sum, other, i) => sum + (shares[i] / total) * part(other, 2)[c], 0));
      }),
    );
    expectClose(tokensOf(attend(x, options)).dataSync(), expected.flat());
  });

  test('its gradient', () => {
    checkGradient((at) => tokensOf(attend(at as tf.Tensor4D, options)), wave([1, 3, 3, 12]));
  });

  test('cells that are no tokens are not read', () => {
    const x = wave([1, 3, 4, 12]) as tf.Tensor4D;
    const other = tf.buffer(x.shape, 'float32', Float32Array.from(x.dataSync()));
    for (let c = 0; c < 12; c++) other.set(1e3, 0, 0, 3, c);
    const [a, b] = [x, other.toTensor() as tf.Tensor4D].map((map) => tokensOf(attend(map, options)).dataSync());
    expectClose(b, a);
  });
});

describe('a vision transformer', () => {
  /** No dense layer does anything: the tokens are what they were placed as, behind a layer norm. */
  const weights = () =>
    new Map(
      parametersOf(trunkFor({ architecture: 'vit-s16' }).layers).map(({ name, kind, shape }) => {
        const data = new Float32Array(tf.util.sizeFromShape(shape));
        if (kind === 'gamma') data.fill(1);
        if (kind === 'class' || kind === 'position') data.set(wave(shape, shape.length).dataSync());
        return [name, { shape, data }] as const;
      }),
    );
  const image = () => tf.fill<tf.Rank.R4>([1, 40, 50, 3], 100);

  test('pooling cls is the class token behind the last layer norm, whatever the image', () => {
    const model = DescriptorModel.create(defaultMeta('vit-s16', { pooling: { kind: 'cls' } }), weights());
    expect(model.meta.cut).toBe('norm');
    const all = weights();
    const row = all.get('embed/class')!.data.map((v, i) => v + all.get('embed/position')!.data[i]);
    const mean = row.reduce((a, b) => a + b) / row.length;
    const length = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0));
    expectClose(
      model.describe(image()).dataSync(),
      row.map((v) => (v - mean) / length),
    );
    model.dispose();
  });

  test('other poolings take the patches', () => {
    const model = DescriptorModel.create(defaultMeta('vit-s16', { pooling: { kind: 'gem' } }), weights());
    expect(model.featureMap(image()).shape).toEqual([1, 2, 3, 384]);
    model.dispose();
  });

  test('pooling cls needs the whole of a network that has a class token', () => {
    expect(() => trunkFor({ architecture: 'vgg16', pooling: { kind: 'cls' } })).toThrow('vgg16 has no class token');
    expect(() => trunkFor({ architecture: 'vit-s16', cut: 'block3', pooling: { kind: 'cls' } })).toThrow('--cut');
    expect(() => trunkFor({ architecture: 'vit-s16', cut: 'block3/tokens' })).toThrow('has no layer "block3/tokens"');
  });

  test("timm's positions without the class token's, which it has added to the token", () => {
    const [c, h] = [384, 37];
    const tensors = new Map(
      [
        ['cls_token', [1, 1, c]],
        ['pos_embed', [1, h * h, c]],
        ['reg_token', [1, 4, c]],
        ['patch_embed.proj.weight', [c, 3, 14, 14]],
        ['patch_embed.proj.bias', [c]],
      ].map(([name, shape]) => {
        const extents = shape as number[];
        return [name as string, { shape: extents, data: new Float32Array(tf.util.sizeFromShape(extents)).fill(0.5) }];
      }),
    );
    const part = { architecture: 'dinov2-s14-reg', cut: 'block1' };
    expect(() => importWeights(tensors, 'f', part)).toThrow(/missing: blocks.0.norm1.weight/);
    for (const { name, kind, shape } of parametersOf(trunkFor(part).layers)) {
      if (!name.startsWith('block1/')) continue;
      const ours: Record<string, string> = {
        norm1: 'norm1.',
        qkv: 'attn.qkv.',
        out: 'attn.proj.',
        scale1: 'ls1.',
        norm2: 'norm2.',
        dense1: 'mlp.fc1.',
        dense2: 'mlp.fc2.',
        scale2: 'ls2.',
      };
      const layer = name.split('/')[1];
      const suffix = layer.startsWith('scale') ? 'gamma' : kind === 'kernel' || kind === 'gamma' ? 'weight' : 'bias';
      const theirs = kind === 'kernel' ? shape.toReversed() : shape;
      tensors.set(`blocks.0.${ours[layer]}${suffix}`, {
        shape: theirs,
        data: new Float32Array(tf.util.sizeFromShape(shape)),
      });
    }
    const { meta, weights: imported } = importWeights(tensors, 'f', part);
    const { shape, data } = imported.get('embed/position')!;
    expect(shape).toEqual([1 + h * h, c]);
    expect([data[c - 1], data[c], data.at(-1)]).toEqual([0, 0.5, 0.5]);
    const { tensors: exported } = exportWeights(meta, imported, 'torchvision');
    const shapes = ['cls_token', 'register_tokens', 'blocks.0.attn.qkv.weight'].map(
      (name) => exported.get(name)?.shape,
    );
    expect(shapes).toEqual([
      [1, 1, c],
      [1, 4, c],
      [3 * c, c],
    ]);
  });
});
