/**
 * @file Weights and sums of gradients of all ranks made one, in one buffer: a network of a few large messages, not of many small ones. The
 * engine joins the tensors and parts them again, so that MPI adds where the engine has written.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Collective } from './collective.js';
import type { GradientAccumulator } from './gradients.js';

/** Puts the sums over all ranks into the accumulator of each. A variable that has no gradient on a rank counts there as zeros. */
export async function sumOverRanks(
  accumulator: GradientAccumulator,
  variables: ReadonlyMap<string, tf.Variable>,
  collective: Collective,
): Promise<void> {
  if (collective.size === 1) return;
  const { sums } = accumulator;
  const joined = tf.tidy(() =>
    tf.concat1d([...variables].map(([name, { shape }]) => (sums.get(name) ?? tf.zeros(shape)).reshape([-1]))),
  );
  const flat = await joined.data<'float32'>();
  await collective.allReduce(flat);
  tf.tidy(() => partsOf(flat, variables, (name, part) => accumulator.replace(name, part)));
  joined.dispose();
}

/** Gives every rank the weights of rank 0. */
export async function broadcastVariables(
  variables: ReadonlyMap<string, tf.Variable>,
  collective: Collective,
): Promise<void> {
  if (collective.size === 1) return;
  const joined = tf.tidy(() => tf.concat1d([...variables.values()].map((variable) => variable.reshape([-1]))));
  // A copy: with one variable it is that one's own memory.
  const flat = Float32Array.from(await joined.data<'float32'>());
  joined.dispose();
  await collective.broadcast(new Uint8Array(flat.buffer));
  if (collective.rank === 0) return;
  tf.tidy(() => partsOf(flat, variables, (name, part) => variables.get(name)!.assign(part)));
}

/** Gives `take` the values of each variable, which lie one after the other in `flat`. */
function partsOf(
  flat: Float32Array,
  variables: ReadonlyMap<string, tf.Variable>,
  take: (name: string, part: tf.Tensor) => void,
): void {
  const all = tf.tensor1d(flat);
  let from = 0;
  for (const [name, { size, shape }] of variables) {
    take(name, all.slice([from], [size]).reshape(shape));
    from += size;
  }
}
