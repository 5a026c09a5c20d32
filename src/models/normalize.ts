/** @file Normalisations with gradients that stay finite at zero. */
import * as tf from '@tensorflow/tfjs-core';

/** Smallest norm divided by: a zero row stays zero and its gradient is at most 1 / 1e-6. */
export const defaultEpsilon = 1e-6;

/**
 * Unit vectors along the last axis: x * rsqrt(max(sum x^2, epsilon^2)). Same shape out. Exact x / |x| for rows of norm
 * above `epsilon`; shorter rows are divided by `epsilon`. (tf.norm has a NaN gradient at 0; this has not.)
 */
export function l2Normalize<T extends tf.Tensor>(x: T, epsilon: number = defaultEpsilon): T {
  return tf.tidy(() =>
    x.mul(
      x
        .square()
        .sum(-1, true)
        .maximum(epsilon ** 2)
        .rsqrt(),
    ),
  );
}

/** Below this a value is raised linearly. */
const powerFloor = 1e-6;

/** Power law (Jégou and Chum 2012): each value to `power`, its sign kept. Same shape out. */
export function raised<T extends tf.Tensor>(x: T, power: number): T {
  return tf.tidy(() =>
    x.mul(
      x
        .abs()
        .maximum(powerFloor)
        .pow(power - 1),
    ),
  );
}
