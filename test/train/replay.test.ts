import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { PoolingOptions } from '../../src/models/meta.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { ImageInputs, type TrunkInput } from '../../src/train/image-inputs.js';
import { replay, replayInBlocks, type ReplayOptions } from '../../src/train/replay.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModel } from '../support/small-model.js';

const [width, height] = [96, 64];
const photograph: TrunkInput = {
  kind: 'pixels',
  image: {
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => 127 + 127 * Math.sin(i * 1.3) * Math.cos(i * 0.07)),
    width,
    height,
  },
};

function upstreamOf(model: DescriptorModel): Float32Array {
  return Float32Array.from({ length: model.dimension }, (_, i) => Math.sin(1 + 3.7 * i));
}

function inputsOf(model: DescriptorModel, freeze = 'none'): ImageInputs {
  return new ImageInputs(model, { freeze, imageSize: width, cacheBytes: 0 });
}

/** Largest difference over largest gradient, for every variable. */
async function differences(
  model: DescriptorModel,
  inputs: ImageInputs,
  input: TrunkInput,
  variables: ReadonlyMap<string, tf.Variable>,
): Promise<Map<string, number>> {
  const sums = async (run: (source: ImageInputs, image: TrunkInput, options: ReplayOptions) => Promise<void>) => {
    const accumulator = new GradientAccumulator();
    await run(inputs, input, { upstream: upstreamOf(model), variables, accumulator });
    const values = new Map([...accumulator.sums].map(([name, sum]) => [name, sum.dataSync<'float32'>()]));
    accumulator.dispose();
    return values;
  };
  const expected = await sums(replay);
  const actual = await sums(replayInBlocks);
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  return new Map(
    [...expected].map(([name, values]) => {
      const largest = values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      expect(largest, name).toBeGreaterThan(0);
      const furthest = values.reduce((max, v, i) => Math.max(max, Math.abs(v - actual.get(name)![i])), 0);
      return [name, furthest / largest];
    }),
  );
}

/** Seeded weights in which every norm does something, and residual branches are small but not zero. */
function network(name: string): DescriptorModel {
  const weights = initialWeights(name, 1);
  const scales = { gamma: [0.8, 0.2], beta: [0, 0.1], mean: [0, 0.1], variance: [1, 0.3] } as const;
  for (const [tensor, { shape, data }] of weights) {
    const scale = scales[tensor.split('/').at(-1) as keyof typeof scales];
    if (scale === undefined) continue;
    weights.set(tensor, { shape, data: data.map((_, i) => scale[0] + scale[1] * Math.sin(1 + 2.3 * i)) });
  }
  return DescriptorModel.create(defaultMeta(name), weights);
}

describe('replayInBlocks', () => {
  const heads: { name: string; pooling: Partial<PoolingOptions>; whiteningDimension?: number }[] = [
    { name: 'R-MAC with whitening', pooling: { kind: 'rmac' }, whiteningDimension: 8 },
    { name: 'R-MAC on the image plane', pooling: { kind: 'rmac', plane: 'image' } },
    { name: 'GeM', pooling: { kind: 'gem' } },
    { name: 'MAC', pooling: { kind: 'mac' } },
  ];
  for (const { name, ...options } of heads) {
    test(`${name}: the gradients of one tape`, async () => {
      const model = smallModel(options);
      for (const [variable, difference] of await differences(
        model,
        inputsOf(model),
        photograph,
        model.trainable('none'),
      )) {
        expect(difference, variable).toBeLessThan(1e-5);
      }
    });
  }

  test.each(['resnet50-tv', 'densenet121', 'mobilenet-v2-tv'])(
    '%s: the gradients of one tape',
    async (name) => {
      const model = network(name);
      const all = await differences(model, inputsOf(model), photograph, model.trainable('none'));
      for (const [variable, difference] of all) expect(difference, variable).toBeLessThan(1e-5);
      model.dispose();
    },
    60_000,
  );

  test('frozen stages: the rest gets the gradients of one tape', async () => {
    const model = smallModel({ whiteningDimension: 8 });
    for (const freeze of [...model.stages, 'all']) {
      const map = tf.tidy(() => model.prefix(tf.ones<tf.Rank.R4>([1, height, width, 3]).mul(90), freeze));
      const input: TrunkInput = {
        kind: 'map',
        values: map.dataSync<'float32'>(),
        shape: map.shape,
        imageSizePx: [height, width],
      };
      const variables = model.trainable(freeze);
      for (const [variable, difference] of await differences(model, inputsOf(model, freeze), input, variables)) {
        expect(difference, `${freeze} frozen: ${variable}`).toBeLessThan(1e-5);
      }
    }
  });

  test('adds to what is there, and leaves no tensor behind but the sums', async () => {
    const model = smallModel({ whiteningDimension: 8 });
    const inputs = inputsOf(model);
    const variables = model.trainable('none');
    const accumulator = new GradientAccumulator();
    const run = () => replayInBlocks(inputs, photograph, { upstream: upstreamOf(model), variables, accumulator });
    await run();
    const once = accumulator.sums.get('stem/kernel')!.dataSync<'float32'>();
    await expectNoLeak(run);
    const fiveTimes = accumulator.sums.get('stem/kernel')!.dataSync<'float32'>();
    const largest = once.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
    for (const [i, v] of once.entries()) expect(Math.abs(fiveTimes[i] - 5 * v)).toBeLessThan(1e-5 * 5 * largest);
  });
});
