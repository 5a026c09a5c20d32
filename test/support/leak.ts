/** @file Tensor leaks. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';

/** Runs `f` once to warm up, then three times: the number of tensors must be exactly what it was. */
export async function expectNoLeak(f: () => unknown): Promise<void> {
  await f();
  const before = tf.memory().numTensors;
  for (let i = 0; i < 3; i++) await f();
  expect(tf.memory().numTensors, 'tensors left behind by three calls').toBe(before);
}
