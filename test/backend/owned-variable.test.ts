/** Variables that take numbers over. */
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { ownedVariable } from '../../src/backend/index.js';
import '../support/engine.js';

test.each(['onnx', 'cpu'])('a variable of the numbers given, trained like any other (%s)', async (backend) => {
  await tf.setBackend(backend);
  const variable = ownedVariable(Float32Array.of(1, 2, 3, 4), [2, 2], `owned on ${backend}`);
  expect(variable.trainable).toBe(true);
  expect(variable.name).toBe(`owned on ${backend}`);
  expect(await variable.array()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  const { grads } = tf.variableGrads(() => tf.sum(tf.square(variable)));
  const step = grads[variable.name];
  expect(Array.from(await step.data())).toEqual([2, 4, 6, 8]);
  variable.assign(variable.sub(step));
  expect(Array.from(await variable.data())).toEqual([-1, -2, -3, -4]);
  variable.dispose();
  await tf.setBackend('onnx');
});

test('the engine reads the array itself', async () => {
  const data = Float32Array.of(5, 6);
  const variable = ownedVariable(data, [2], 'owned');
  expect((await variable.data()).buffer).toBe(data.buffer);
  variable.dispose();
});

test('an array of another size is refused', () => {
  expect(() => ownedVariable(new Float32Array(3), [2, 2], 'short')).toThrow('short has 3 numbers for the shape [2,2].');
});
