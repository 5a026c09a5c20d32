/** @file Sum of gradients over several backward passes. */
import * as tf from '@tensorflow/tfjs-core';

/** Keeps one running sum per variable. The caller owns what it adds; the sums belong to the accumulator. */
export class GradientAccumulator {
  private readonly kept = new Map<string, tf.Tensor>();

  /** By the names that `add` was given. */
  get sums(): ReadonlyMap<string, tf.Tensor> {
    return this.kept;
  }

  /** Adds one backward pass. Safe inside the caller's `tidy`: the sums are kept. */
  add(gradients: Readonly<Record<string, tf.Tensor>>): void {
    for (const [name, gradient] of Object.entries(gradients)) {
      const before = this.kept.get(name);
      this.kept.set(name, tf.keep(before === undefined ? gradient.clone() : before.add(gradient)));
      before?.dispose();
    }
  }

  /** Puts `tensor` in the place of a sum. */
  replace(name: string, tensor: tf.Tensor): void {
    this.kept.get(name)?.dispose();
    this.kept.set(name, tf.keep(tensor));
  }

  /** Back to nothing. */
  reset(): void {
    tf.dispose([...this.kept.values()]);
    this.kept.clear();
  }

  dispose(): void {
    this.reset();
  }
}
