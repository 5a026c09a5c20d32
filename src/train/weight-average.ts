/**
 * @file The average of the weights over a run: a <- d a + (1 - d) w after every update, d = min(decay, (1 + t) / (10 + t)) after t of
 * them, so that the start is soon forgotten (Polyak and Juditsky 1992, with the decay of TensorFlow's moving averages).
 */
import type * as tf from '@tensorflow/tfjs-core';
import { tensor } from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { NamedArray, NamedArrays } from '../models/safetensors.js';

/** What follows a variable's name in a checkpoint. */
const suffix = '#average';

/** Kept beside the weights; nothing of the training depends on it. */
export class WeightAverage {
  private readonly averages: NamedArrays = new Map();

  private constructor(
    private readonly variables: ReadonlyMap<string, tf.Variable>,
    private readonly decay: number,
  ) {}

  /** At the weights as they are. The caller keeps owning the variables. */
  static async start(variables: ReadonlyMap<string, tf.Variable>, decay: number): Promise<WeightAverage> {
    const average = new WeightAverage(variables, decay);
    for (const [name, variable] of variables) average.averages.set(name, await copyOf(variable));
    return average;
  }

  /** Adds the weights after update `step` (from 1). */
  async add(step: number): Promise<void> {
    const kept = Math.min(this.decay, (1 + step) / (10 + step));
    for (const [name, variable] of this.variables) {
      const { data } = this.averages.get(name) as NamedArray;
      const now = await variable.data();
      for (let i = 0; i < data.length; i++) data[i] = kept * data[i] + (1 - kept) * now[i];
    }
  }

  /** The averages, by names of their own; later updates do not change what was returned. */
  state(): NamedArrays {
    return new Map(
      [...this.averages].map(([name, { shape, data }]) => [name + suffix, { shape, data: Float32Array.from(data) }]),
    );
  }

  /** Takes stored averages over. Throws `InputError` if they are another model's. */
  restore(arrays: NamedArrays, source: string): void {
    for (const [name, { shape }] of this.averages) {
      const array = arrays.get(name + suffix);
      if (array?.shape.join() !== shape.join()) {
        throw new InputError(`${source}: no average of shape [${shape.join(', ')}] for ${name}.`);
      }
      this.averages.set(name, { shape, data: Float32Array.from(array.data) });
    }
  }

  /** Puts the averages into the variables. */
  assign(): void {
    assignAll(this.variables, this.averages);
  }

  /** Runs `work` with the averages in the variables, and puts the weights back. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const weights: NamedArrays = new Map();
    for (const [name, variable] of this.variables) weights.set(name, await copyOf(variable));
    this.assign();
    try {
      return await work();
    } finally {
      assignAll(this.variables, weights);
    }
  }
}

async function copyOf(variable: tf.Variable): Promise<NamedArray> {
  return { shape: [...variable.shape], data: Float32Array.from(await variable.data()) };
}

function assignAll(variables: ReadonlyMap<string, tf.Variable>, arrays: NamedArrays): void {
  for (const [name, variable] of variables) {
    const { shape, data } = arrays.get(name) as NamedArray;
    const value = tensor(data, shape);
    variable.assign(value);
    value.dispose();
  }
}
