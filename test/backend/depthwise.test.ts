/** Depthwise convolution, local response normalization and fused activations against tfjs's own JavaScript backend. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { testDevice } from '../support/device.js';
import { startEngine } from '../../src/backend/index.js';
import { type Data, expectSame, expectSameAndDifferentiable, type F, random } from '../support/kernels.js';

beforeAll(async () => {
  await startEngine({ device: testDevice, threads: 2 });
});

const cases: Record<string, [F, Data[]]> = {};

type Pad = 'same' | 'valid' | [[0, 0], [number, number], [number, number], [0, 0]];
// [input, filter, strides, pad]
const geometries: [number[], number[], number | [number, number], Pad][] = [
  [[1, 5, 6, 3], [3, 3, 3, 1], 1, 'same'],
  [[2, 5, 6, 3], [3, 3, 3, 1], 1, 'valid'],
  [[2, 5, 6, 3], [3, 2, 3, 2], 1, 'same'], // two outputs per channel
  [[1, 7, 6, 4], [3, 3, 4, 1], 1, [[0, 0], [2, 0], [0, 1], [0, 0]]],
  [[1, 7, 6, 4], [3, 3, 4, 1], 1, [[0, 0], [3, 0], [0, 3], [0, 0]]], // a window wholly in the padding
  [[1, 8, 9, 4], [3, 3, 4, 1], 2, 'same'],
  [[2, 9, 8, 3], [3, 3, 3, 1], 2, [[0, 0], [0, 1], [0, 1], [0, 0]]], // Keras' stride 2
  [[2, 9, 7, 3], [3, 3, 3, 2], 2, [[0, 0], [1, 1], [1, 1], [0, 0]]],
  [[1, 9, 9, 2], [2, 2, 2, 1], [3, 3], 'valid'], // a window smaller than its stride
  [[1, 4, 5, 3], [1, 1, 3, 1], 1, 'valid'],
  [[1, 4, 4, 1], [3, 3, 1, 2], 1, 'same'], // one channel
  // rows in bands, the last one shorter
  [[1, 37, 5, 2], [3, 3, 2, 1], 1, 'same'],
  [[1, 41, 5, 2], [3, 2, 2, 1], 2, [[0, 0], [1, 1], [1, 1], [0, 0]]],
]; // biome-ignore format: one geometry per line
for (const [x, f, strides, pad] of geometries) {
  cases[`depthwiseConv2d ${JSON.stringify([x, f, strides, pad])}`] = [
    (a, b) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad),
    [random(x), random(f, 2)],
  ];
}
cases['depthwise and pointwise convolution with bias'] = [
  (x, d, p, b) => {
    const y = tf.depthwiseConv2d(x as tf.Tensor4D, d as tf.Tensor4D, 1, 'same');
    return tf.add(tf.conv2d(tf.add<tf.Tensor4D>(y, b), p as tf.Tensor4D, 1, 'valid'), b);
  },
  [random([2, 4, 5, 3]), random([3, 3, 3, 1], 2), random([1, 1, 3, 3], 3), random([3], 4)],
];
cases['convolution in two groups by splitting channels'] = [
  (x, f) => {
    const kernels = tf.split<tf.Tensor4D>(f, 2, 3);
    const parts = tf
      .split<tf.Tensor4D>(x as tf.Tensor4D, 2, 3)
      .map((part, i) => tf.conv2d(part, kernels[i], 1, 'same'));
    return tf.concat(parts, 3);
  },
  [random([2, 4, 5, 4]), random([3, 3, 2, 6], 2)],
];
for (const [channels, radius, bias, alpha, beta] of [
  [7, 2, 1, 0.5, 0.75],
  [3, 5, 2, 0.3, 0.5], // the window is wider than the channels
  [4, 0, 1, 1, 1],
]) {
  cases[`localResponseNormalization of ${channels} channels, radius ${radius}`] = [
    (x) => tf.localResponseNormalization<tf.Tensor4D>(x as tf.Tensor4D, radius, bias, alpha, beta),
    [random([2, 3, 4, channels])],
  ];
}
cases['localResponseNormalization of a convolution'] = [
  (x, f) => tf.localResponseNormalization(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), 2, 1, 0.5, 0.75),
  [random([1, 4, 5, 3]), random([3, 3, 3, 6], 2)],
];

expectSameAndDifferentiable(cases);

test('depthwiseConv2d with dilation', () =>
  expectSame(
    (a, b) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same', 'NHWC', 2),
    [random([1, 9, 9, 2]), random([3, 3, 2, 2], 2)],
  ));

test('the filter gradient of a dilated depthwise convolution, whose rows are in bands', () => {
  const gradient = (x: tf.Tensor, dy: tf.Tensor, dilations: [number, number], filterShape: number[]) => {
    const attributes = { strides: 1, pad: 'same', dilations, filterShape } as unknown as tf.NamedAttrMap;
    return tf.engine().runKernel<tf.Tensor>('DepthwiseConv2dNativeBackpropFilter', { x, dy }, attributes);
  };
  // tfjs's own takes no notice of dilations: of the dense filter that spans as much it has every third row and second column.
  return expectSame(
    (x, dy) =>
      tf.getBackend() === 'onnx'
        ? gradient(x, dy, [3, 2], [3, 3, 2, 2])
        : tf.stridedSlice(gradient(x, dy, [1, 1], [7, 5, 2, 2]), [0, 0, 0, 0], [7, 5, 2, 2], [3, 2, 1, 1]),
    [random([1, 40, 9, 2]), random([1, 40, 9, 4], 2)],
  );
});

test('localResponseNormalization by hand: alpha multiplies the sum of squares', async () => {
  await tf.setBackend('onnx');
  const y = tf.localResponseNormalization(tf.tensor4d([1, 2, 3], [1, 1, 1, 3]), 1, 1, 0.5, 1);
  // 1 / (1 + (1 + 4) / 2), 2 / (1 + (1 + 4 + 9) / 2), 3 / (1 + (4 + 9) / 2)
  const expected = [1 / 3.5, 2 / 8, 3 / 7.5];
  y.dataSync().forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 6);
  });
});

describe.each(['linear', 'relu', 'relu6', 'leakyrelu', 'prelu', 'elu', 'sigmoid'] as const)(
  'fused %s',
  (activation) => {
    const inputs = [random([2, 5, 4, 3]), random([3, 3, 3, 1], 2), random([3], 3), random([3], 4)];
    // Nine times larger, so that relu6 cuts at both ends.
    const options = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor, slope: tf.Tensor) => ({
      x: tf.mul<tf.Tensor4D>(x, 9),
      filter: filter as tf.Tensor4D,
      strides: 1,
      pad: 'same' as const,
      bias,
      activation,
      preluActivationWeights: slope,
      leakyreluAlpha: 0.3,
    });
    test('depthwise convolution', () =>
      expectSame((x, f, b, slope) => tf.fused.depthwiseConv2d(options(x, f, b, slope)), inputs));
    test('convolution', () =>
      expectSame((x, f, b, slope) => tf.fused.conv2d(options(x, tf.tile(f, [1, 1, 1, 3]), b, slope)), inputs));
  },
);
