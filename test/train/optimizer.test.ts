import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { Optimizer, type OptimizerOptions } from '../../src/train/optimizer.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';

const options: OptimizerOptions = { momentum: 0.5, weightDecay: 0.1, weightDecayOn: 'all', clipGradientNorm: 0 };

function setUp(changes: Partial<OptimizerOptions> = {}) {
  const variables = new Map<string, tf.Variable>([
    ['kernel', tf.variable(tf.tensor2d([[1, -2]]))],
    ['bias', tf.variable(tf.tensor1d([4]))],
  ]);
  const sgd = new Optimizer(variables, { ...options, ...changes });
  const gradients = new GradientAccumulator();
  const add = () => tf.tidy(() => gradients.add({ kernel: tf.tensor2d([[3, 0]]), bias: tf.tensor1d([4]) }));
  const values = (name: string) => variables.get(name)!.dataSync();
  return { variables, sgd, gradients, add, values };
}

describe('sgd', () => {
  test('two updates by hand', async () => {
    const { sgd, gradients, add, values } = setUp();
    add();
    // |g| = √(3² + 0² + 4²) = 5
    expectClose(await sgd.update(gradients, 0.1, 0), 5);
    // kernel: v = (3 + 0.1·1, 0 + 0.1·−2) = (3.1, −0.2); w = (1 − 0.31, −2 + 0.02) = (0.69, −1.98)
    // bias:   v = 4 + 0.4 = 4.4;                         w = 4 − 0.44 = 3.56
    expectClose(values('kernel'), [0.69, -1.98]);
    expectClose(values('bias'), [3.56]);
    add();
    expectClose(await sgd.update(gradients, 0.01, 0), 5);
    // kernel: v = (1.55 + 3 + 0.069, −0.1 − 0.198) = (4.619, −0.298); w = (0.69 − 0.04619, −1.98 + 0.00298)
    // bias:   v = 2.2 + 4 + 0.356 = 6.556;                           w = 3.56 − 0.06556
    expectClose(values('kernel'), [0.64381, -1.97702]);
    expectClose(values('bias'), [3.49444]);
  });

  test('weightDecayOn: kernels leaves biases alone', async () => {
    const { sgd, gradients, add, values } = setUp({ weightDecayOn: 'kernels' });
    add();
    await sgd.update(gradients, 0.1, 0);
    expectClose(values('kernel'), [0.69, -1.98]);
    expectClose(values('bias'), [3.6]); // 4 − 0.1·4
  });

  test('biasLearningRateFactor: only what is named .../bias has another rate, decay and momentum included', async () => {
    const variables = new Map<string, tf.Variable>(
      ['conv/bias', 'conv/kernel', 'bias'].map((name) => [name, tf.variable(tf.tensor1d([4]))]),
    );
    const sgd = new Optimizer(variables, { ...options, biasLearningRateFactor: 2 });
    const gradients = new GradientAccumulator();
    for (const expected of [
      // v = 1 + 0.1·4 = 1.4; w = 4 − 0.1·1.4, for the bias 4 − 0.2·1.4
      [3.72, 3.86, 3.86],
      // v = 0.7 + 1 + 0.1·3.86 = 2.086, for the bias 0.7 + 1 + 0.372 = 2.072
      [3.72 - 0.2 * 2.072, 3.86 - 0.2086, 3.86 - 0.2086],
    ]) {
      tf.tidy(() => gradients.add(Object.fromEntries([...variables.keys()].map((name) => [name, tf.tensor1d([1])]))));
      await sgd.update(gradients, 0.1, 0);
      expectClose(
        [...variables.values()].map((variable) => variable.dataSync()[0]),
        expected,
      );
    }
    sgd.dispose();
    gradients.dispose();
    tf.dispose([...variables.values()]);
  });

  test('clipping scales the whole gradient, and the norm returned is that before', async () => {
    const { sgd, gradients, add, values } = setUp({ weightDecay: 0, clipGradientNorm: 1 });
    add();
    expectClose(await sgd.update(gradients, 1, 0), 5);
    // g / 5: kernel (1 − 0.6, −2), bias 4 − 0.8
    expectClose(values('kernel'), [0.4, -2]);
    expectClose(values('bias'), [3.2]);
  });

  test('the gradients are zero afterwards, and sums start again', async () => {
    const { sgd, gradients, add } = setUp();
    add();
    await sgd.update(gradients, 0.1, 0);
    add();
    add();
    expectClose(gradients.sums.get('kernel')!.dataSync(), [6, 0]);
  });

  test('a stored momentum continues exactly', async () => {
    const straight = setUp();
    straight.add();
    await straight.sgd.update(straight.gradients, 0.1, 0);
    const momentum = await straight.sgd.state();
    const resumed = setUp();
    for (const [name, variable] of resumed.variables) {
      variable.assign(tf.tensor(straight.values(name).slice(), variable.shape));
    }
    resumed.sgd.restore(momentum, 'momentum.safetensors');
    for (const run of [straight, resumed]) {
      run.add();
      await run.sgd.update(run.gradients, 0.1, 1);
    }
    expect(resumed.values('kernel')).toEqual(straight.values('kernel'));
    expect(resumed.values('bias')).toEqual(straight.values('bias'));
  });

  test('another model’s momentum is refused', () => {
    const { sgd } = setUp();
    const wrong = new Map([['kernel', { shape: [2, 1], data: new Float32Array(2) }]]);
    expect(() => sgd.restore(wrong, 'momentum.safetensors')).toThrow(InputError);
    expect(() => sgd.restore(wrong, 'momentum.safetensors')).toThrow(/momentum.safetensors.*\[1, 2\].*kernel/);
  });

  test('leaves no tensor behind', async () => {
    const { sgd, gradients, add } = setUp({ clipGradientNorm: 1 });
    add();
    await expectNoLeak(async () => {
      add();
      await sgd.update(gradients, 0.1, 0);
    });
  });
});

test('adam with weight decay equals PyTorch (scripts/reference-training.py), also when it is stored in between', async () => {
  const { adam } = JSON.parse(readFileSync(new URL('../golden/training.json', import.meta.url), 'utf8')) as {
    adam: { start: number[]; gradients: number[][]; weights: number[][] };
  };
  const variables = new Map([['w', tf.variable(tf.tensor1d(adam.start))]]);
  const adamOptions: OptimizerOptions = { ...options, optimizer: 'adam' };
  let optimizer = new Optimizer(variables, adamOptions);
  const gradients = new GradientAccumulator();
  for (const [done, gradient] of adam.gradients.entries()) {
    tf.tidy(() => gradients.add({ w: tf.tensor1d(gradient) }));
    await optimizer.update(gradients, 0.1, done);
    expectClose(variables.get('w')!.dataSync(), adam.weights[done]);
    const state = await optimizer.state();
    optimizer.dispose();
    optimizer = new Optimizer(variables, adamOptions);
    optimizer.restore(state, 'state');
  }
});
