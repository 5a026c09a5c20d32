/** @file Gradients against central finite differences of the same function. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';

/**
 * Checks d(sum of a fixed projection of f)/dx at every element of x (or at `samples` spread over it).
 * float32: the step balances truncation against rounding; the tolerance is relative to the largest gradient element.
 */
export function checkGradient(
  f: (x: tf.Tensor) => tf.Tensor,
  x: tf.Tensor,
  { step = 1e-2, tolerance = 1e-2, samples = 24 }: { step?: number; tolerance?: number; samples?: number } = {},
): void {
  const y = f(x);
  const weights = tf.tensor(
    Array.from({ length: y.size }, (_, i) => 0.5 + Math.sin(i * 1.7)),
    y.shape,
  );
  const project = (at: tf.Tensor) => tf.sum<tf.Scalar>(tf.mul(f(at), weights));
  const analytic = Array.from(tf.grad(project)(x).dataSync());
  const values = Array.from(x.dataSync());
  const scale = Math.max(1e-3, ...analytic.map(Math.abs));
  const stride = Math.max(1, Math.floor(values.length / samples));
  for (let i = 0; i < values.length; i += stride) {
    const at = (delta: number) => {
      const moved = [...values];
      moved[i] = moved[i] + delta;
      return tf.tidy(() => project(tf.tensor(moved, x.shape)).dataSync()[0]);
    };
    const numeric = (at(step) - at(-step)) / (2 * step);
    expect(Math.abs(analytic[i] - numeric) / scale, `element ${i}: ${analytic[i]} against ${numeric}`).toBeLessThan(
      tolerance,
    );
  }
}
