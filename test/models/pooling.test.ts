import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { defaultPooling } from '../../src/models/meta.js';
import { l2Normalize, raised } from '../../src/models/normalize.js';
import { gem, mac, regionMaxPool, regionsOf, spoc } from '../../src/models/pooling.js';
import { rigidGrid } from '../../src/models/regions.js';
import { whiten, withWhitening } from '../../src/models/whitening.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { checkGradient } from '../support/gradient.js';
import { expectNoLeak } from '../support/leak.js';

/** The toy map of the golden values: H = 2, W = 3, channel 0 = [[1,2,3],[4,5,6]], channel 1 = [[6,1,2],[0,3,1]]. */
const toyMap = () => tf.tensor4d([1, 6, 2, 1, 3, 2, 4, 0, 5, 3, 6, 1], [1, 2, 3, 2]);

/** Values that are all different and at least 0.1 apart, in an order that puts maxima everywhere. */
function distinctValues(shape: [number, number, number, number]): tf.Tensor4D {
  const size = shape.reduce((a, b) => a * b);
  return tf.tensor4d(
    Array.from({ length: size }, (_, i) => 0.2 + 0.1 * ((i * 37) % size)),
    shape,
  );
}

const rmacOf = (map: tf.Tensor4D, wholeImage = false) => {
  const regions = regionMaxPool(map, rigidGrid(map.shape[1], map.shape[2], { levels: 3, wholeImage }));
  return l2Normalize(l2Normalize(regions).sum<tf.Tensor2D>(1));
};

describe('values', () => {
  test('mac, spoc and gem of a map by hand', () => {
    // channel 0: max 6, mean 21/6 = 3.5; channel 1: max 6, mean 13/6; gem p = 2: sqrt(mean x^2) = sqrt(91/6), sqrt(51/6)
    expectClose(mac(toyMap()).dataSync(), [6, 6]);
    expectClose(spoc(toyMap()).dataSync(), [3.5, 13 / 6]);
    expectClose(gem(toyMap(), tf.scalar(2)).dataSync(), [Math.sqrt(91 / 6), Math.sqrt(51 / 6)]);
  });

  test('gem with p = 1 is the mean, with a large p nearly the maximum, and its floor is 1e-6', () => {
    expectClose(gem(toyMap(), tf.scalar(1)).dataSync(), [3.5, 13 / 6]);
    // (1/6 6^40 (1 + ...))^(1/40) = 6 * 6^(-1/40) * ... = 5.74
    expectClose(gem(toyMap(), tf.scalar(40)).dataSync(), [5.737, 5.737], { absolute: 0.005 });
    expectClose(gem(tf.zeros([1, 2, 2, 1]), tf.scalar(3)).dataSync(), [1e-6], { absolute: 1e-10 });
  });

  test('R-MAC of the toy map, three levels of the rigid grid', () => {
    expectClose(rmacOf(toyMap()).dataSync(), [0.8042387712, 0.5943063174], { absolute: 1e-6 });
  });

  test('R-MAC of the toy map with the whole image first', () => {
    expectClose(rmacOf(toyMap(), true).dataSync(), [0.7994894602, 0.6006801171], { absolute: 1e-6 });
  });

  test('regionMaxPool equals loops over the cells of each region', () => {
    const map = distinctValues([2, 5, 8, 3]);
    const values = map.arraySync();
    const regions = rigidGrid(5, 8);
    const expected = values.flatMap((image) =>
      regions.flatMap(({ yMin, xMin, yMax, xMax }) =>
        [0, 1, 2].map((c) =>
          Math.max(...image.slice(yMin, yMax).flatMap((row) => row.slice(xMin, xMax).map((cell) => cell[c]))),
        ),
      ),
    );
    const pooled = regionMaxPool(map, regions);
    expect(pooled.shape).toEqual([2, regions.length, 3]);
    expectClose(pooled.dataSync(), expected);
  });

  test('an empty region pools to 0', () => {
    expectClose(regionMaxPool(toyMap(), [{ yMin: 2, xMin: 0, yMax: 2, xMax: 3 }]).dataSync(), [0, 0]);
  });

  test('l2Normalize: unit rows; a zero row stays zero with a finite gradient', () => {
    const x = tf.tensor2d([3, 4, 0, 0], [2, 2]);
    expectClose(l2Normalize(x).dataSync(), [0.6, 0.8, 0, 0]);
    const gradient = tf
      .grad((t) => l2Normalize(t).sum())(x)
      .dataSync();
    // row 1: (1 - 0.6 * 1.4) / 5, (1 - 0.8 * 1.4) / 5; row 2: 1 / 1e-6
    expectClose(gradient, [0.032, -0.024, 1e6, 1e6]);
  });

  test('raised: the power with the sign of the value; linear, with a finite gradient, at zero', () => {
    const x = tf.tensor1d([0.25, -0.49, 1, 0]);
    expectClose(raised(x, 0.5).dataSync(), [0.5, -0.7, 1, 0]);
    const gradient = tf
      .grad((t) => raised(t, 0.5).sum())(x)
      .dataSync();
    expectClose(gradient, [1, 1 / 1.4, 0.5, 1e3]);
    checkGradient((t) => raised(t, 0.7), tf.tensor2d([0.5, -1, 2, 1, 0.3, -0.7], [2, 3]));
  });

  test('whiten: (x + shift) . kernel by hand, whatever the leading axes', () => {
    // ([1, 2] + [-1, 1]) . [[1, 0, 2], [3, 4, 5]] = [0, 3] . ... = [9, 12, 15]
    const y = whiten(tf.tensor3d([1, 2], [1, 1, 2]), tf.tensor1d([-1, 1]), tf.tensor2d([1, 0, 2, 3, 4, 5], [2, 3]));
    expect(y.shape).toEqual([1, 1, 3]);
    expectClose(y.dataSync(), [9, 12, 15]);
  });

  test('withWhitening turns a PCA into shift = -mean and kernel = components transposed', () => {
    const meta = { architecture: 'a', cut: 'c', pooling: { ...defaultPooling } } as never;
    const result = withWhitening(meta, new Map(), {
      mean: [1, 2, 3],
      components: Float32Array.of(1, 2, 3, 4, 5, 6),
      dimension: 2,
    });
    expect(result.meta).toMatchObject({ whitening: { dimension: 2 } });
    expect([...result.weights.get('whitening/shift')!.data]).toEqual([-1, -2, -3]);
    expect(result.weights.get('whitening/kernel')!.shape).toEqual([3, 2]);
    expect([...result.weights.get('whitening/kernel')!.data]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('regionsOf needs the image size on the image plane only', () => {
    const map = { height: 4, width: 5 };
    expect(regionsOf(map, defaultPooling, { stride: 32 })).toEqual(rigidGrid(4, 5));
    expect(regionsOf(map, { ...defaultPooling, grid: 'rmac-plus' }, { stride: 32 }).length).toBe(15);
    expect(() => regionsOf(map, { ...defaultPooling, plane: 'image' }, { stride: 32 })).toThrow('size of the image');
  });
});

describe('gradients', () => {
  test('mac, spoc, gem for the map', () => {
    checkGradient((x) => mac(x as tf.Tensor4D), distinctValues([2, 3, 4, 2]));
    checkGradient((x) => spoc(x as tf.Tensor4D), distinctValues([2, 3, 4, 2]));
    checkGradient((x) => gem(x as tf.Tensor4D, tf.scalar(3)), distinctValues([1, 3, 4, 2]));
  });

  test('gem for p', () => {
    checkGradient((p) => gem(toyMap(), p as tf.Scalar), tf.scalar(3));
  });

  test('regionMaxPool and the whole R-MAC for the map', () => {
    checkGradient((x) => regionMaxPool(x as tf.Tensor4D, rigidGrid(4, 6)), distinctValues([1, 4, 6, 2]));
    checkGradient((x) => rmacOf(x as tf.Tensor4D), distinctValues([1, 4, 6, 2]), { step: 5e-3 });
  });

  test('of equal cells one gets the gradient', () => {
    const gradient = tf
      .grad((x) => mac(x as tf.Tensor4D).sum())(tf.ones([1, 2, 2, 1]))
      .dataSync();
    expectClose(gradient, [1, 0, 0, 0]);
  });

  test('l2Normalize; whiten for x, shift and kernel', () => {
    const x = tf.tensor2d([0.5, -1, 2, 1, 0.3, -0.7], [2, 3]);
    const shift = tf.tensor1d([0.1, -0.2, 0.3]);
    const kernel = tf.tensor2d([1, 2, -1, 0.5, 0.3, -2], [3, 2]);
    checkGradient((t) => l2Normalize(t), x);
    checkGradient((t) => whiten(t, shift, kernel), x);
    checkGradient((t) => whiten(x, t as tf.Tensor1D, kernel), shift);
    checkGradient((t) => whiten(x, shift, t as tf.Tensor2D), kernel);
  });
});

test('nothing leaks', async () => {
  const map = toyMap();
  const p = tf.scalar(3);
  await expectNoLeak(() => tf.dispose([mac(map), spoc(map), gem(map, p), regionMaxPool(map, rigidGrid(2, 3))]));
});
