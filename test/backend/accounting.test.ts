/** What tf.memory, tf.profile and tf.time say here is what they say on tfjs's JavaScript backend. */
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { engineStats } from '../../src/backend/index.js';
import '../support/engine.js';

/** The same accounting on both backends. */
async function expectSameAccount<T>(f: () => T | Promise<T>): Promise<T> {
  await tf.setBackend('cpu');
  const theirs = await f();
  await tf.setBackend('onnx');
  const ours = await f();
  expect(ours).toEqual(theirs);
  return ours;
}

const counts = () => {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  return { numTensors, numDataBuffers, numBytes };
};

/** Tensors, buffers and bytes at each call of `mark`, counted from the start. */
function steps(f: (mark: () => void) => void) {
  const start = counts();
  const marks: ReturnType<typeof counts>[] = [];
  f(() => {
    const now = counts();
    marks.push({
      numTensors: now.numTensors - start.numTensors,
      numDataBuffers: now.numDataBuffers - start.numDataBuffers,
      numBytes: now.numBytes - start.numBytes,
    });
  });
  return marks;
}

test('memory through views, copies, reads and disposal', async () => {
  const marks = await expectSameAccount(() =>
    steps((mark) => {
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
      mark();
      const view = x.reshape([3, 2]);
      const copy = view.clone();
      mark(); // three tensors, one buffer
      const sum = view.add(1);
      mark();
      sum.dataSync();
      mark(); // reading changes nothing
      x.dispose();
      mark(); // the views keep the buffer
      tf.dispose([view, copy]);
      mark();
      const flags = sum.greater(3);
      const integers = sum.toInt();
      mark(); // one byte a flag
      tf.dispose([sum, flags, integers]);
      mark();
    }),
  );
  expect(marks[1]).toEqual({ numTensors: 3, numDataBuffers: 1, numBytes: 3 * 24 }); // tfjs counts bytes by tensor
  expect(marks.at(-1)).toEqual({ numTensors: 0, numDataBuffers: 0, numBytes: 0 });
});

test('memory through variables, gradients and an optimizer', async () => {
  const marks = await expectSameAccount(() =>
    steps((mark) => {
      const w = tf.tidy(() => tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2])));
      mark();
      const loss = () => tf.sum<tf.Scalar>(tf.square(tf.matMul(w as tf.Tensor2D, w as tf.Tensor2D).relu()));
      const { value, grads } = tf.variableGrads(loss);
      mark();
      value.dataSync();
      mark();
      tf.dispose([value, grads]);
      const optimizer = tf.train.momentum(0.01, 0.9);
      for (let i = 0; i < 2; i++) {
        optimizer.minimize(loss);
        mark();
      }
      tf.tidy(() => w.assign(tf.zeros([2, 2])));
      mark();
      optimizer.dispose();
      w.dispose();
      mark();
    }),
  );
  expect(marks.at(-1)?.numBytes).toBe(marks.at(-2)!.numBytes - 16 - 16 - 4); // variable, velocity, momentum
});

test('memory of kernels that are handed on, strings and complex numbers', () =>
  expectSameAccount(() =>
    steps((mark) => {
      const text = tf.tensor1d(['a', 'bcd']);
      const waves = tf.complex([1, 2], [3, 4]);
      mark();
      const unique = tf.unique(tf.tensor1d([1, 1, 2]));
      mark();
      tf.dispose([text, waves, unique.values, unique.indices]);
      mark();
    }),
  ));

test('profile: tensors, bytes, peak and kernels, through nested scopes and gradients', async () => {
  const profile = () =>
    expectSameAccount(async () => {
      const x = tf.tensor2d([1, -2, 3, -4], [2, 2]);
      const info = await tf.profile(() =>
        tf.tidy(() => {
          const square = tf.tidy(() => {
            const wide = tf.concat([x, x, x], 1);
            tf.tidy(() => wide.exp().sum().sqrt());
            return wide.square().sum();
          });
          const gradient = tf.grad((t) => t.relu().mul(t).mean())(x);
          return [square, gradient.reshape([4])];
        }),
      );
      x.dispose();
      const { newBytes, newTensors, peakBytes, kernelNames } = info;
      const kernels = info.kernels.map(
        ({ name, bytesAdded, totalBytesSnapshot, tensorsAdded, totalTensorsSnapshot, inputShapes, outputShapes }) => ({
          name,
          bytesAdded,
          // From the first kernel on, so that tensors of other tests do not matter.
          bytes: totalBytesSnapshot - info.kernels[0].totalBytesSnapshot,
          tensorsAdded,
          tensors: totalTensorsSnapshot - info.kernels[0].totalTensorsSnapshot,
          inputShapes,
          outputShapes,
        }),
      );
      const result = (info.result as unknown as tf.Tensor[]).map((t) => Array.from(t.dataSync()));
      tf.dispose(info.result);
      return { newBytes, newTensors, peakBytes, kernelNames: kernelNames.toSorted(), kernels, result };
    });
  const { newBytes, newTensors, peakBytes } = await profile();
  expect({ newBytes, newTensors }).toEqual({ newBytes: 4 + 16, newTensors: 2 });
  expect(peakBytes).toBeGreaterThan(newBytes);
});

test('profile times every kernel, and its reads give what the kernels computed', async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const info = await tf.profile(() => tf.tidy(() => x.square().exp().sum()));
  for (const { kernelTimeMs } of info.kernels) expect(await kernelTimeMs).toBeGreaterThanOrEqual(0);
  expect(info.kernels.map(({ name }) => name)).toEqual(['Square', 'Exp', 'Sum']);
});

test('time counts the kernels of its own function, whatever was pending or runs later', async () => {
  const large = tf.randomUniform<tf.Rank.R2>([700, 700], -1, 1, 'float32', 1);
  large.dataSync();
  const pending = tf.matMul(tf.matMul(large, large), large); // not computed yet
  const small = tf.ones([2]);
  const runsBefore = engineStats()!.runs;
  const { kernelMs } = await tf.time(() => small.add(1));
  expect(kernelMs).toBeGreaterThan(0);
  expect(engineStats()!.runs).toBe(runsBefore + 2); // what was pending, then the function's own
  const before = engineStats()!;
  pending.dataSync();
  expect(engineStats()!.runs).toBe(before.runs); // it was computed before the clock started
  tf.dispose([large, pending, small]);
});

test('time of a function that makes nothing new is 0', async () => {
  const x = tf.tidy(() => tf.ones([3]).exp());
  expect((await tf.time(() => undefined)).kernelMs).toBe(0);
  x.dispose();
});

test('time includes what its function reads, and tensors that a scope drops were never work', async () => {
  const x = tf.tensor1d([1, 2]);
  const { kernelMs } = await tf.time(() => {
    tf.tidy(() => x.exp().dataSync());
  });
  expect(kernelMs).toBeGreaterThan(0);
});
