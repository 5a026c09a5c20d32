/**
 * @file A trunk under batch normalisation (Ioffe and Szegedy 2015), for training from scratch only: every norm takes its
 * mean and variance from the batch. Afterwards `batchMoments` gives the constants the ordinary, frozen model holds.
 */
import * as tf from '@tensorflow/tfjs';
import { type Architecture, type ConvLayer, cutTrunk, imageInput, paddingOf } from '../src/models/architecture.js';

interface Moments {
  /** [C] */
  mean: tf.Tensor1D;
  /** [C] */
  variance: tf.Tensor1D;
}

/** Weights by our names (`<layer>/kernel`, `/gamma`, `/beta`). */
type Weights = ReadonlyMap<string, tf.Tensor>;

/**
 * Preprocessed images [N, H, W, 3] -> feature map [N, h, w, C], differentiable. Only architectures of convolutions with
 * norm and additions, such as rmac-small. `moments` gets those of every norm; the caller's tidy owns them.
 */
export function runWithBatchNorm(
  architecture: Architecture,
  weights: Weights,
  images: tf.Tensor4D,
  moments?: Map<string, Moments>,
): tf.Tensor4D {
  const outputs = new Map<string, tf.Tensor4D>([[imageInput, images]]);
  let last = images;
  for (const layer of cutTrunk(architecture).layers) {
    const [x, other] = layer.inputs.map((name) => outputs.get(name)!);
    if (layer.op === 'add') {
      last = x.add<tf.Tensor4D>(other).relu();
    } else if (layer.op === 'conv' && layer.norm && !layer.bias) {
      const y = convolve(x, weights.get(`${layer.name}/kernel`) as tf.Tensor4D, layer);
      const mean = y.mean<tf.Tensor4D>([0, 1, 2], true);
      const centred = y.sub<tf.Tensor4D>(mean);
      const variance = centred.square().mean<tf.Tensor4D>([0, 1, 2], true);
      moments?.set(layer.name, { mean: mean.flatten(), variance: variance.flatten() });
      const factor = variance
        .add(architecture.normEpsilon)
        .rsqrt()
        .mul(weights.get(`${layer.name}/gamma`)!);
      const z = centred.mul<tf.Tensor4D>(factor).add<tf.Tensor4D>(weights.get(`${layer.name}/beta`)!);
      last = layer.activation === 'relu' ? z.relu() : z;
    } else {
      throw new Error(`runWithBatchNorm: ${layer.op} layer ${layer.name} is not supported`);
    }
    outputs.set(layer.name, last);
  }
  return last;
}

function convolve(x: tf.Tensor4D, kernel: tf.Tensor4D, layer: ConvLayer): tf.Tensor4D {
  const [, height, width] = x.shape;
  return tf.conv2d(x, kernel, layer.stride, [[0, 0], paddingOf(layer, height), paddingOf(layer, width), [0, 0]]);
}

/** Mean and variance of every norm, averaged over batches of preprocessed images: `<layer>/mean`, `<layer>/variance`. */
export async function batchMoments(
  architecture: Architecture,
  weights: Weights,
  batches: Iterable<tf.Tensor4D>,
): Promise<Map<string, Float32Array>> {
  const sums = new Map<string, Float32Array>();
  let count = 0;
  for (const images of batches) {
    const moments = tf.tidy(() => {
      const found = new Map<string, Moments>();
      runWithBatchNorm(architecture, weights, images, found);
      return Object.fromEntries(
        [...found].flatMap(([layer, { mean, variance }]) => [
          [`${layer}/mean`, mean],
          [`${layer}/variance`, variance],
        ]),
      ) as Record<string, tf.Tensor1D>;
    });
    for (const [name, tensor] of Object.entries(moments)) {
      const values = await tensor.data<'float32'>();
      const sum = sums.get(name) ?? new Float32Array(values.length);
      sums.set(
        name,
        sum.map((v, i) => v + values[i]),
      );
    }
    tf.dispose([images, ...Object.values(moments)]);
    count++;
  }
  return new Map([...sums].map(([name, sum]) => [name, sum.map((v) => v / count)]));
}
