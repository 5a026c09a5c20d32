import { describe, expect, test } from 'vitest';
import { cropMap, type FeatureMap } from '../../src/systems/feature-map.js';
import { slidingPool, slidingWindows } from '../../src/systems/sliding-pool.js';
import { normalizeRows } from '../../src/systems/pool-views.js';
import { expectClose } from '../support/close.js';

/** The toy map of the golden values: H = 2, W = 3, channel 0 = [[1,2,3],[4,5,6]], channel 1 = [[6,1,2],[0,3,1]]. */
const toyMap: FeatureMap = {
  height: 2,
  width: 3,
  channels: 2,
  data: Float32Array.of(1, 6, 2, 1, 3, 2, 4, 0, 5, 3, 6, 1),
};

describe('sliding windows', () => {
  // (W, H): side, step and number of windows of each level, computed independently
  test.each([
    [32, 24, [24, 16, 12], [1, 6, 24]],
    [33, 25, [25, 17, 13], [1, 6, 15]],
    [30, 30, [30, 20, 15], [1, 4, 9]],
  ])('%i x %i', (width, height, sides, counts) => {
    for (const [i, side] of sides.entries()) {
      const windows = slidingWindows(height, width, i + 1);
      expect(windows.length).toBe(counts[i]);
      for (const w of windows) {
        expect([w.yMax - w.yMin, w.xMax - w.xMin]).toEqual([side, side]);
        expect(w.yMin >= 0 && w.yMax <= height && w.xMin >= 0 && w.xMax <= width).toBe(true);
      }
    }
  });

  test('a map of one cell has one window', () => {
    expect(slidingWindows(1, 1, 3)).toEqual([{ yMin: 0, xMin: 0, yMax: 1, xMax: 1 }]);
  });

  test('square-sum pooling of the toy map, three levels', () => {
    const sum = slidingPool(toyMap);
    expectClose(sum, [25.159891366, 20.5578362935], { absolute: 1e-5 });
    expectClose(normalizeRows(sum, 2, 1e-6), [0.7743723938, 0.6327301128], { absolute: 1e-6 });
  });
});

test('a box cuts the cells it touches; published code leaves the last column out', () => {
  const map = { height: 4, width: 8, channels: 1, data: Float32Array.from({ length: 32 }, (_, i) => i) };
  // rows floor(.3 4) = 1 to ceil(.6 4) = 3, columns floor(.2 8) = 1 to ceil(.7 8) = 6 or floor = 5
  const box = [0.3, 0.2, 0.6, 0.7] as const;
  const sound = cropMap(map, box);
  expect([sound.height, sound.width]).toEqual([2, 5]);
  expect([...sound.data]).toEqual([9, 10, 11, 12, 13, 17, 18, 19, 20, 21]);
  expect(cropMap(map, box, { published: true }).width).toBe(4);
  // a box within one cell
  expect([...cropMap(map, [0.3, 0.3, 0.31, 0.31]).data]).toEqual([10]);
  expect([...cropMap(map, [0.3, 0.3, 0.31, 0.31], { published: true }).data]).toEqual([10]);
  // one that sticks out, and the whole image
  expect(cropMap(map, [-0.5, 0.5, 2, 2]).data.length).toBe(4 * 4);
  expect([...cropMap(map, [0, 0, 1, 1]).data]).toEqual([...map.data]);
});
