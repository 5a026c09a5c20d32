/**
 * @file Stochastic gradient descent with momentum and weight decay:
 *   g' = c g,  c = min(1, clip / |g|) with clipping, else 1
 *   v <- momentum v + g' + decay w
 *   w <- w - rate v
 * Caffe (the published training) keeps rate inside v; the two are the same while the rate is constant, and a changed rate
 * acts at once here. All variables change in one expression that shares the gradient with the norm that is read at the end: one
 * native run per update.
 */
import * as tf from '@tensorflow/tfjs';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import type { GradientAccumulator } from './gradients.js';

export interface SgdOptions {
  momentum: number;
  weightDecay: number;
  /** `kernels`: only variables of two or more axes decay; no bias, shift, norm or pooling exponent. */
  weightDecayOn: 'all' | 'kernels';
  /** Bound of the gradient's norm; 0 = none. */
  clipGradientNorm: number;
}

export class MomentumSgd {
  private readonly velocities = new Map<string, tf.Tensor>();

  /** `variables` by our names; the caller keeps owning them. */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly options: SgdOptions,
  ) {
    for (const [name, variable] of variables) this.velocities.set(name, tf.keep(tf.zeros(variable.shape)));
  }

  /**
   * Changes every variable once and sets the gradients to zero; a variable without a gradient sees decay and momentum only. Returns
   * the norm of the whole gradient before clipping. If it is not finite the weights are lost: stop, and go back to the last checkpoint.
   */
  async update(gradients: GradientAccumulator, learningRate: number): Promise<number> {
    const { momentum, weightDecay, weightDecayOn, clipGradientNorm } = this.options;
    const norm = tf.tidy(() => {
      // Fresh tensors that nobody keeps: the norm and the updates must share work to be computed together.
      const shared = new Map([...gradients.sums].map(([name, sum]) => [name, sum.mul(tf.scalar(1))]));
      const squares = [...shared.values()].map((gradient) => gradient.square().sum());
      const total = tf.addN(squares).sqrt();
      const scale = clipGradientNorm > 0 ? clippingFactor(total, clipGradientNorm) : undefined;
      const rate = tf.scalar(learningRate);
      for (const [name, variable] of this.variables) {
        const before = this.velocities.get(name) as tf.Tensor;
        const gradient = shared.get(name);
        const decays = weightDecay > 0 && (weightDecayOn === 'all' || variable.rank >= 2);
        let velocity = before.mul(momentum);
        if (gradient !== undefined) velocity = velocity.add(scale === undefined ? gradient : gradient.mul(scale));
        if (decays) velocity = velocity.add(variable.mul(weightDecay));
        variable.assign(variable.sub(velocity.mul(rate)));
        this.velocities.set(name, tf.keep(velocity));
        before.dispose();
      }
      // Zeros that are computed here rather than made anew: the next backward pass adds to sums of the same memory layout
      // as any other, so that it needs no compiled graph of its own.
      for (const [name, gradient] of shared) gradients.replace(name, gradient.mul(0));
      return total;
    });
    const [value] = await norm.data();
    norm.dispose();
    return value;
  }

  /** The momentum, read from the device. */
  async state(): Promise<NamedArrays> {
    const arrays: NamedArrays = new Map();
    for (const [name, velocity] of this.velocities) {
      arrays.set(name, { shape: [...velocity.shape], data: Float32Array.from(await velocity.data()) });
    }
    return arrays;
  }

  /** Takes a stored momentum over. Throws `InputError` if it is another model's. */
  restore(arrays: NamedArrays, source: string): void {
    for (const [name, variable] of this.variables) {
      const array = arrays.get(name);
      if (array === undefined || array.shape.join() !== variable.shape.join()) {
        throw new InputError(`${source}: no momentum of shape [${variable.shape.join(', ')}] for ${name}.`);
      }
      this.velocities.get(name)?.dispose();
      this.velocities.set(name, tf.keep(tf.tensor(array.data, array.shape)));
    }
  }

  dispose(): void {
    tf.dispose([...this.velocities.values()]);
    this.velocities.clear();
  }
}

/** min(1, bound / norm), finite at norm 0. */
function clippingFactor(norm: tf.Tensor, bound: number): tf.Tensor {
  return tf.minimum(tf.scalar(1), tf.scalar(bound).div(norm.maximum(1e-30)));
}
