import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { toTensor } from '../../src/data/images.js';
import type { RgbImage } from '../../src/data/rgb-image.js';
import { defaultPooling, type PoolingOptions } from '../../src/models/meta.js';
import { l2Normalize } from '../../src/models/normalize.js';
import { heatOverlay } from '../../src/report/heat-overlay.js';
import { type MappedModel, similarityMaps } from '../../src/retrieval/similarity-map.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { smallModel } from '../support/small-model.js';

function pattern(width: number, height: number, phase: number): RgbImage {
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => 127 * (1 + Math.sin(phase + 0.05 * i * phase)),
  );
  return { data, width, height };
}

/** A model whose map is the pixels of the first two channels. */
function pixelModel(pooling: Partial<PoolingOptions>): MappedModel {
  return {
    meta: { pooling: { ...defaultPooling, ...pooling } } as MappedModel['meta'],
    stride: 1,
    dimension: 2,
    variables: new Map(),
    featureMap: (images) => images.slice([0, 0, 0, 0], [-1, -1, -1, 2]),
    regionRows: (vectors) => l2Normalize<tf.Tensor3D>(vectors, 1e-6),
  };
}

const pixels = (width: number, ...values: [number, number][]): RgbImage => ({
  data: Uint8Array.from(values.flatMap(([a, b]) => [a, b, 0])),
  width,
  height: values.length / width,
});

describe('similarityMaps', () => {
  test('MAC by hand: channels by their squares, where their maxima are', async () => {
    // A: maxima (3, 4), unit (0.6, 0.8); channel 0 lies in cell 0 with 9/25 of the squares, channel 1 in cell 1 with 16/25.
    const a = pixels(2, [3, 0], [1, 4]);
    const b = pixels(1, [1, 0]);
    const { similarity, maps } = await similarityMaps(pixelModel({ kind: 'mac' }), a, b);
    expect(similarity).toBeCloseTo(0.6, 6);
    expectClose(maps[0].values, [(0.6 * 9) / 25, (0.6 * 16) / 25]);
    expectClose(maps[1].values, [0.6]);
  });

  test('R-MAC by hand: the region that is like the other image has the similarity', async () => {
    // 1 x 2 cells, one level: the grid has the first cell twice and the second once, so the unit rows sum to (2, 1).
    const a = pixels(2, [5, 0], [0, 2]);
    const b = pixels(1, [0, 7]);
    const { similarity, maps } = await similarityMaps(pixelModel({ kind: 'rmac', levels: 1 }), a, b);
    expect(similarity).toBeCloseTo(1 / Math.sqrt(5), 6);
    expectClose(maps[0].values, [0, 1 / Math.sqrt(5)]);
  });

  test('SPoC by hand: cells in proportion to their values; a map of zeros is even', async () => {
    const { maps } = await similarityMaps(pixelModel({ kind: 'spoc' }), pixels(2, [1, 0], [3, 0]), pixels(1, [1, 0]));
    expectClose(maps[0].values, [0.25, 0.75]);
    const dark = await similarityMaps(pixelModel({ kind: 'spoc' }), pixels(2, [0, 0], [0, 0]), pixels(1, [1, 0]));
    expectClose(dark.maps[0].values, [0, 0]);
  });

  test.each([
    ['mac', {}],
    ['spoc', {}],
    ['gem', { whiteningDimension: 8 }],
    ['rmac', {}],
    ['rmac', { whiteningDimension: 8 }],
  ] as const)('%s %o: each map sums to the similarity of the descriptors', async (kind, options) => {
    const model = smallModel({ pooling: { kind, levels: 2 }, ...options });
    const [a, b] = [pattern(96, 64, 1), pattern(48, 80, 2)];
    const { similarity, maps } = await similarityMaps(model, a, b);
    const [da, db] = [a, b].map((image) => tf.tidy(() => model.describe(toTensor(image)).dataSync()));
    const expected = Array.from(da).reduce((sum, value, d) => sum + value * db[d], 0);
    expect(similarity).toBeCloseTo(expected, 5);
    for (const { values } of maps) expect(values.reduce((x, y) => x + y, 0)).toBeCloseTo(expected, 5);
    model.dispose();
  });
});

test('heatOverlay: the largest value is the brightest, values below 0 are as 0', () => {
  const grey: RgbImage = { data: new Uint8Array(4 * 2 * 3).fill(100), width: 4, height: 2 };
  const { data } = heatOverlay(grey, { values: Float32Array.of(-1, 2), height: 1, width: 2 });
  // Ends: 0.65 * 100 + 0.35 * (68, 1, 84) and 0.3 * 100 + 0.7 * (253, 231, 37).
  expect(Array.from(data.slice(0, 3))).toEqual([89, 65, 94]);
  expect(Array.from(data.slice(9, 12))).toEqual([207, 192, 56]);
});
