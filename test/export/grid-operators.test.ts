import * as tf from '@tensorflow/tfjs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { recordModel } from '../../src/backend/index.js';
import { regionCorners } from '../../src/export/grid-operators.js';
import { defaultPooling, type PoolingOptions } from '../../src/models/meta.js';
import { rigidGrid, rmacPlusGrid } from '../../src/models/regions.js';
import '../support/engine.js';

const stride = 4;

test.each<[Partial<PoolingOptions>, number]>([
  [{}, 200],
  [{ precision: 'f32' }, 200],
  [{ levels: 2, wholeImage: true }, 50],
  [{ grid: 'rmac-plus' }, 200],
  [{ plane: 'image' }, 100],
  [{ plane: 'image', precision: 'f32' }, 100],
])('the grid of the graph is that of the plain numbers (%o)', async (options, sizes) => {
  const pooling = { ...defaultPooling, ...options };
  const model = recordModel(
    (input) => {
      const images = input as tf.Tensor4D;
      return regionCorners(tf.avgPool(images, stride, stride, 'valid'), images, pooling, stride);
    },
    {
      inputShape: [1, 'height', 'width', 2],
      shapes: [
        [1, 56, 88, 2],
        [1, 120, 40, 2],
        [1, 80, 80, 2],
      ],
    },
  );
  const session = await InferenceSession.create(model);
  for (let i = 0; i < sizes; i++) {
    // All aspect ratios and remainders; every tenth is square.
    const height = stride * (1 + ((i * 7919) % 67)) + (i % stride);
    const width = i % 10 === 0 ? height : stride * (1 + ((i * 104729) % 61)) + ((i >> 2) % stride);
    const input = new Tensor('float32', new Float32Array(height * width * 2), [1, height, width, 2]);
    const { output } = await session.run({ input });
    const [rows, columns] =
      pooling.plane === 'image' ? [height, width] : [Math.floor(height / stride), Math.floor(width / stride)];
    const regions = pooling.grid === 'rmac-plus' ? rmacPlusGrid(rows, columns) : rigidGrid(rows, columns, pooling);
    const corners = regions.flatMap(({ yMin, xMin, yMax, xMax }) => [0, xMin, yMin, xMax - 1, yMax - 1]);
    expect(Array.from(output.data as Float32Array), `${width}x${height}`).toEqual(corners);
    expect(output.dims).toEqual([regions.length, 5]);
  }
  await session.release();
});
