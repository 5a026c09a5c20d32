/** @file Pixels as a network was trained on: channel order, scale, mean, standard deviation. Part of the model. */
import * as tf from '@tensorflow/tfjs-core';
import type { Preprocessing } from './meta.js';

/** RGB 0-255 [N, H, W, 3] -> (x[channels] * scale - mean) / std, as one multiplication and one addition per pixel. */
export function preprocess(images: tf.Tensor4D, { channels, scale, mean, std }: Preprocessing): tf.Tensor4D {
  return tf.tidy(() => {
    const ordered = channels === 'bgr' ? images.reverse(3) : images;
    const factor = tf.tensor1d(std.map((s) => scale / s));
    const shift = tf.tensor1d(mean.map((m, i) => -m / std[i]));
    return ordered.mul<tf.Tensor4D>(factor).add<tf.Tensor4D>(shift);
  });
}
