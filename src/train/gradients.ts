/** @file Gradients by our names, and their sum over several backward passes. */
import * as tf from '@tensorflow/tfjs-core';

/** Value of `loss`, and its gradient by each of `variables` under our name of it; none of one that it does not depend on. */
export function namedGradients(
  loss: () => tf.Scalar,
  variables: ReadonlyMap<string, tf.Variable>,
): { value: tf.Scalar; gradients: Record<string, tf.Tensor> } {
  const { value, grads } = tf.variableGrads(loss, [...variables.values()]);
  const named = [...variables].map(([name, variable]) => [name, grads[variable.name]] as const);
  return { value, gradients: Object.fromEntries(named.filter(([, gradient]) => gradient !== undefined)) };
}

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

  /** Frees the sums; the accumulator is not used again. */
  dispose(): void {
    this.reset();
  }
}
