import * as tf from '@tensorflow/tfjs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { recordModel, type WeightStorage } from '../../src/backend/index.js';
import { halfBits } from '../../src/backend/weight-storage.js';
import { relativeDistance } from '../support/close.js';
import '../support/engine.js';

test.each([
  [0, 0x0000],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [0.1, 0x2e66],
  [65_504, 0x7bff],
  [65_519.99, 0x7bff],
  [65_520, 0x7c00],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000], // halfway to zero: even
  [1.5 * 2 ** -24, 0x0002],
  [1 + 2 ** -11, 0x3c00], // halfway: even
  [1 + 3 * 2 ** -11, 0x3c02],
  [Number.POSITIVE_INFINITY, 0x7c00],
  [Number.NaN, 0x7e00],
])('%f is the half 0x%i', (value, bits) => {
  expect(halfBits(value)).toBe(bits);
});

test('convolutions and products by weights in fewer bytes', async () => {
  const wave = (shape: number[], seed: number) =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(seed + i * i) * (1 + (i % 7))),
      shape,
    );
  const [filter, matrix, bias] = [wave([3, 3, 16, 32], 1) as tf.Tensor4D, wave([32, 64], 2), wave([64], 3)];
  const f = (x: tf.Tensor) =>
    tf
      .relu(tf.conv2d(x as tf.Tensor4D, filter, 1, 'same'))
      .max<tf.Tensor2D>([1, 2])
      .matMul(matrix)
      .add(bias);
  const input = wave([1, 6, 5, 16], 4);
  const expected = f(input).dataSync();
  const distances: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  for (const weights of ['float32', 'float16', 'int8'] as WeightStorage[]) {
    const model = recordModel(f, { inputShape: input.shape, weights });
    const session = await InferenceSession.create(model);
    const { output } = await session.run({ input: new Tensor('float32', input.dataSync<'float32'>(), input.shape) });
    distances[weights] = relativeDistance(output.data as Float32Array, expected);
    bytes[weights] = model.length;
    await session.release();
  }
  expect(distances.float32).toBeLessThan(1e-6);
  expect(distances.float16).toBeLessThan(1e-3);
  expect(distances.float16).toBeGreaterThan(distances.float32);
  expect(distances.int8).toBeLessThan(2e-2);
  expect(distances.int8).toBeGreaterThan(distances.float16);
  const numbers = filter.size + matrix.size;
  expect(bytes.float32 - bytes.float16).toBeGreaterThan(2 * numbers - 500);
  expect(bytes.float32 - bytes.int8).toBeGreaterThan(3 * numbers - 1500);
});
