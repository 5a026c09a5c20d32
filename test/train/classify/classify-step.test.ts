import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DescriptorModel } from '../../../src/models/descriptor.js';
import { classesOf, labelsOf } from '../../../src/train/classify/classes.js';
import { ClassifierHead, headLayout, initialHead } from '../../../src/train/classify/classifier-head.js';
import {
  ClassifyPasses,
  type LabelledCrop,
  ranksOf,
  trainedVariables,
} from '../../../src/train/classify/classify-step.js';
import { centreCrop, decodeCrop } from '../../../src/train/classify/crops.js';
import { GradientAccumulator } from '../../../src/train/gradients.js';
import { NotFiniteError } from '../../../src/train/not-finite.js';
import { RandomStream } from '../../../src/train/random.js';
import { relativeDistance } from '../../support/close.js';
import '../../support/engine.js';
import { smallModel } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

let crops: LabelledCrop[];
let model: DescriptorModel;
let head: ClassifierHead;

beforeAll(async () => {
  const records = await stripedPhotographs(await temporaryFolder(), { photos: 2 });
  const labels = labelsOf(records, classesOf(records), 'the set');
  crops = await Promise.all(
    records.map(async (record, i) => ({
      id: record.id,
      image: await decodeCrop(centreCrop(record, { validationSide: 32 }), 32),
      label: labels[i],
      seed: 100 + i,
    })),
  );
  model = smallModel();
  const layout = headLayout(model.meta, classesOf(records), { head: 'pooled', dropout: 0.4, cropSize: 32 });
  head = new ClassifierHead(layout, initialHead(layout, new RandomStream(1)));
});

afterAll(() => {
  model.dispose();
  head.dispose();
});

/** Loss and gradient of all crops in passes of `size`. */
async function batch(size: number, freeze = 'none') {
  const passes = new ClassifyPasses({ model, head, freeze, batchSize: crops.length, labelSmoothing: 0.1 });
  const accumulator = new GradientAccumulator();
  let [loss, right] = [0, 0];
  for (let i = 0; i < crops.length; i += size) {
    const part = await passes.run(crops.slice(i, i + size), accumulator);
    loss += part.loss;
    right += part.right;
  }
  const gradients = new Map<string, Float32Array>();
  for (const [name, sum] of accumulator.sums) gradients.set(name, Float32Array.from(await sum.data<'float32'>()));
  accumulator.dispose();
  return { loss, right, gradients };
}

describe('ClassifyPasses', () => {
  test.each([1, 2, 4])('passes of %i images: loss and gradients of the whole batch', async (size) => {
    const whole = await batch(6);
    const parts = await batch(size);
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.right).toBe(whole.right);
    expect([...parts.gradients.keys()].sort()).toEqual([...whole.gradients.keys()].sort());
    for (const [name, gradient] of whole.gradients) {
      expect(relativeDistance(parts.gradients.get(name)!, gradient), name).toBeLessThan(1e-4);
    }
  });

  test('gradients of trunk and head agree with finite differences', async () => {
    const { gradients } = await batch(6);
    const variables = trainedVariables({ model, head, freeze: 'none' });
    for (const [name, gradient] of gradients) {
      if (!/^stage3.*(kernel|gamma)$|^classifier/.test(name)) continue;
      const variable = variables.get(name)!;
      const before = Float32Array.from(await variable.data<'float32'>());
      // Along the gradient itself: the derivative is its length.
      const length = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      const at = async (t: number) => {
        variable.assign(
          tf.tensor(
            before.map((v, i) => v + (t * gradient[i]) / length),
            variable.shape,
          ),
        );
        return (await batch(6)).loss;
      };
      const step = name.startsWith('classifier') ? 0.02 : 0.002;
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step);
      variable.assign(tf.tensor(before, variable.shape));
      expect(Math.abs(numeric - length) / length, `${name}: ${numeric} against ${length}`).toBeLessThan(0.03);
    }
  });

  test('frozen stages get no gradient, the others the same', async () => {
    const whole = await batch(6);
    const frozen = await batch(6, 'stage1');
    expect([...frozen.gradients.keys()].filter((name) => /^(stem|stage1)/.test(name))).toEqual([]);
    expect(frozen.gradients.size).toBeGreaterThan(4);
    for (const [name, gradient] of frozen.gradients) {
      expect(relativeDistance(gradient, whole.gradients.get(name)!), name).toBeLessThan(1e-4);
    }
  });

  test('leaves no tensor behind but the sums, and names an image whose scores are not finite', async () => {
    await batch(3);
    const before = tf.memory().numTensors;
    await batch(3);
    expect(tf.memory().numTensors).toBe(before);
    const bias = head.variables.get('classifier/classes/bias')!;
    bias.assign(tf.tensor1d([0, Number.NaN, 0]));
    const failing = batch(3);
    await expect(failing).rejects.toThrow(NotFiniteError);
    await expect(failing).rejects.toThrow(/class scores of l0\/p0/);
    bias.assign(tf.zeros([3]));
  });
});

test('ranksOf: a tie counts against', () => {
  expect(ranksOf(Float32Array.of(1, 3, 2, 5, 5, 0), [2, 0])).toEqual([1, 1]);
  expect(ranksOf(Float32Array.of(1, 3, 2), [1])).toEqual([0]);
});
