/**
 * @file Changing weights by their gradients. With g' = min(1, clip / |g|) g where the norm is bounded, else g, and
 * h = g' + decay w:
 *
 *   sgd    v <- momentum v + h                      w <- w - rate v
 *   adam   m <- b1 m + (1 - b1) h                   w <- w - rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + 1e-8)
 *          v <- b2 v + (1 - b2) h^2                 (Kingma and Ba 2015, algorithm 1; decay as PyTorch's Adam has it)
 *
 * Caffe (the published training) keeps rate inside v; the two are the same while the rate is constant, and a changed rate
 * acts at once here. All variables change in one expression that shares the gradient with the norm that is read at the end: one
 * native run per update.
 */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import type { GradientAccumulator } from './gradients.js';

export interface OptimizerOptions {
  /** Default `sgd`. */
  optimizer?: 'sgd' | 'adam';
  /** Of `sgd`; `adam` has 0.9 and 0.999. */
  momentum: number;
  weightDecay: number;
  /** `kernels`: only variables of two or more axes decay; no bias, shift, norm or pooling exponent. */
  weightDecayOn: 'all' | 'kernels';
  /** The rate of variables named `.../bias` in units of the others'. Default 1. */
  biasLearningRateFactor?: number;
  /** Bound of the gradient's norm; 0 = none. */
  clipGradientNorm: number;
}

/** Running averages of one variable: `sgd` has a velocity, `adam` two moments. */
type Averages = tf.Tensor[];

/** Names of a variable's averages in a checkpoint, after the variable's own. */
const suffixes = { sgd: [''], adam: ['#first', '#second'] } as const;
const [beta1, beta2, adamEpsilon] = [0.9, 0.999, 1e-8];

export class Optimizer {
  private readonly averages = new Map<string, Averages>();
  private readonly kind: 'sgd' | 'adam';

  /** `variables` by our names; the caller keeps owning them. */
  constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly options: OptimizerOptions,
  ) {
    this.kind = options.optimizer ?? 'sgd';
    for (const [name, variable] of variables) {
      this.averages.set(
        name,
        suffixes[this.kind].map(() => tf.keep(tf.zeros(variable.shape))),
      );
    }
  }

  /**
   * Changes every variable once and sets the gradients to zero; a variable without a gradient sees decay and the averages only.
   * `done`: updates before this one. Returns the norm of the whole gradient before clipping. If it is not finite the
   * weights are lost: stop, and go back to the last checkpoint.
   */
  async update(gradients: GradientAccumulator, learningRate: number, done: number): Promise<number> {
    const { weightDecay, weightDecayOn, clipGradientNorm } = this.options;
    const norm = tf.tidy(() => {
      // Fresh tensors that nobody keeps: the norm and the updates must share work to be computed together.
      const shared = new Map([...gradients.sums].map(([name, sum]) => [name, sum.mul(tf.scalar(1))]));
      const squares = [...shared.values()].map((gradient) => gradient.square().sum());
      // None where the first update's triplets all keep the margin.
      const total = squares.length === 0 ? tf.scalar(0) : tf.addN(squares).sqrt();
      const scale = clipGradientNorm > 0 ? clippingFactor(total, clipGradientNorm) : undefined;
      const { biasLearningRateFactor: factor = 1 } = this.options;
      const step = this.stepRule(learningRate, done + 1);
      const stepOfBias = factor === 1 ? step : this.stepRule(factor * learningRate, done + 1);
      for (const [name, variable] of this.variables) {
        const before = this.averages.get(name) as Averages;
        const gradient = shared.get(name);
        const decays = weightDecay > 0 && (weightDecayOn === 'all' || variable.rank >= 2);
        let change = gradient === undefined || scale === undefined ? gradient : gradient.mul(scale);
        if (decays) change = change === undefined ? variable.mul(weightDecay) : change.add(variable.mul(weightDecay));
        const { averages, difference } = (isBias(name) ? stepOfBias : step)(before, change);
        variable.assign(variable.sub(difference));
        this.averages.set(
          name,
          averages.map((average) => tf.keep(average)),
        );
        tf.dispose(before);
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

  /** Averages and change -> new averages, and what is subtracted from the weights. Numbers that change are fed, not compiled in. */
  private stepRule(
    learningRate: number,
    t: number,
  ): (before: Averages, change?: tf.Tensor) => { averages: Averages; difference: tf.Tensor } {
    if (this.kind === 'sgd') {
      const rate = tf.scalar(learningRate);
      return ([velocity], change) => {
        const decayed = velocity.mul(this.options.momentum);
        const next = change === undefined ? decayed : decayed.add(change);
        return { averages: [next], difference: next.mul(rate) };
      };
    }
    const rate = tf.scalar(learningRate / (1 - beta1 ** t));
    const correction = tf.scalar(1 / (1 - beta2 ** t));
    return ([first, second], change) => {
      const m = change === undefined ? first.mul(beta1) : first.mul(beta1).add(change.mul(1 - beta1));
      const v = change === undefined ? second.mul(beta2) : second.mul(beta2).add(change.square().mul(1 - beta2));
      return { averages: [m, v], difference: m.mul(rate).div(v.mul(correction).sqrt().add(adamEpsilon)) };
    };
  }

  /** The averages, read from the device. */
  async state(): Promise<NamedArrays> {
    const arrays: NamedArrays = new Map();
    for (const [name, averages] of this.averages) {
      for (const [i, average] of averages.entries()) {
        const data = Float32Array.from(await average.data());
        arrays.set(name + suffixes[this.kind][i], { shape: [...average.shape], data });
      }
    }
    return arrays;
  }

  /** Takes stored averages over. Throws `InputError` if they are another model's or optimizer's. */
  restore(arrays: NamedArrays, source: string): void {
    for (const [name, variable] of this.variables) {
      const restored = suffixes[this.kind].map((suffix) => {
        const array = arrays.get(name + suffix);
        if (array === undefined || array.shape.join() !== variable.shape.join()) {
          throw new InputError(`${source}: no momentum of shape [${variable.shape.join(', ')}] for ${name}${suffix}.`);
        }
        return array;
      });
      tf.dispose(this.averages.get(name));
      this.averages.set(
        name,
        restored.map(({ data, shape }) => tf.keep(tf.tensor(data, shape))),
      );
    }
  }

  dispose(): void {
    for (const averages of this.averages.values()) tf.dispose(averages);
    this.averages.clear();
  }
}

function isBias(name: string): boolean {
  return name.endsWith('/bias');
}

/** min(1, bound / norm), finite at norm 0. */
function clippingFactor(norm: tf.Tensor, bound: number): tf.Tensor {
  return tf.minimum(tf.scalar(1), tf.scalar(bound).div(norm.maximum(1e-30)));
}
