import '../support/engine.js';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { engineSimilarity } from '../../src/retrieval/engine-similarity.js';
import { plainSimilarity } from '../../src/linear/rows.js';

test('engineSimilarity equals the plain loops and leaves no tensors', async () => {
  const dimension = 24;
  const ids = Array.from({ length: 50 }, (_, i) => `${i}`);
  const table = { ids, dimension, data: Float32Array.from({ length: 50 * dimension }, (_, i) => Math.sin(i)) };
  const queries = Float32Array.from({ length: 7 * dimension }, (_, i) => Math.cos(3 * i));
  const before = tf.memory().numTensors;
  const engine = engineSimilarity(table);
  const [ours, expected] = [await engine.similarity(queries), await plainSimilarity(table)(queries)];
  expect(ours.length).toBe(7 * 50);
  ours.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
  engine.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
