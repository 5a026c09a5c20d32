/** @file Kernels of the engine against tfjs's own JavaScript backend: inputs, values, gradients. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { wrongHere } from './device.js';
import { checkGradient } from './gradient.js';

export type Data = { values: number[]; shape: number[]; dtype: 'float32' | 'int32' | 'bool' };
export type F = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Distinct values in [-1, 1], none near 0, so that kinks and ties are far from every input. */
export function random(shape: number[], seed = 1): Data {
  const size = tf.util.sizeFromShape(shape);
  const values = Array.from({ length: size }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    const unit = x - Math.floor(x);
    const magnitude = 0.05 + 0.9 * Math.abs(unit - 0.5) * 2;
    return (unit < 0.5 ? -1 : 1) * Math.round(magnitude * 100) * 0.01 + (i % 97) * 0.005 * 1e-1;
  });
  return { values, shape, dtype: 'float32' };
}
export const positive = (shape: number[], seed = 1): Data => {
  const data = random(shape, seed);
  return { ...data, values: data.values.map((x) => Math.abs(x) + 0.1) };
};
export const ints = (values: number[], shape = [values.length]): Data => ({ values, shape, dtype: 'int32' });
export const bools = (values: number[], shape = [values.length]): Data => ({ values, shape, dtype: 'bool' });

async function runOn(backend: string, f: F, inputs: Data[]) {
  await tf.setBackend(backend);
  return tf.tidy(() => {
    const tensors = inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
    const result = f(...tensors);
    return (Array.isArray(result) ? result : [result]).map((t) => ({
      shape: t.shape,
      dtype: t.dtype,
      values: Array.from(t.dataSync()),
    }));
  });
}

/** The same shapes, types and values as tfjs's own JavaScript backend. */
export async function expectSame(f: F, inputs: Data[]) {
  const expected = await runOn('cpu', f, inputs);
  const actual = await runOn('onnx', f, inputs);
  expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    expected.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  expected.forEach(({ values }, k) => {
    const scale = values.reduce((max, v) => Math.max(max, Math.abs(v)), 1);
    values.forEach((value, i) => {
      expect(Math.abs(actual[k]?.values[i] - value) / scale).toBeLessThan(2e-6);
    });
  });
}

/** Gradient of a fixed random projection of the output, with respect to every input. */
const gradientOf =
  (f: F): F =>
  (...inputs) => {
    const project = (...xs: tf.Tensor[]) => {
      const y = f(...xs) as tf.Tensor;
      const weights = tf.tensor(random(y.shape, 9).values, y.shape);
      return tf.sum<tf.Scalar>(tf.mul(y, weights));
    };
    return tf.grads(project)(inputs);
  };

/**
 * Three tests per case: the value and the gradient equal the JavaScript backend's (not the gradient of the cases named in
 * `wrongElsewhere`), and the gradient equals finite differences.
 */
export function expectSameAndDifferentiable(
  cases: Record<string, [F, Data[]]>,
  wrongElsewhere: ReadonlySet<string> = new Set(),
): void {
  describe.each(Object.entries(cases).filter(([name]) => !wrongHere.has(name)))('%s', (name, [f, inputs]) => {
    test('value', () => expectSame(f, inputs));
    test.skipIf(wrongElsewhere.has(name))('gradient', () => expectSame(gradientOf(f), inputs));
    test('gradient against finite differences', async () => {
      await tf.setBackend('onnx');
      for (let k = 0; k < inputs.length; k++) {
        const others = inputs.map(({ values, shape }) => tf.tensor(values, shape));
        const { values, shape } = inputs[k];
        checkGradient(
          (x) => f(...others.map((other, i) => (i === k ? x : other))) as tf.Tensor,
          tf.tensor(values, shape),
        );
      }
    });
  });
}
