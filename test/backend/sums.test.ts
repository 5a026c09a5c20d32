/** Sums and long products of float32: seven digits at a million terms, whatever axis they lie along. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeModel, type ProtoNode } from '../../src/backend/model-proto.js';
import { createSession, OrtTensor } from '../../src/backend/ort.js';
import { type Lowering, productNodes, sumNodes } from '../../src/backend/sums.js';
import type { Constant } from '../../src/backend/value.js';
import { startEngine } from '../../src/backend/index.js';

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const term = Math.fround(1.1);
const relative = (value: number, exact: number) => Math.abs(value - exact) / exact;
const valueOf = (f: () => tf.Tensor) => tf.tidy(() => f().dataSync()[0]);

/** [what, its value, the exact one]. */
const cases: [string, () => tf.Tensor, number][] = [
  ['sum', () => tf.sum(tf.fill([1e6], 1.1)), 1e6 * term],
  ['sum of a prime number of terms', () => tf.sum(tf.fill([999_983], 1.1)), 999_983 * term],
  ['sum over rows', () => tf.sum(tf.fill([1e6, 4], 1.1), 0), 1e6 * term],
  ['sum over rows of many columns', () => tf.sum(tf.fill([20_000, 64], 1.1), 0), 20_000 * term],
  ['sum over the outer and the inner axis', () => tf.sum(tf.fill([100, 3, 10_000], 1.1), [0, 2]), 1e6 * term],
  ['mean', () => tf.mean(tf.fill([4e6], 1.1)), term],
  ['mean squared error', () => tf.losses.meanSquaredError(tf.zeros([1e6]), tf.fill([1e6], 1.1)), term * term],
  ['inner product', () => tf.dot(tf.fill([1e6], 1.1), tf.ones([1e6])), 1e6 * term],
  ['vector times matrix', () => tf.matMul(tf.fill([1, 1e6], 1.1), tf.ones([1e6, 2])), 1e6 * term],
  [
    'gradient of a bias',
    () => tf.grad((bias) => tf.mean(tf.mul(1.1, tf.add(tf.ones([8, 256, 256, 1]), bias))))(tf.zeros([1])),
    term,
  ],
];

test.each(cases)('%s', (name, f, exact) => {
  expect(relative(valueOf(f), exact)).toBeLessThan(name === 'vector times matrix' ? 2e-6 : 2.5e-7);
});

/** Numbers in [0, 1), always the same. */
function varied(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

// The runtime's matrix products add some hundred products one after the other: equal ones lose more than varied ones do.
describe.each([
  [3, 2, 1_000_000, 2e-5],
  [3, 2, 499_979, 2e-5],
  [32, 16, 50_000, 2e-5],
])('product of [%i, k] and [k, %i], k = %i', (m, n, k, equalTerms) => {
  test('equal terms', () => {
    const product = valueOf(() => tf.matMul(tf.fill([m, k], 1.1), tf.ones([k, n])));
    expect(relative(product, k * term)).toBeLessThan(equalTerms);
  });
  test('varied terms', () => {
    const [a, b] = [varied(k * m), varied(k * n)];
    const exact = b.subarray(0, k).reduce((sum, y, i) => sum + a[i] * y, 0);
    expect(
      relative(
        valueOf(() => tf.matMul(tf.tensor2d(a, [m, k]), tf.tensor2d(b, [n, k]), false, true)),
        exact,
      ),
    ).toBeLessThan(5e-7);
  });
});

test.each([
  [1, 1],
  [3, 4],
  [16, 16],
])('gradient of a filter of %i and %i channels', (inputs, outputs) => {
  const images = varied(8 * 256 * 256 * inputs);
  const x = tf.tensor4d(images, [8, 256, 256, inputs]);
  const gradient = (filter: tf.Tensor) => tf.sum(tf.conv2d(x, filter as tf.Tensor4D, 1, 'valid'));
  const seen = valueOf(() => tf.grad(gradient)(tf.ones([3, 3, inputs, outputs])));
  let exact = 0; // of the first position: the cells that it lies on
  for (let i = 0; i < images.length; i += inputs) {
    const cell = i / inputs;
    if (cell % 256 < 254 && Math.floor(cell / 256) % 256 < 254) exact += images[i];
  }
  expect(relative(seen, exact)).toBeLessThan(1e-6);
  x.dispose();
});

describe.each([true, false])('portable %s', (portable) => {
  const run = (make: (lowering: Lowering) => ProtoNode[], inputs: Record<string, OrtTensor>, dims: number[]) => {
    const constants: { name: string; constant: Constant }[] = [];
    const nodes = make({
      prefix: 'n',
      portable,
      constant: (constant) => `c${constants.push({ name: `c${constants.length}`, constant }) - 1}`,
    });
    const described = Object.entries(inputs).map(([name, given]) => ({
      name,
      type: 'float32' as const,
      dims: given.dims,
    }));
    const outputs = [{ name: 'y', type: 'float32' as const, dims }];
    const model = encodeModel({ nodes, inputs: described, outputs, constants });
    const session = createSession(model, { providers: ['cpu'], threads: 1 });
    const { y } = session.run(inputs, ['y']);
    session.dispose();
    expect(y.dims).toEqual(dims);
    return Array.from(y.data as Float32Array);
  };
  const counted = (dims: number[]) =>
    new OrtTensor(
      'float32',
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i % 7),
      dims,
    );

  test.each([
    [[5], [0]],
    [[1, 300, 1], [1]],
    [
      [97, 3, 101],
      [0, 2],
    ],
    [
      [1, 2, 37, 41],
      [0, 2, 3],
    ],
    [
      [211, 2, 5, 3],
      [0, 2],
    ],
  ])('sum of %j over %j', (dims, axes) => {
    const x = counted(dims);
    const kept = dims.filter((_, axis) => !axes.includes(axis));
    const sums = run((lowering) => sumNodes('x', dims, axes, 'y', lowering), { x }, kept);
    const expected = tf.tidy(() => tf.sum(tf.cast(tf.tensor(x.data, dims), 'int32'), axes).dataSync());
    expect(sums).toEqual(Array.from(expected));
  });

  test.each([
    [false, false, 3000],
    [true, false, 2999],
    [false, true, 3000],
    [true, true, 2999],
  ])('product, a transposed %s, b transposed %s, over %i', (transA, transB, k) => {
    const [a, b] = [counted(transA ? [k, 1] : [1, k]), counted(transB ? [2, k] : [k, 2])];
    const inputs = { a, b };
    const dims = [a.dims, b.dims] as const;
    const make = (lowering: Lowering) => productNodes(['a', 'b'], dims, { transA, transB }, 'y', lowering) ?? [];
    const right = b.data;
    const exact = [0, 1].map((j) => a.data.reduce((sum, x, i) => sum + x * right[transB ? j * k + i : i * 2 + j], 0));
    expect(run(make, inputs, [1, 2])).toEqual(exact);
  });
});
