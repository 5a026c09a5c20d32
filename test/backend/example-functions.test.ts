/** A function run natively over examples against tfjs's own JavaScript backend, one call for each example. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { OnnxBackend } from '../../src/backend/backend.js';
import { ExampleFunctions, engineStats, startEngine } from '../../src/backend/index.js';
import { relativeDistance } from '../support/close.js';
import { testDevice } from '../support/device.js';
import { expectNoLeak } from '../support/leak.js';
import { sumOverExamples } from '../support/sum-over-examples.js';

beforeAll(async () => {
  await startEngine({ device: testDevice, threads: 2 });
});

function noise(size: number, seed: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(seed * 17.3 + i * (1.7 + seed)));
}

/** [1, D] of an example by weights. */
type Describe = (x: tf.Tensor, weights: readonly tf.Tensor[]) => tf.Tensor;

interface Network {
  example: number[];
  weights: number[][];
  describe: Describe;
}

const conv = (x: tf.Tensor, filter: tf.Tensor, stride = 1) =>
  tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, 'same');

const networks: Record<string, Network> = {
  'convolutions with scale and shift folded in': {
    example: [1, 8, 6, 3],
    weights: [[3, 3, 3, 4], [4], [4], [1, 1, 4, 20], [20], [3, 3, 20, 6]],
    describe: (x, [a, scale, shift, b, scale2, c]) => {
      const stem = tf.relu(tf.add(conv(x, tf.mul(a, scale), 2), tf.mul(shift, scale)));
      const wide = tf.relu(conv(stem, tf.mul(b, scale2)));
      return tf.sum(conv(wide, c), [1, 2]);
    },
  },
  'a filter gradient position by position': {
    example: [1, 5, 7, 18],
    weights: [[3, 3, 18, 19], [19]],
    describe: (x, [a, bias]) => tf.max(tf.relu(tf.add(conv(x, a), bias)), [1, 2]),
  },
  'a filter gradient by columns': {
    example: [1, 4, 4, 40],
    weights: [[3, 3, 40, 40]],
    describe: (x, [a]) => tf.mean(tf.relu(conv(x, a, 2)), [1, 2]),
  },
  "one weight in two places, another out of the example's reach": {
    example: [1, 6],
    weights: [[6, 6], [6], [3]],
    describe: (x, [a, b, c]) => {
      const twice = tf.matMul(tf.tanh(tf.matMul(x as tf.Tensor2D, a as tf.Tensor2D)), a);
      return tf.concat([tf.mul(twice, tf.mul(b, b)), tf.square(c).expandDims(0)], 1);
    },
  },
  'a weight whose gradient is put together from parts': {
    example: [1, 4],
    weights: [[4], [8]],
    describe: (x, [a, b]) => tf.add(tf.mul(tf.concat([tf.mul(x, a), x], 1), b), tf.concat([a, a]).expandDims(0)),
  },
  'a weight that only shifts the result': {
    example: [1, 5],
    weights: [[5]],
    describe: (x, [a]) => tf.add(x, a),
  },
  'pooling and a division by the norm': {
    example: [1, 6, 6, 2],
    weights: [
      [3, 3, 2, 5],
      [5, 4],
    ],
    describe: (x, [a, b]) => {
      const pooled = tf.maxPool(conv(x, a), 2, 2, 'same');
      const rows = tf.matMul(tf.sum<tf.Tensor2D>(pooled, [1, 2]), b);
      return tf.div(rows, tf.add(tf.norm(rows, 2, -1, true), 0.1));
    },
  },
};

const upstreamSize = (network: Network): number =>
  tf.tidy(
    () =>
      network.describe(
        tf.ones(network.example),
        network.weights.map((shape) => tf.ones(shape)),
      ).size,
  );

/** Gradients of `upstream . describe(x)` by the weights, and the description. */
function gradients({ describe: f }: Network, x: tf.Tensor, upstream: tf.Tensor, weights: readonly tf.Tensor[]) {
  let row: tf.Tensor | undefined;
  const { grads } = tf.valueAndGrads((...all: tf.Tensor[]) => {
    row = tf.keep(f(x, all));
    return tf.sum(tf.mul(row, upstream));
  })([...weights]);
  return { row: row as tf.Tensor, grads };
}

describe.runIf(testDevice === 'cpu')('sumOverExamples', () => {
  for (const [name, network] of Object.entries(networks)) {
    test.each([1, 3])(`${name}: %i examples`, async (count) => {
      const { example, weights } = network;
      const size = tf.util.sizeFromShape(example);
      const dimension = upstreamSize(network);
      const numbers = noise(count * size, 1);
      const upstreams = noise(count * dimension, 2);
      const arrays = weights.map((shape, i) => noise(tf.util.sizeFromShape(shape), 3 + i));
      const before = new Map(weights.map((shape, i) => [`w${i}`, tf.tensor(noise(arrays[i].length, 40 + i), shape)]));
      const tensors = weights.map((shape, i) => tf.tensor(arrays[i], shape));
      const inputs = [
        { values: numbers, shape: example },
        { values: upstreams, shape: [1, dimension] },
      ];
      const run = async (prior?: ReadonlyMap<string, tf.Tensor>) => {
        let kept: tf.Tensor | undefined;
        const { sums, rows } = await sumOverExamples(
          count,
          inputs,
          (x, upstream) => {
            const { row, grads } = gradients(network, x, upstream, tensors);
            kept = row;
            return { sums: Object.fromEntries(grads.map((gradient, i) => [`w${i}`, gradient])), rows: [row] };
          },
          prior,
        );
        const read = weights.map((_, i) => sums[`w${i}`].dataSync<'float32'>());
        tf.dispose([sums, kept!]);
        return { read, rows };
      };
      // The third time nothing is compiled, and folded weights are kept from before.
      const [, withBefore, alone] = [await run(before), await run(before), await run()];

      await tf.setBackend('cpu');
      const plainWeights = weights.map((shape, i) => tf.tensor(arrays[i], shape));
      const expected = arrays.map((array) => new Float32Array(array.length));
      const expectedRows: number[] = [];
      for (let n = 0; n < count; n++) {
        const x = tf.tensor(numbers.subarray(n * size, (n + 1) * size), example);
        const upstream = tf.tensor(upstreams.subarray(n * dimension, (n + 1) * dimension), [1, dimension]);
        const { row, grads } = gradients(network, x, upstream, plainWeights);
        expectedRows.push(...row.dataSync());
        grads.forEach((gradient, i) => {
          gradient.dataSync().forEach((v, k) => {
            expected[i][k] += v;
          });
        });
      }
      await tf.setBackend('onnx');

      expect(relativeDistance(alone.rows[0], Float32Array.from(expectedRows))).toBeLessThan(1e-5);
      for (const [i, sum] of expected.entries()) {
        expect(relativeDistance(alone.read[i], sum), `w${i}`).toBeLessThan(1e-5);
        const prior = noise(sum.length, 40 + i);
        const shifted = sum.map((v, k) => v + prior[k]);
        expect(relativeDistance(withBefore.read[i], shifted), `w${i} added to what was there`).toBeLessThan(1e-5);
      }
    });
  }

  test('sums of another order in memory than the gradient are taken as they are meant', async () => {
    const filter = tf.tensor(noise(3 * 3 * 20 * 6, 5), [3, 3, 20, 6]);
    const x = { values: noise(2 * 4 * 4 * 20, 6), shape: [1, 4, 4, 20] };
    const run = async (before?: ReadonlyMap<string, tf.Tensor>) => {
      const record = (image: tf.Tensor) => {
        const [gradient] = tf.grads((f: tf.Tensor) => tf.sum(tf.square(conv(image, f))))([filter]);
        return { sums: { filter: gradient } };
      };
      return (await sumOverExamples(2, [x], record, before)).sums.filter;
    };
    const once = await run();
    const copy = tf.tensor(once.dataSync(), once.shape); // written in the order that programs see
    const [twice, again] = [await run(new Map([['filter', once]])), await run(new Map([['filter', copy]]))];
    expect(again.dataSync()).toEqual(twice.dataSync());
    expect(relativeDistance(twice.dataSync(), tf.mul(once, 2).dataSync())).toBeLessThan(1e-6);
  });

  test('a function that reads is refused, and the engine goes on', async () => {
    const x = { values: noise(4, 1), shape: [4] };
    await expect(sumOverExamples(1, [x], (t) => ({ rows: [tf.scalar(t.dataSync()[0])] }))).rejects.toThrow(
      /may not read numbers/,
    );
    expect(tf.add(2, 3).dataSync()[0]).toBe(5);
    let escaped: tf.Tensor | undefined;
    await sumOverExamples(1, [x], (t) => {
      escaped = tf.keep(tf.square(t));
      return { rows: [t] };
    });
    expect(() => escaped?.dataSync()).toThrow(/stood for an example/);
    expect(tf.add(2, 3).dataSync()[0]).toBe(5);
    escaped?.dispose();
  });

  describe('a function that is kept', () => {
    /** Of a convolution with a scale folded in. */
    const weights = () => [
      tf.variable(tf.tensor(noise(3 * 3 * 20 * 6, 5), [3, 3, 20, 6])),
      tf.variable(tf.tensor(noise(6, 7), [6])),
    ];
    const record = ([filter, scale]: readonly tf.Tensor[]) => {
      const loss = (image: tf.Tensor, f: tf.Tensor, s: tf.Tensor) => tf.sum(tf.square(conv(image, tf.mul(f, s))));
      return (image: tf.Tensor) => {
        const [byFilter, byScale] = tf.grads((f: tf.Tensor, s: tf.Tensor) => loss(image, f, s))([filter, scale]);
        return { sums: { filter: byFilter, scale: byScale }, rows: [loss(image, filter, scale)] };
      };
    };
    const images = (count: number, seed: number) => [{ values: noise(count * 4 * 4 * 20, seed), shape: [1, 4, 4, 20] }];

    test('is recorded once, and has the weights of each run', async () => {
      const variables = weights();
      const functions = new ExampleFunctions(() => variables);
      let recorded = 0;
      const counted = (image: tf.Tensor) => {
        recorded++;
        return record(variables)(image);
      };
      for (const [step, count] of [1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 1].entries()) {
        // Five runs in a row share their weights, whose program is kept by then: it must go with them.
        if (step % 5 === 0) {
          for (const variable of variables) variable.assign(tf.tidy(() => tf.mul(variable, 0.5 + step / 8)));
        }
        const before = new Map(step % 4 === 0 ? [] : [['scale', tf.tensor(noise(6, 90 + step), [6])]]);
        const inputs = images(count, 100 + step);
        const kept = await functions.run('a', count, inputs, counted, before);
        const once = await sumOverExamples(count, inputs, record(variables), before);
        expect(relativeDistance(kept.rows[0], once.rows[0]), `step ${step}`).toBeLessThan(1e-6);
        for (const name of ['filter', 'scale']) {
          const [a, b] = [kept, once].map(({ sums }) => sums[name].dataSync<'float32'>());
          expect(relativeDistance(a, b), `${name} at step ${step}`).toBeLessThan(1e-5);
        }
        tf.dispose([kept.sums, once.sums]);
      }
      expect(recorded).toBe(1);
      functions.dispose();
    });

    test('plans nothing any more while the weights stay', async () => {
      const variables = weights();
      const functions = new ExampleFunctions(() => variables);
      const run = async (seed: number) =>
        tf.dispose((await functions.run('a', 1, images(1, seed), record(variables))).sums);
      for (let i = 0; i < 4; i++) await run(i);
      const backend = tf.backend() as OnnxBackend;
      const inspect = vi.spyOn(backend.invariants, 'inspect');
      const { runs } = engineStats()!;
      await run(5);
      expect(inspect).not.toHaveBeenCalled();
      expect(engineStats()!.runs).toBe(runs + 1);
      inspect.mockRestore();
      functions.dispose();
    });

    test('forms are functions of their own; the oldest is recorded anew after many others', async () => {
      const variables = weights();
      const functions = new ExampleFunctions(() => variables);
      const recorded: number[] = [];
      const run = async (form: number) => {
        const { rows, sums } = await functions.run(`${form}`, 1, images(1, 1), (image) => {
          recorded.push(form);
          return { rows: [tf.mul(tf.sum(image), form)] };
        });
        tf.dispose(sums);
        return rows[0][0];
      };
      const first = await run(1);
      for (let form = 2; form <= 40; form++) expect(await run(form)).toBeCloseTo(form * first, 3);
      expect(await run(1)).toBe(first);
      expect(recorded).toEqual([...Array.from({ length: 40 }, (_, i) => i + 1), 1]);
      functions.dispose();
    });

    test('leaves no tensor behind', async () => {
      const variables = weights();
      const functions = new ExampleFunctions(() => variables);
      await expectNoLeak(async () => {
        for (let i = 0; i < 4; i++) tf.dispose((await functions.run('a', 1, images(1, i), record(variables))).sums);
        functions.dispose();
      });
    });
  });

  test('leaves no tensor behind but the sums', async () => {
    const weight = tf.variable(tf.tensor(noise(4, 3), [4]));
    const x = { values: noise(8, 1), shape: [4] };
    await expectNoLeak(async () => {
      const record = (t: tf.Tensor) => ({ sums: { w: tf.grad((w) => tf.sum(tf.mul(w, t)))(weight) }, rows: [t] });
      tf.dispose((await sumOverExamples(2, [x], record)).sums);
    });
  });
});

test('on another backend, one call after the other gives the same', async () => {
  const weight = noise(4, 3);
  const run = async () => {
    const w = tf.tidy(() => tf.variable(tf.tensor(weight, [4])));
    const record = (t: tf.Tensor) => {
      const loss = (v: tf.Tensor) => tf.sum(tf.square(tf.mul(v, t)));
      return { sums: { w: tf.grad(loss)(w) }, rows: [loss(w), tf.reshape(t, [2, 2])] };
    };
    const before = new Map([['w', tf.tensor(noise(4, 9), [4])]]);
    const { sums, rows } = await sumOverExamples(3, [{ values: noise(12, 1), shape: [4] }], record, before);
    const read = [sums.w.dataSync<'float32'>().slice(), ...rows];
    tf.dispose([sums, w, ...before.values()]);
    return read;
  };
  const here = await run();
  await tf.setBackend('cpu');
  await expectNoLeak(async () => {
    const there = await run();
    for (const [i, values] of here.entries()) expect(relativeDistance(there[i], values)).toBeLessThan(1e-6);
  });
  await tf.setBackend('onnx');
});
