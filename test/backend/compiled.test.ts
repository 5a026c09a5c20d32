import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import type { OnnxBackend } from '../../src/backend/backend.js';
import { compiled, engineStats, recordedSizes, recordModel, startEngine } from '../../src/backend/index.js';
import { recordGraph, winogradChoices } from '../../src/backend/recording.js';
import { expectClose, relativeDistance } from '../support/close.js';
import { testDevice } from '../support/device.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { sumOverExamples } from '../support/sum-over-examples.js';

const wave = (shape: number[], seed = 1) =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(seed + i * 1.7)),
    shape,
  );
const images = (n: number, height: number, width: number, channels = 3) =>
  wave([n, height, width, channels]) as tf.Tensor4D;

/** A convolution and a pool, the filter as a variable. */
function convolution() {
  const filter = tf.variable(wave([3, 3, 3, 4]) as tf.Tensor4D);
  const reference = (x: tf.Tensor4D): tf.Tensor[] =>
    tf.tidy(() => {
      const map = tf.relu(tf.conv2d(x, filter.mul<tf.Tensor4D>(2), 2, 'same'));
      return [tf.maxPool(map, 3, 2, 'same'), map];
    });
  let calls = 0;
  const f = (x: tf.Tensor4D) => {
    calls++;
    return reference(x);
  };
  return { filter, reference, ofAnySize: compiled(f, { weights: () => [filter] }), calls: () => calls };
}

function expectSame(actual: tf.Tensor[], expected: tf.Tensor[]) {
  expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  actual.forEach((tensor, i) => {
    expectClose(tensor.dataSync(), expected[i].dataSync());
  });
}

const compilations = (f: () => void) => {
  const before = engineStats()!.compiled;
  f();
  return engineStats()!.compiled - before;
};

test('images of every number and size by one graph', () => {
  const { reference, ofAnySize, calls } = convolution();
  tf.tidy(() => void ofAnySize.run(images(1, 9, 8)));
  const recorded = calls();
  for (const x of [images(1, 12, 7), images(3, 5, 31), images(1, 3, 3)]) {
    tf.tidy(() => {
      let results: tf.Tensor[] = [];
      expect(compilations(() => (results = ofAnySize.run(x)))).toBe(0);
      expect(calls()).toBe(recorded);
      expectSame(results, reference(x));
    });
    x.dispose();
  }
});

test('new weights, and weights that come back', () => {
  const { filter, reference, ofAnySize } = convolution();
  const x = images(1, 9, 8);
  const run = () => tf.tidy(() => expectSame(ofAnySize.run(x), reference(x)));
  run();
  const before = filter.clone(); // the old numbers live on
  filter.assign(tf.tidy(() => filter.mul<tf.Tensor4D>(-3)));
  run();
  filter.assign(before);
  run();
});

test('its graph is freed with it and counts among those that are kept', async () => {
  const { ofAnySize } = convolution();
  const x = images(1, 9, 8);
  await expectNoLeak(() => tf.dispose(ofAnySize.run(x)));
  const { sessions, sessionBytes } = engineStats()!;
  ofAnySize.dispose();
  expect(engineStats()!.sessions).toBe(sessions - 1);
  expect(engineStats()!.sessionBytes).toBeLessThan(sessionBytes);
  tf.dispose(ofAnySize.run(x)); // compiled anew
  expect(engineStats()!.sessions).toBe(sessions);
  ofAnySize.dispose();
});

test('what is pending, a tape, and what is recorded itself', async () => {
  const { filter, reference, ofAnySize } = convolution();
  const ours = (x: tf.Tensor4D) => ofAnySize.run(x);
  const x = images(1, 9, 8);
  tf.tidy(() => expectSame(ours(x.add(1)), reference(x.add(1))));
  const gradient = (f: typeof reference) =>
    tf.variableGrads(() => tf.sum<tf.Scalar>(f(x)[0]), [filter]).grads[filter.name].dataSync();
  expectClose(gradient(ours), gradient(reference));
  const file = (f: typeof reference) =>
    recordModel((input) => f(input as tf.Tensor4D)[0], { inputShape: [1, 9, 8, 3] });
  expect(Buffer.compare(file(ours), file(reference))).toBe(0);
  const { rows } = await sumOverExamples(1, [{ values: x.dataSync<'float32'>(), shape: x.shape }], (example) => ({
    rows: [ours(example as tf.Tensor4D)[0]],
  }));
  expectClose(rows[0], reference(x)[0].dataSync());
});

test('a graph that depends on the size is recorded for each', () => {
  const f = (x: tf.Tensor4D) => [x.mul<tf.Tensor4D>(x.shape[1])];
  const ofAnySize = compiled(f, { weights: () => [] });
  for (const x of [images(1, 9, 8), images(1, 5, 6)]) tf.tidy(() => expectSame(ofAnySize.run(x), f(x)));
  const cut = (x: tf.Tensor4D) => [tf.relu(x).slice([0, 1, 0, 0], [1, x.shape[1] - 2, -1, -1])];
  const others = compiled(cut, { weights: () => [] });
  for (const x of [images(1, 9, 8), images(1, 5, 6)]) tf.tidy(() => expectSame(others.run(x), cut(x)));
});

describe("Winograd's algorithm", () => {
  const uneven: Parameters<typeof tf.conv2d>[3] = [
    [0, 0],
    [2, 0],
    [1, 2],
    [0, 0],
  ];
  /** Maps of an eighth of the image and 256 channels, by convolutions of every kind of padding. */
  function network() {
    const [first, ...filters] = [[1, 1, 3, 256], ...new Array<number[]>(3).fill([3, 3, 256, 256])].map((shape, i) =>
      tf.variable(tf.tidy(() => wave(shape, i).div<tf.Tensor4D>(i === 0 ? 1 : 30))),
    );
    const f = (x: tf.Tensor4D) =>
      tf.tidy(() => {
        const pads = ['same', uneven, 'valid'] as const;
        const map = filters.reduce<tf.Tensor4D>(
          (input, filter, i) => tf.relu(tf.conv2d(input, filter, 1, pads[i]).add(0.1)),
          tf.conv2d(x, first, 8, 'same'),
        );
        return [map, tf.mean(map, [1, 2])];
      });
    return { f, weights: () => [first, ...filters] };
  }
  const graphOf = (f: (x: tf.Tensor4D) => tf.Tensor[], winograd?: readonly boolean[]) =>
    recordGraph(tf.backend() as OnnxBackend, (x) => f(x as tf.Tensor4D), {
      inputShape: [1, 'height', 'width', 3],
      shapes: recordedSizes.map((size) => [1, ...size, 3]),
      inputName: 'image',
      outputName: (i) => `result${i}`,
      plainOutputs: false,
      ...(winograd && { winograd }),
    }).graph;

  test('of one image of every size by one graph, of several by another', () => {
    const { f, weights } = network();
    const ofAnySize = compiled(f, { weights });
    tf.tidy(() => {
      tf.dispose([ofAnySize.run(images(1, 60, 70)), ofAnySize.run(images(2, 60, 70))]);
      for (const x of [images(1, 24, 24), images(1, 64, 48), images(1, 81, 250), images(2, 33, 70)]) {
        let results: tf.Tensor[] = [];
        expect(compilations(() => (results = ofAnySize.run(x)))).toBe(0);
        const expected = f(x);
        expect(results.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
        results.forEach((result, i) => {
          expect(relativeDistance(result.dataSync(), expected[i].dataSync())).toBeLessThan(1e-5);
        });
      }
    });
    const { sessions } = engineStats()!;
    ofAnySize.dispose();
    expect(engineStats()!.sessions).toBe(sessions - 2);
  });

  test('with filters that are transformed already', () => {
    const { f } = network();
    const choices = winogradChoices(tf.backend() as OnnxBackend, (x) => f(x as tf.Tensor4D), [1, 448, 383, 3]);
    expect(choices).toEqual([false, true, true, true]);
    const { nodes, initializers } = graphOf(f, choices);
    expect(nodes.filter(({ type }) => type === 'FusedMatMul')).toHaveLength(9);
    expect(nodes.some(({ type }) => type === 'Gemm')).toBe(false);
    expect(initializers!.filter(({ dims }) => dims.join() === '36,256,256')).toHaveLength(3);
    expect(graphOf(f).nodes.some(({ type }) => type === 'FusedMatMul')).toBe(false);
  });

  test('not where the number of images depends on the size', () => {
    const filter = tf.variable(tf.tidy(() => wave([3, 3, 256, 256]).div<tf.Tensor4D>(30)));
    const ofRows = (x: tf.Tensor4D) => [tf.conv2d(tf.transpose<tf.Tensor4D>(x, [1, 0, 2, 3]), filter, 1, 'same')];
    const ofAnySize = compiled(ofRows, { weights: () => [filter] });
    tf.tidy(() => {
      expectSame(ofAnySize.run(images(1, 5, 8, 256)), ofRows(images(1, 5, 8, 256)));
      expect(compilations(() => ofAnySize.run(images(1, 3, 9, 256)))).toBe(0);
    });
  });
});

test('an engine that was started anew', async () => {
  const f = (x: tf.Tensor4D) => [tf.relu(x)];
  const ofAnySize = compiled(f, { weights: () => [] });
  const run = () => tf.tidy(() => ofAnySize.run(images(1, 4, 4))[0].dataSync());
  const before = run();
  await startEngine({ device: testDevice, threads: 2 });
  expectClose(run(), before);
  ofAnySize.dispose();
});

describe('beside the caller', () => {
  /** Large enough for threads of its own. */
  const [n, height, width] = [1, 256, 320];

  test('images of several sizes at once, on the weights of the time, by a graph that no run here needs', async () => {
    const filter = tf.variable(wave([3, 3, 3, 16]) as tf.Tensor4D);
    const f = (x: tf.Tensor4D) =>
      tf.tidy(() => [
        tf.relu(tf.conv2d(x, filter, 2, 'same')),
        tf.maxPool(tf.conv2d(x, filter, 1, 'same'), 2, 2, 'same'),
      ]);
    const ofAnySize = compiled(f, { weights: () => [filter] });
    const all = [images(n, height, width), images(n, 300, 301), images(2, 201, 299), images(n, 8, 9)];
    const atOnce = async () => {
      const results = await Promise.all(all.map((x) => ofAnySize.runAsync(x)));
      results.forEach((tensors, i) => {
        const expected = f(all[i]);
        expectSame(tensors, expected);
        tf.dispose([...tensors, ...expected]);
      });
    };
    await atOnce();
    filter.assign(tf.tidy(() => filter.mul<tf.Tensor4D>(-3)));
    await atOnce();
    await expectNoLeak(atOnce);
    const { sessions } = engineStats()!;
    ofAnySize.dispose(); // of the small image, which was not worth a thread
    expect(engineStats()!.sessions).toBe(sessions - 1);
    await atOnce();
    ofAnySize.dispose();
  });

  test('the caller goes on, and may dispose of the images', async () => {
    const f = (x: tf.Tensor4D) => [tf.relu(tf.conv2d(x, wide, 1, 'same'))];
    const wide = wave([3, 3, 3, 32]) as tf.Tensor4D;
    const ofAnySize = compiled(f, { weights: () => [wide] });
    const x = images(n, height, width);
    const expected = f(x);
    expectSame(await ofAnySize.runAsync(x), expected);
    const { runs } = engineStats()!;
    const running = ofAnySize.runAsync(x);
    expect(engineStats()!.runs).toBe(runs);
    x.dispose();
    ofAnySize.dispose();
    expectSame(await running, expected);
    ofAnySize.dispose();
  });

  test('a graph that depends on the size, and a function that fails', async () => {
    const x = images(n, height, width);
    const f = (y: tf.Tensor4D) => [y.mul<tf.Tensor4D>(y.shape[1])];
    expectSame(await compiled(f, { weights: () => [] }).runAsync(x), f(x));
    const broken = compiled(() => { throw new Error('broken'); }, { weights: () => [] }); // biome-ignore format: one line
    await expect(broken.runAsync(x)).rejects.toThrow('broken');
  });
});
