/** Winograd's convolution and its gradients against sums in float64, and where the engine uses it. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OnnxBackend, type WinogradUse } from '../../src/backend/backend.js';
import { engineStats, recordModel, startEngine } from '../../src/backend/index.js';
import { type ConvAttributes, convInfo } from '../../src/backend/kernels/conv-info.js';
import { choosesWinograd } from '../../src/backend/kernels/winograd-choice.js';
import { planProgram } from '../../src/backend/plan.js';
import { largest } from '../../src/extremes.js';
import { checkGradient } from '../support/gradient.js';
import { random } from '../support/kernels.js';
import { sumOverExamples } from '../support/sum-over-examples.js';

let backend: OnnxBackend;

beforeAll(async () => {
  await startEngine({ threads: 2 });
  backend = tf.backend() as OnnxBackend;
});
beforeEach(() => {
  backend.winograd = 'possible';
});

type Shape4 = [number, number, number, number];
type Padding = number | 'same' | 'valid' | [[0, 0], [number, number], [number, number], [0, 0]];
type Geometry = { x: Shape4; filter: Shape4; pad: Padding };

const tensor = (shape: number[], seed: number) => tf.tensor4d(random(shape, seed).values, shape as Shape4);

/** y, and of sum(y * dy) the gradients with respect to x and filter, term by term in float64. */
function direct({ x, filter, pad }: Geometry, [image, kernel, upstream]: (Float32Array | number[])[]) {
  const { outHeight, outWidth, padInfo } = convInfo(x, filter, { strides: 1, pad });
  const [[n, h, w, c], [kh, kw, , o]] = [x, filter];
  const y = new Float64Array(n * outHeight * outWidth * o);
  const [dx, df] = [image, kernel].map(({ length }) => new Float64Array(length)) as [Float64Array, Float64Array];
  for (let i = 0; i < n * outHeight * outWidth * kh * kw; i++) {
    const [kx, ky] = [i % kw, Math.floor(i / kw) % kh];
    const place = Math.floor(i / (kw * kh));
    const [ox, oy] = [place % outWidth, Math.floor(place / outWidth) % outHeight];
    const [ix, iy] = [ox + kx - padInfo.left, oy + ky - padInfo.top];
    if (ix < 0 || iy < 0 || ix >= w || iy >= h) continue;
    const from = ((Math.floor(place / (outWidth * outHeight)) * h + iy) * w + ix) * c;
    for (let a = 0; a < c; a++) {
      for (let b = 0; b < o; b++) {
        const at = ((ky * kw + kx) * c + a) * o + b;
        y[place * o + b] += image[from + a] * kernel[at];
        dx[from + a] += kernel[at] * upstream[place * o + b];
        df[at] += image[from + a] * upstream[place * o + b];
      }
    }
  }
  return { y, dx, df };
}

/** Largest error in units of the largest expected number. */
function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual).toHaveLength(expected.length);
  return largest(expected.map((value, i) => Math.abs(value - actual[i]))) / largest(expected.map(Math.abs));
}

function compared(geometry: Geometry) {
  return tf.tidy(() => {
    const [x, filter] = [tensor(geometry.x, 1), tensor(geometry.filter, 2)];
    const convolve = (image: tf.Tensor, kernel: tf.Tensor) =>
      tf.conv2d(image as tf.Tensor4D, kernel as tf.Tensor4D, 1, geometry.pad);
    const y = convolve(x, filter);
    const dy = tensor(y.shape, 3);
    const [dx, df] = tf.grads(convolve)([x, filter], dy);
    const data = [x, filter, dy].map((t) => t.dataSync() as Float32Array);
    const expected = direct(geometry, data);
    return {
      y: relativeError(y.dataSync(), expected.y),
      dx: relativeError(dx.dataSync(), expected.dx),
      df: relativeError(df.dataSync(), expected.df),
    };
  });
}

// One geometry a line.
// biome-ignore format: it is
const geometries: Geometry[] = [
  { x: [1, 8, 12, 5], filter: [3, 3, 5, 7], pad: 'same' },
  { x: [2, 9, 7, 4], filter: [3, 3, 4, 3], pad: 'valid' },
  { x: [1, 3, 3, 2], filter: [3, 3, 2, 3], pad: 'valid' }, // one output
  { x: [1, 1, 1, 3], filter: [3, 3, 3, 2], pad: 'same' }, // one pixel
  { x: [3, 5, 2, 1], filter: [3, 3, 1, 1], pad: 1 },
  { x: [1, 6, 7, 2], filter: [3, 3, 2, 2], pad: [[0, 0], [2, 0], [1, 2], [0, 0]] },
  { x: [2, 4, 6, 2], filter: [3, 3, 2, 3], pad: [[0, 0], [4, 3], [0, 3], [0, 0]] }, // windows wholly in the padding
  { x: [1, 13, 17, 96], filter: [3, 3, 96, 40], pad: 'same' },
  { x: [2, 10, 11, 16], filter: [3, 3, 16, 130], pad: 'same' },
  { x: [1, 361, 3, 2048], filter: [3, 3, 2048, 1], pad: 'same' }, // in bands
  { x: [1, 4, 5, 512], filter: [3, 3, 512, 300], pad: 'same' }, // the filter gradient in parts
];

describe('against sums in float64', () => {
  test.each(geometries.map((geometry) => [JSON.stringify(geometry), geometry] as const))('%s', (_, geometry) => {
    const { y, dx, df } = compared(geometry);
    expect(y).toBeLessThan(1e-5);
    expect(dx).toBeLessThan(1e-5);
    expect(df).toBeLessThan(1e-5);
  });

  test('positive numbers of many channels, as behind a ReLU', () => {
    tf.tidy(() => {
      const [x, filter] = [tf.abs(tensor([1, 12, 8, 256], 1)), tensor([3, 3, 256, 64], 2)];
      const y = tf.conv2d(x, filter, 1, 'same');
      const data = [x, filter, tf.zerosLike(y)].map((t) => t.dataSync() as Float32Array);
      const expected = direct({ x: [1, 12, 8, 256], filter: [3, 3, 256, 64], pad: 'same' }, data);
      expect(relativeError(y.dataSync(), expected.y)).toBeLessThan(5e-6);
    });
  });

  test('channels first', () => {
    tf.tidy(() => {
      const [x, filter] = [tensor([2, 7, 6, 3], 1), tensor([3, 3, 3, 4], 2)];
      const first = tf.conv2d(tf.transpose<tf.Tensor4D>(x, [0, 3, 1, 2]), filter, 1, 'same', 'NCHW');
      const last = tf.conv2d(x, filter, 1, 'same');
      expect(Array.from(tf.transpose(first, [0, 2, 3, 1]).dataSync())).toEqual(Array.from(last.dataSync()));
    });
  });
});

test('gradients against finite differences, through a bias and a ReLU', () => {
  tf.tidy(() => {
    const [x, filter] = [tensor([2, 6, 5, 3], 1), tensor([3, 3, 3, 4], 2)];
    const f = (image: tf.Tensor, kernel: tf.Tensor) =>
      tf.relu(tf.add(tf.conv2d(image as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same'), 0.1));
    checkGradient((image) => f(image, filter), x, { step: 1e-3 });
    checkGradient((kernel) => f(x, kernel), filter, { step: 1e-3 });
  });
});

test('summed over examples in one native run, the filter gradient in parts', async () => {
  const filter = tensor([3, 3, 512, 240], 2);
  const values = Float32Array.from(random([3, 4, 5, 512], 1).values);
  const summed = async (use: WinogradUse) => {
    backend.winograd = use;
    const { sums } = await sumOverExamples(3, [{ values, shape: [1, 4, 5, 512] }], (x) => ({
      sums: {
        filter: tf.grad((f) => tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'))))(filter),
      },
    }));
    const data = sums.filter.dataSync() as Float32Array;
    sums.filter.dispose();
    return data;
  };
  expect(relativeError(await summed('possible'), Float64Array.from(await summed('never')))).toBeLessThan(1e-5);
  filter.dispose();
});

describe('work that is done once', () => {
  const [xShape, filterShape] = [[1, 8, 8, 6] as Shape4, [3, 3, 6, 5] as Shape4];

  test('the filter is transformed once while it does not change, for both passes that read it', () => {
    const filter = tensor(filterShape, 2);
    const before = engineStats()!.invariantBytes;
    for (let seed = 1; seed <= 4; seed++) {
      tf.tidy(() =>
        tf
          .grad((x) => tf.square(tf.conv2d(x as tf.Tensor4D, filter, 1, 'same')))(tensor(xShape, seed))
          .dataSync(),
      );
    }
    expect(engineStats()!.invariantBytes - before).toBe(4 * 36 * 6 * 5);
    filter.dispose();
    expect(engineStats()!.invariantBytes).toBe(before);
  });

  test('the filter gradient reads the transformed input of the forward pass', () => {
    tf.tidy(() => {
      const [x, filter] = [tensor(xShape, 1), tensor(filterShape, 2)];
      const { value, grad } = tf.valueAndGrad((kernel) =>
        tf.sum(tf.square(tf.conv2d(x, kernel as tf.Tensor4D, 1, 'same'))),
      )(filter);
      const { nodes } = planProgram(
        [value, grad].map((t) => backend.recorded(t)),
        () => undefined,
      );
      // The input and the output gradient.
      expect(nodes.filter(({ type }) => type === 'Conv')).toHaveLength(2);
      expect(nodes.filter(({ type }) => type === 'FusedMatMul').length).toBeGreaterThan(3);
    });
  });
});

describe('where it is used', () => {
  const chosen = (x: Shape4, filter: Shape4, attributes: Partial<ConvAttributes> = {}) => {
    const all = { strides: 1, pad: 'same', ...attributes } as const;
    return (['forward', 'input gradient', 'filter gradient'] as const).filter((pass) =>
      choosesWinograd('faster', pass, convInfo(x, filter, all), filter),
    );
  };

  test('many channels, many tiles', () => {
    const everywhere = ['forward', 'input gradient', 'filter gradient'];
    expect(chosen([1, 96, 128, 256], [3, 3, 256, 256])).toEqual(everywhere);
    expect(chosen([1, 48, 64, 512], [3, 3, 512, 512])).toEqual(everywhere);
    expect(chosen([4, 24, 32, 256], [3, 3, 256, 256])).toEqual(everywhere);
  });

  test('not for few channels or few tiles', () => {
    expect(chosen([1, 384, 512, 3], [3, 3, 3, 64])).toEqual([]);
    expect(chosen([1, 96, 128, 64], [3, 3, 64, 64])).toEqual(['filter gradient']);
    expect(chosen([1, 8, 8, 512], [3, 3, 512, 512])).toEqual([]);
  });

  test('in graphs of every size only where much is won', () => {
    const faster = (x: Shape4, filter: Shape4) => {
      let expected = false;
      const use = (heard: boolean) => (expected = heard);
      for (const pass of ['input gradient', 'filter gradient', 'forward'] as const) {
        expect(choosesWinograd(use, pass, convInfo(x, filter, { strides: 1, pad: 'same' }), filter)).toBe(expected);
        if (pass !== 'forward') expect(expected).toBe(false);
      }
      return expected;
    };
    expect(faster([1, 112, 95, 256], [3, 3, 256, 256])).toBe(true);
    expect(faster([1, 28, 23, 512], [3, 3, 512, 512])).toBe(true);
    expect(faster([1, 112, 95, 128], [3, 3, 128, 256])).toBe(false);
    expect(faster([1, 28, 24, 256], [3, 3, 256, 256])).toBe(false);
    expect(faster([1, 14, 12, 512], [3, 3, 512, 512])).toBe(false);
    expect(faster([1, 112, 95, 512], [1, 1, 512, 512])).toBe(false);
  });

  test('only for filters of 3 x 3 that move by one', () => {
    const possible = (filter: Shape4, attributes: Partial<ConvAttributes> = {}) =>
      choosesWinograd(
        'possible',
        'forward',
        convInfo([1, 48, 64, 256], filter, { strides: 1, pad: 'same', ...attributes }),
        filter,
      );
    expect(possible([3, 3, 256, 256])).toBe(true);
    expect(possible([3, 3, 256, 256], { strides: 2 })).toBe(false);
    expect(possible([3, 3, 256, 256], { dilations: 2 })).toBe(false);
    expect(possible([3, 3, 128, 256])).toBe(false); // two groups
    expect(possible([1, 1, 256, 256])).toBe(false);
    expect(possible([5, 3, 256, 256])).toBe(false);
  });

  test('not on another device than the CPU', () => {
    const settings = { threads: 1, maxSessions: 1, maxBytes: 1, maxInvariantBytes: 1, maxResidentBytes: 1 };
    expect(new OnnxBackend({ ...settings, providers: ['webgpu', 'cpu'] }).winograd).toBe('never');
    expect(new OnnxBackend({ ...settings, providers: ['cpu'] }).winograd).toBe('faster');
  });

  test('not in an exported model, and again behind it', () => {
    const filter = tensor([3, 3, 4, 4], 2);
    const bytes = recordModel((x) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same'), { inputShape: [1, 8, 8, 4] });
    expect(Buffer.from(bytes).includes('FusedMatMul')).toBe(false);
    expect(backend.winograd).toBe('possible');
    filter.dispose();
  });
});
