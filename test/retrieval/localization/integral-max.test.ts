import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { approximateMax, integralMap, wholeMap } from '../../../src/retrieval/localization/integral-max.js';
import { cosine, expectClose } from '../../support/close.js';
import { exactMax, mapAndRegion, randomMap } from './maps.js';

describe('integral max-pooling', () => {
  test('a value by hand: (1^10 + 2^10 + 2^10)^(1/10)', () => {
    const map = { height: 2, width: 2, channels: 1, values: Float32Array.of(1, 2, 2, 5) };
    const integral = integralMap(map);
    expectClose(approximateMax(integral, { yMin: 0, xMin: 0, yMax: 1, xMax: 2 }), [1025 ** 0.1]);
    expectClose(approximateMax(integral, { yMin: 1, xMin: 0, yMax: 2, xMax: 1 }), [2]);
    expectClose(approximateMax(integral, wholeMap(map)), [(1 + 2 * 1024 + 5 ** 10) ** 0.1]);
  });

  test('never below the maximum, at most |R|^(1/alpha) above it', () => {
    fc.assert(
      fc.property(mapAndRegion, fc.constantFrom(1, 2, 5, 10, 13.5, 100), ({ map, region }, alpha) => {
        const approximate = approximateMax(integralMap(map, { alpha }), region);
        const exact = exactMax(map, region);
        const cells = (region.yMax - region.yMin) * (region.xMax - region.xMin);
        for (let c = 0; c < map.channels; c++) {
          expect(approximate[c]).toBeGreaterThanOrEqual(exact[c] * (1 - 1e-5));
          expect(approximate[c]).toBeLessThanOrEqual(exact[c] * cells ** (1 / alpha) * (1 + 1e-5));
        }
      }),
    );
  });

  test('a box that is small beside the rest of its channel: 1, 2 and 2 far from 1000', () => {
    const values = Float32Array.of(1000, 0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 0);
    const integral = integralMap({ height: 3, width: 4, channels: 1, values });
    expectClose(approximateMax(integral, { yMin: 1, xMin: 2, yMax: 3, xMax: 4 }), [1025 ** 0.1], { relative: 1e-6 });
    expectClose(approximateMax(integral, { yMin: 1, xMin: 0, yMax: 2, xMax: 2 }), [0]);
  });

  test('alpha = 1 is sum pooling', () => {
    fc.assert(
      fc.property(mapAndRegion, ({ map, region }) => {
        const sums = new Float64Array(map.channels);
        for (let y = region.yMin; y < region.yMax; y++) {
          for (let x = region.xMin; x < region.xMax; x++) {
            for (let c = 0; c < map.channels; c++) {
              sums[c] += Math.max(0, map.values[(y * map.width + x) * map.channels + c]);
            }
          }
        }
        expectClose(approximateMax(integralMap(map, { alpha: 1 }), region), sums);
      }),
    );
  });

  test('the larger alpha, the nearer to the maximum', () => {
    const map = randomMap({ height: 16, width: 20, channels: 64, seed: 1 });
    const region = { yMin: 3, xMin: 4, yMax: 12, xMax: 18 };
    const exact = exactMax(map, region);
    const cosines = [1, 3, 10, 20].map((alpha) => cosine(approximateMax(integralMap(map, { alpha }), region), exact));
    expect(cosines).toEqual(cosines.toSorted((a, b) => a - b));
    expect(cosines[2]).toBeGreaterThan(0.995);
  });

  test('negative activations count as 0, an empty region gives 0, an exponent below 1 is refused', () => {
    const map = { height: 1, width: 2, channels: 2, values: Float32Array.of(-9, 3, -1, -2) };
    expectClose(approximateMax(integralMap(map), wholeMap(map)), [0, 3]);
    expect([...approximateMax(integralMap(map), { yMin: 1, xMin: 0, yMax: 1, xMax: 2 })]).toEqual([0, 0]);
    expect(() => integralMap(map, { alpha: 0.5 })).toThrow(/alpha from 1 to 100 expected, got 0.5/);
  });
});
