import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { encodeModelFile, loadModel, readModelFile } from '../../src/data/model-file.js';
import { InputError } from '../../src/errors.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { withoutWhitening } from '../../src/models/whitening.js';
import { initialRpn, RpnHead } from '../../src/rpn/head.js';
import { RandomStream } from '../../src/train/random.js';
import { temporaryFolder } from '../train/tiny-run.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModelParts } from '../support/small-model.js';

const meta: RpnMeta = { anchors: { base: 16, scales: [2, 4], ratios: [1], clip: true }, channels: 5 };
const channels = 3;

/** Weights large enough to see every one of them. */
function loudWeights() {
  const weights = initialRpn(meta, channels, new RandomStream(1));
  for (const { data } of weights.values()) data.forEach((_, i) => (data[i] = Math.sin(1 + 3 * i + data.length)));
  return weights;
}

const mapValues = Array.from({ length: 2 * 3 * channels }, (_, i) => Math.cos(2.1 * i));

describe('RpnHead', () => {
  test('a 3x3 convolution with ReLU, two 1x1 siblings, background first: by loops', () => {
    const weights = loudWeights();
    const at = (name: string) => weights.get(`rpn/${name}`)!.data;
    const cell = (y: number, x: number) => (c: number) =>
      y < 0 || x < 0 || y > 1 || x > 2 ? 0 : mapValues[(y * 3 + x) * channels + c];
    const odds: number[] = [];
    const deltas: number[] = [];
    for (let y = 0; y < 2; y++) {
      for (let x = 0; x < 3; x++) {
        const shared = Array.from({ length: 5 }, (_, o) => {
          let sum = at('conv/bias')[o];
          for (let dy = 0; dy < 3; dy++)
            for (let dx = 0; dx < 3; dx++)
              for (let c = 0; c < channels; c++)
                sum += cell(y + dy - 1, x + dx - 1)(c) * at('conv/kernel')[((dy * 3 + dx) * channels + c) * 5 + o];
          return Math.max(0, sum);
        });
        const sibling = (name: string, outputs: number) =>
          Array.from({ length: outputs }, (_, o) =>
            shared.reduce(
              (sum, value, i) => sum + value * at(`${name}/kernel`)[i * outputs + o],
              at(`${name}/bias`)[o],
            ),
          );
        const scores = sibling('objectness', 4);
        odds.push(scores[2] - scores[0], scores[3] - scores[1]);
        deltas.push(...sibling('deltas', 8));
      }
    }
    const head = new RpnHead(meta, channels, weights);
    const output = head.run(tf.tensor4d(mapValues, [1, 2, 3, channels]));
    expect([output.logOdds.shape, output.deltas.shape]).toEqual([[12], [12, 4]]);
    expectClose(output.logOdds.dataSync(), odds);
    expectClose(output.deltas.dataSync(), deltas);
    head.dispose();
  });

  test('gradients by the map and by the kernels, against finite differences', () => {
    const head = new RpnHead(meta, channels, loudWeights());
    const output = (x: tf.Tensor4D) => {
      const { logOdds, deltas } = head.run(x);
      return tf.concat([logOdds, deltas.reshape<tf.Tensor1D>([-1])]);
    };
    checkGradient((x) => output(x as tf.Tensor4D), tf.tensor4d(mapValues, [1, 2, 3, channels]), { step: 2e-3 });
    const x = tf.tensor4d(mapValues, [1, 2, 3, channels]);
    const { grads } = tf.variableGrads(() => output(x).sum<tf.Scalar>(), [...head.variables.values()]);
    for (const variable of head.variables.values()) {
      const before = variable.dataSync().slice();
      const analytic = grads[variable.name].dataSync();
      const i = before.length >> 1;
      const sumAt = (delta: number) => {
        const moved = before.slice();
        moved[i] += delta;
        variable.assign(tf.tensor(moved, variable.shape));
        return tf.tidy(() => output(x).sum().dataSync()[0]);
      };
      const numeric = (sumAt(1e-2) - sumAt(-1e-2)) / 2e-2;
      expectClose(analytic[i], numeric, { absolute: 2e-2, relative: 2e-2 });
      variable.assign(tf.tensor(before, variable.shape));
    }
    head.dispose();
  });

  test('new kernels are N(0, 0.01), biases 0, the same from the same seed', () => {
    const large: RpnMeta = { ...meta, channels: 512 };
    const weights = initialRpn(large, 16, new RandomStream(3));
    const { data } = weights.get('rpn/conv/kernel')!; // 73,728 values
    const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length - mean ** 2);
    expect(Math.abs(mean)).toBeLessThan((5 * 0.01) / Math.sqrt(data.length));
    expect(Math.abs(deviation - 0.01)).toBeLessThan((5 * 0.01) / Math.sqrt(2 * data.length));
    expect(weights.get('rpn/conv/bias')!.data.every((v) => v === 0)).toBe(true);
    expect(initialRpn(large, 16, new RandomStream(3))).toEqual(weights);
  });

  test('nothing leaks', async () => {
    const weights = loudWeights();
    await expectNoLeak(() => {
      const head = new RpnHead(meta, channels, weights);
      tf.tidy(() => head.run(tf.zeros([1, 2, 2, channels])).logOdds.dataSync());
      head.dispose();
    });
  });
});

describe('a model file with proposals', () => {
  const parts = () => {
    const { meta: plain, weights } = smallModelParts({ whiteningDimension: 8 });
    const rpn = initialRpn(meta, 256, new RandomStream(1));
    return { meta: { ...plain, rpn: meta }, weights: new Map([...weights, ...rpn]), plain: { meta: plain, weights } };
  };

  test('is loaded, describes as without them, and is written again byte for byte', async () => {
    const { meta: whole, weights, plain } = parts();
    const file = join(await temporaryFolder(), 'model.safetensors');
    await writeFile(file, encodeModelFile(whole, weights));
    const model = await loadModel(file);
    const image = tf.tensor4d(
      Float32Array.from({ length: 48 * 64 * 3 }, (_, i) => (i * 37) % 256),
      [1, 48, 64, 3],
    );
    const without = DescriptorModel.create(plain.meta, plain.weights);
    expect([...model.describe(image).dataSync()]).toEqual([...without.describe(image).dataSync()]);
    // Buffers are compared by their own method: the matcher takes seconds for megabytes.
    expect((await readFile(file)).equals(encodeModelFile(model.meta, await model.toArrays()))).toBe(true);
    expect([...model.trainable('none').keys()].filter((name) => name.startsWith('rpn/'))).toEqual([]);
    model.dispose();
    without.dispose();
  });

  test('keeps them when its whitening is left out', async () => {
    const { meta: whole, weights } = parts();
    const stripped = withoutWhitening(whole, weights);
    const file = join(await temporaryFolder(), 'model.safetensors');
    await writeFile(file, encodeModelFile(stripped.meta, stripped.weights));
    const read = await readModelFile(file);
    expect(read.meta.rpn).toEqual(meta);
    expect(read.weights.get('rpn/conv/kernel')!.shape).toEqual([3, 3, 256, 5]);
  });

  test('whose tensors are missing or misshapen is refused by name', () => {
    const { meta: whole, weights } = parts();
    weights.delete('rpn/conv/bias');
    expect(() => DescriptorModel.create(whole, weights)).toThrow(InputError);
    expect(() => DescriptorModel.create(whole, weights)).toThrow('missing: rpn/conv/bias');
    const other = parts();
    other.weights.set('rpn/deltas/bias', { shape: [7], data: new Float32Array(7) });
    expect(() => DescriptorModel.create(other.meta, other.weights)).toThrow('rpn/deltas/bias');
  });
});
