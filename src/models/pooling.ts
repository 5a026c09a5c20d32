/**
 * @file From a feature map to vectors: MAC, SPoC, GeM, and the regions of R-MAC. All are differentiable, all take
 * x [N, H, W, C] (non-negative where a ReLU ends the trunk; patches of a transformer are such a map too) and return unnormalised values.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { PoolingOptions } from './meta.js';
import { pixelGrid, type Region, rigidGrid, rmacPlusGrid } from './regions.js';

/** GeM's floor under the activations: log and the gradient for p need positive values. */
export const gemFloor = 1e-6;

/** Maximum activation of each channel. [N, H, W, C] -> [N, C]. Ties: the first cell gets the gradient, as in Caffe and torch. */
export function mac(x: tf.Tensor4D): tf.Tensor2D {
  const [n, height, width, channels] = x.shape;
  return tf.tidy(() => tf.maxPool(x, [height, width], 1, 'valid').reshape<tf.Tensor2D>([n, channels]));
}

/** Mean activation of each channel, no spatial weighting. [N, H, W, C] -> [N, C]. */
export function spoc(x: tf.Tensor4D): tf.Tensor2D {
  return x.mean<tf.Tensor2D>([1, 2]);
}

/** Generalised mean (mean max(x, 1e-6)^p)^(1/p). [N, H, W, C], p scalar -> [N, C]. p may be trained. */
export function gem(x: tf.Tensor4D, p: tf.Scalar): tf.Tensor2D {
  // exp(p log x) instead of pow: one formula for every p, and a gradient for p made of the same two kernels.
  return tf.tidy(() => {
    const powers = x.maximum(gemFloor).log().mul(p).exp();
    return powers.mean<tf.Tensor2D>([1, 2]).log().div<tf.Tensor2D>(p).exp();
  });
}

/**
 * Maximum activation of each channel in each region. [N, H, W, C] -> [N, R, C]. An empty region gives 0, as in Caffe.
 * (Sharing maxima along columns between regions was measured: no faster.)
 */
export function regionMaxPool(x: tf.Tensor4D, regions: readonly Region[]): tf.Tensor3D {
  return tf.tidy(() => {
    const [n, , , channels] = x.shape;
    const pooled = regions.map(({ yMin, xMin, yMax, xMax }) => {
      const height = yMax - yMin;
      const width = xMax - xMin;
      if (height <= 0 || width <= 0) return tf.zeros<tf.Rank.R2>([n, channels]);
      return mac(x.slice([0, yMin, xMin, 0], [n, height, width, channels]));
    });
    return tf.stack(pooled, 1) as tf.Tensor3D;
  });
}

/** The regions that `options` asks for on a map; `image` and `stride` (px per cell) are needed for the image plane. */
export function regionsOf(
  map: { height: number; width: number },
  { grid, plane, levels, wholeImage, precision }: PoolingOptions,
  { image, stride }: { image?: { height: number; width: number } | undefined; stride: number },
): Region[] {
  if (grid === 'rmac-plus') return rmacPlusGrid(map.height, map.width);
  if (plane === 'map') return rigidGrid(map.height, map.width, { levels, wholeImage, precision });
  if (image === undefined) throw new Error('regionsOf: plane "image" needs the size of the image');
  return pixelGrid(image, map, stride, { levels, wholeImage, precision });
}
