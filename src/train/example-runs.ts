/**
 * @file Images of one form described, and replayed, in one native run: one after the other in it, with one image of activations in
 * memory, and the sums of gradients handed in and out once.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ExampleFunctions, type ExampleInput } from '../backend/index.js';
import { namedGradients } from './gradients.js';
import type { ExampleSource, ReplayOptions } from './replay.js';

/** A run blocks the event loop, and hands over all sums: images of a group at most, and bytes of their numbers. */
const [maxImages, maxBytes] = [32, 48 * 2 ** 20];

/** What a source's inputs come to, for inputs of one form at a time. Each form is recorded once, whatever the weights become. */
export class ExampleRuns<Input> {
  private readonly functions: ExampleFunctions;

  constructor(private readonly source: ExampleSource<Input>) {
    this.functions = new ExampleFunctions(() => source.weights());
  }

  /** Inputs of one form, a group at a time: a full group at once, the others at the end, in the order of their first inputs. */
  async *groups<Item extends { input: Input }>(items: AsyncIterable<Item>): AsyncGenerator<Item[]> {
    const groups = new Map<string, Item[]>();
    for await (const item of items) {
      const form = this.source.formOf(item.input);
      const group = groups.get(form) ?? [];
      groups.set(form, group);
      group.push(item);
      const bytes = (group.length + 1) * 4 * this.source.numbersOf(item.input).values.length;
      if (group.length < maxImages && bytes <= maxBytes) continue;
      groups.delete(form);
      yield group;
    }
    yield* groups.values();
  }

  /** Their descriptors. */
  async describe(inputs: readonly Input[]): Promise<Float32Array[]> {
    const { source } = this;
    const form = `describe ${source.formOf(inputs[0])}`;
    const { rows } = await this.functions.run(form, inputs.length, [stacked(source, inputs)], (numbers) => ({
      rows: [source.describeNumbers(numbers as tf.Tensor4D, inputs[0])],
    }));
    const dimension = rows[0].length / inputs.length;
    return inputs.map((_, i) => rows[0].slice(i * dimension, (i + 1) * dimension));
  }

  /** `replay` of each against its own `upstream`: the same sums up to rounding. */
  async replay(
    inputs: readonly Input[],
    { upstreams, variables, accumulator }: Omit<ReplayOptions, 'upstream'> & { upstreams: readonly Float32Array[] },
  ): Promise<void> {
    const { source } = this;
    const { sums } = await this.functions.run(
      `replay ${source.formOf(inputs[0])} for ${[...variables.keys()].join()}`,
      inputs.length,
      [stacked(source, inputs), stackedRows(upstreams)],
      (numbers, share) => {
        const product = () =>
          source
            .describeNumbers(numbers as tf.Tensor4D, inputs[0])
            .mul(share)
            .sum<tf.Scalar>();
        const { gradients, value } = namedGradients(product, variables);
        return { sums: gradients, rows: [value] };
      },
      accumulator.sums,
    );
    for (const [name, sum] of Object.entries(sums)) accumulator.replace(name, sum);
  }
}

function stacked<Input>(source: ExampleSource<Input>, inputs: readonly Input[]): ExampleInput {
  const numbers = inputs.map((input) => source.numbersOf(input));
  const [{ shape }] = numbers;
  const size = tf.util.sizeFromShape(shape);
  const values = new Float32Array(inputs.length * size);
  numbers.forEach((each, i) => values.set(each.values, i * size));
  return { values, shape };
}

function stackedRows(rows: readonly Float32Array[]): ExampleInput {
  const dimension = rows[0].length;
  const values = new Float32Array(rows.length * dimension);
  rows.forEach((row, i) => values.set(row, i * dimension));
  return { values, shape: [1, dimension] };
}
