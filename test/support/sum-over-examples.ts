/** @file `ExampleFunctions.run` of a function that is needed once. */
import type * as tf from '@tensorflow/tfjs';
import {
  ExampleFunctions,
  type ExampleInput,
  type OverExamples,
  type RecordedExample,
} from '../../src/backend/index.js';

export async function sumOverExamples(
  count: number,
  inputs: readonly ExampleInput[],
  record: (...example: tf.Tensor[]) => RecordedExample,
  before?: ReadonlyMap<string, tf.Tensor>,
): Promise<OverExamples> {
  const functions = new ExampleFunctions();
  try {
    return await functions.run('', count, inputs, record, before);
  } finally {
    functions.dispose();
  }
}
