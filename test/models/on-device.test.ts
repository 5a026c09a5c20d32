/**
 * Whole models on the device under test (RMAC_TEST_DEVICE) against tfjs's JavaScript backend. Tolerances: both compute in float32 but
 * add in another order, which a network of ten layers amplifies to about 1e-5 of a vector's norm; a wrong operator is off by 1e-1.
 */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { l2Normalize } from '../../src/models/normalize.js';
import { regionMaxPool } from '../../src/models/pooling.js';
import { rigidGrid } from '../../src/models/regions.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import type { LoadedInput, TrunkInput } from '../../src/train/image-inputs.js';
import { tripletBatch } from '../../src/train/ranking/ranking-batches.js';
import { DirectSource } from '../../src/train/ranking/direct-source.js';
import { rankingStep } from '../../src/train/ranking/ranking-step.js';
import { Optimizer } from '../../src/train/optimizer.js';
import { expectClose, relativeDistance } from '../support/close.js';
import '../support/engine.js';
import { smallModel } from '../support/small-model.js';

type Named = Map<string, Float32Array>;

/** The same computation here and in JavaScript: equal names, and every vector within `tolerance` of the other. */
async function expectSameVectors(f: () => Named | Promise<Named>, tolerance = 1e-4): Promise<void> {
  const ours = await f();
  await tf.setBackend('cpu');
  const theirs = await f();
  await tf.setBackend('onnx');
  expect([...ours.keys()]).toEqual([...theirs.keys()]);
  for (const [name, vector] of ours) {
    expect(vector.every(Number.isFinite), name).toBe(true);
    expect(
      vector.some((v) => v !== 0),
      name,
    ).toBe(true);
    expect(relativeDistance(vector, theirs.get(name)!), name).toBeLessThan(tolerance);
  }
}

const wave = (shape: number[], scale: number, seed = 1) =>
  Float32Array.from(
    { length: tf.util.sizeFromShape(shape) },
    (_, i) => scale * Math.sin(seed * 91.7 + i * 1.3 + seed * i),
  );

/** Descriptor of one image, and the gradient of its projection on a fixed vector for every variable. */
function descriptorAndGradients(model: DescriptorModel, [height, width]: [number, number]): Named {
  const vectors: Named = new Map();
  tf.tidy(() => {
    const image = tf.tensor4d(
      wave([height, width, 3], 120).map((v) => v + 128),
      [1, height, width, 3],
    );
    const direction = tf.tensor1d(wave([model.dimension], 1, 2));
    vectors.set('descriptor', model.describe(image).dataSync<'float32'>());
    const loss = () => model.describe(image).mul(direction).sum<tf.Scalar>();
    const { grads } = tf.variableGrads(loss, [...model.variables.values()]);
    for (const [name, variable] of model.variables) vectors.set(name, grads[variable.name].dataSync<'float32'>());
  });
  model.dispose();
  return vectors;
}

describe('R-MAC', () => {
  const rmac = (map: tf.Tensor4D) => l2Normalize(l2Normalize(regionMaxPool(map, rigidGrid(5, 7))).sum<tf.Tensor2D>(1));

  test('value and gradient for the map', () =>
    expectSameVectors(() => {
      const map = tf.tensor4d(wave([5, 7, 6], 1), [1, 5, 7, 6]);
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) =>
        rmac(x as tf.Tensor4D)
          .mul(tf.tensor1d(wave([6], 1, 3)))
          .sum(),
      )(map);
      return new Map([
        ['value', value.dataSync<'float32'>()],
        ['gradient', grad.dataSync<'float32'>()],
      ]);
    }));
});

describe('descriptor models', () => {
  test('R-MAC with whitening: descriptor and the gradient of every variable', () =>
    expectSameVectors(() => descriptorAndGradients(smallModel({ cut: 'stage1', whiteningDimension: 5 }), [28, 36])));

  test('GeM: descriptor and the gradient of every variable, the exponent included', () =>
    expectSameVectors(() => descriptorAndGradients(smallModel({ cut: 'stage1', pooling: { kind: 'gem' } }), [28, 36])));

  test('AlexNet, whose LRN WebGPU leaves to the CPU', () =>
    expectSameVectors(() => {
      const meta = defaultMeta('alexnet', { cut: 'conv2', pooling: { kind: 'mac' } });
      return descriptorAndGradients(DescriptorModel.create(meta, initialWeights('alexnet', 1, 'conv2')), [47, 47]);
    }));
});

test('a training step changes every weight as in JavaScript', () =>
  expectSameVectors(async () => {
    const model = smallModel({ cut: 'stage1', whiteningDimension: 4 });
    const variables = model.trainable('none');
    const accumulator = new GradientAccumulator();
    const optimizer = new Optimizer(variables, {
      momentum: 0.9,
      weightDecay: 1e-3,
      weightDecayOn: 'kernels',
      clipGradientNorm: 1,
    });
    const source = new DirectSource({
      async *load(seeds: readonly number[]): AsyncGenerator<LoadedInput<number>> {
        for (const item of seeds) {
          const data = Uint8Array.from(wave([24, 24, 3], 127, item), (v) => v + 127);
          yield { item, input: { kind: 'pixels', image: { data, width: 24, height: 24 } } };
        }
      },
      describe: (input: TrunkInput) => {
        if (input.kind !== 'pixels') throw new Error('pixels expected');
        const { data, width, height } = input.image;
        return model.describe(tf.tensor4d(Float32Array.from(data), [1, height, width, 3]));
      },
      inBlocks: () => {
        throw new Error('replayed on one tape here');
      },
    });
    const before = new Map([...variables].map(([name, variable]) => [name, variable.dataSync<'float32'>().slice()]));
    const options = { variables, accumulator, nameOf: String };
    const { active } = await rankingStep(tripletBatch([[1, 2, 3]], { margin: 2 }), source, options);
    expect(active).toBe(1);
    const norm = await optimizer.update(accumulator, 0.1, 0);
    const changes: Named = new Map([['norm', Float32Array.of(norm)]]);
    for (const [name, variable] of variables) {
      const after = variable.dataSync<'float32'>();
      changes.set(
        name,
        before.get(name)!.map((v, i) => after[i] - v),
      );
    }
    accumulator.dispose();
    optimizer.dispose();
    model.dispose();
    return changes;
  }, 1e-3)); // differences of nearly equal numbers: 1e-7 of a weight against steps of 1e-3 of it

test('unit length whatever the device', () => {
  const model = smallModel({ cut: 'stage1' });
  const rows = model.describe(tf.tensor4d(wave([2, 24, 20, 3], 100), [2, 24, 20, 3]));
  expectClose(rows.square().sum(1).dataSync(), [1, 1]);
  model.dispose();
});
