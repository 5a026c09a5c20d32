/** @file Weights and sums of gradients of all ranks made one, in one buffer: a network of a few large messages, not of many small ones. */
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
  const { flat, parts } = flatBuffer(variables);
  for (const { name, from } of parts) {
    const sum = accumulator.sums.get(name);
    if (sum !== undefined) flat.set(await sum.data<'float32'>(), from);
  }
  await collective.allReduce(flat);
  for (const { name, variable, from } of parts) {
    tf.tidy(() => accumulator.replace(name, tf.tensor(flat.slice(from, from + variable.size), variable.shape)));
  }
}

/** Gives every rank the weights of rank 0. */
export async function broadcastVariables(
  variables: ReadonlyMap<string, tf.Variable>,
  collective: Collective,
): Promise<void> {
  if (collective.size === 1) return;
  const { flat, parts } = flatBuffer(variables);
  for (const { variable, from } of parts) flat.set(await variable.data<'float32'>(), from);
  await collective.broadcast(new Uint8Array(flat.buffer));
  if (collective.rank === 0) return;
  for (const { variable, from } of parts) {
    tf.tidy(() => variable.assign(tf.tensor(flat.slice(from, from + variable.size), variable.shape)));
  }
}

/** Room for one value of every weight, in the order of the variables. */
function flatBuffer(variables: ReadonlyMap<string, tf.Variable>) {
  let length = 0;
  const parts = [...variables].map(([name, variable]) => {
    const from = length;
    length += variable.size;
    return { name, variable, from };
  });
  return { flat: new Float32Array(length), parts };
}
