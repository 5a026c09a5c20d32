/**
 * @file One image's backward pass, from the gradient of the loss by its descriptor to the sums of its weights' gradients: on
 * one tape, or block by block with the activations of one block in memory at a time (Chen et al. 2016, "Training Deep
 * Nets with Sublinear Memory Cost").
 */
import * as tf from '@tensorflow/tfjs-core';
import type { DescriptorBlock } from '../models/descriptor.js';
import { type GradientAccumulator, namedGradients } from './gradients.js';

/** A descriptor's computation as a chain of blocks. */
export interface DescriptorInBlocks {
  start: tf.Tensor;
  blocks: readonly DescriptorBlock[];
}

/** How an input becomes a descriptor, in the forms that training needs of it. */
export interface DescriptorForms<Input> {
  /** [1, D], differentiable. */
  describe(input: Input): tf.Tensor2D;
  inBlocks(input: Input): DescriptorInBlocks;
  /** Where it is given, inputs of one form run together. */
  examples?: ExampleSource<Input>;
}

/** `describe` in two parts, for inputs that differ in their numbers only. */
export interface ExampleSource<Input> {
  /** Two inputs of equal form are computed by one graph. */
  formOf(input: Input): string;
  numbersOf(input: Input): { values: ArrayLike<number>; shape: [number, number, number, number] };
  /** [1, D] of a tensor of numbers of the same form as those of `input`; differentiable. */
  describeNumbers(numbers: tf.Tensor4D, input: Input): tf.Tensor2D;
  /** What `describeNumbers` reads and training changes. */
  weights(): Iterable<tf.Tensor>;
}

export interface ReplayOptions {
  /** [D] dL/d(descriptor). */
  upstream: Float32Array;
  /** By our names; others get no gradient. */
  variables: ReadonlyMap<string, tf.Variable>;
  accumulator: GradientAccumulator;
}

/** Adds the gradients to `accumulator`. They are computed when the promise resolves; nothing of the image stays pending. */
export async function replay<Input>(
  source: Pick<DescriptorForms<Input>, 'describe'>,
  input: Input,
  { upstream, variables, accumulator }: ReplayOptions,
): Promise<void> {
  const value = tf.tidy(() => {
    const row = tf.tensor2d(upstream, [1, upstream.length]);
    const product = namedGradients(() => source.describe(input).mul(row).sum<tf.Scalar>(), variables);
    accumulator.add(product.gradients);
    return product.value;
  });
  await value.data(); // computes the sums too
  value.dispose();
}

/** The same gradients, up to rounding, for one more forward pass. */
export async function replayInBlocks<Input>(
  source: Pick<DescriptorForms<Input>, 'inBlocks'>,
  input: Input,
  { upstream, variables, accumulator }: ReplayOptions,
): Promise<void> {
  const { start, blocks } = source.inBlocks(input);
  const inputs = [start]; // of the blocks that are still to be backpropagated
  let gradient: tf.Tensor = tf.tensor2d(upstream, [1, upstream.length]); // by the output of the last of them
  try {
    for (const block of blocks.slice(0, -1)) {
      const output = block.run(inputs.at(-1)!);
      inputs.push(output);
      await compute(output);
    }
    for (const block of blocks.toReversed()) {
      const x = inputs.at(-1)!;
      const trained = [...block.variables].filter(([name]) => variables.has(name));
      const sources = trained.map(([, variable]): tf.Tensor => variable);
      if (x !== start) sources.push(x);
      if (sources.length === 0) break; // the first block learns nothing
      const outputGradient = gradient;
      const inputGradient = tf.tidy(() => {
        const { grads } = tf.engine().gradients(() => block.run(x), sources, outputGradient);
        accumulator.add(Object.fromEntries(trained.map(([name], i) => [name, grads[i]])));
        return x === start ? tf.zeros([1]) : grads[trained.length];
      });
      gradient = inputGradient;
      inputs.pop();
      await compute(x === start ? accumulator.sums.get(trained[0][0])! : inputGradient);
      tf.dispose([x, outputGradient]);
    }
  } finally {
    tf.dispose([gradient, ...inputs]);
  }
}

/** Runs the graph up to a tensor without copying it out: a read computes every live tensor that shares work with it. */
async function compute(x: tf.Tensor): Promise<void> {
  const corner = x.slice(
    x.shape.map(() => 0),
    x.shape.map(() => 1),
  );
  await corner.data();
  corner.dispose();
}
