import * as fc from 'fast-check';
import seedrandom from 'seedrandom';
import { describe, expect, test } from 'vitest';
import type { Region } from '../../../src/models/regions.js';
import type { ActivationMap } from '../../../src/retrieval/localization/activation-map.js';
import { compactMap, integralOfLevels } from '../../../src/retrieval/localization/compact-map.js';
import { approximateMax, integralMap, wholeMap } from '../../../src/retrieval/localization/integral-max.js';
import { boxScore, localize, localizeExhaustively } from '../../../src/retrieval/localization/localize.js';
import { rowOverlap } from '../../../src/rpn/box-rows.js';
import { cosine, expectClose } from '../../support/close.js';
import { anyMap, exactMax, mapAndRegion, randomMap } from './maps.js';

const row = ({ yMin, xMin, yMax, xMax }: Region) => [yMin, xMin, yMax, xMax];
const inside = ({ yMin, xMin, yMax, xMax }: Region, { height, width }: ActivationMap) =>
  yMin >= 0 && xMin >= 0 && yMax <= height && xMax <= width && yMax > yMin && xMax > xMin;
const randomVector = (length: number, seed: unknown) => {
  const random = seedrandom(`vector ${String(seed)}`);
  return Float32Array.from({ length }, () => (random() < 0.6 ? random() : 0));
};

/** A scene with an object of its own channels in it, and the object alone. */
function scene(seed: number): { map: ActivationMap; object: ActivationMap; truth: Region } {
  const random = seedrandom(`scene ${seed}`);
  const map = randomMap({ height: 18, width: 24, channels: 128, seed, density: 0.05, mean: 12 });
  const height = 6 + Math.floor(random() * 7);
  const width = 6 + Math.floor(random() * 9);
  const yMin = Math.floor(random() * (map.height - height + 1));
  const xMin = Math.floor(random() * (map.width - width + 1));
  const object = randomMap({ height, width, channels: 128, seed: seed + 1000, density: 0.02, mean: 60 });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 128;
      map.values.set(object.values.subarray(from, from + 128), ((yMin + y) * map.width + xMin + x) * 128);
    }
  }
  return { map, object, truth: { yMin, xMin, yMax: yMin + height, xMax: xMin + width } };
}

describe('approximate max-pooling localisation', () => {
  test('a box is scored by the cosine of its approximate maxima', () => {
    fc.assert(
      fc.property(mapAndRegion, fc.integer(), ({ map, region }, seed) => {
        const integral = integralMap(map);
        const query = randomVector(map.channels, seed);
        const maxima = approximateMax(integral, region);
        const score = boxScore(integral, query)(region.yMin, region.xMin, region.yMax, region.xMax);
        const zero = maxima.every((x) => x === 0) || query.every((x) => x === 0);
        expectClose(score, zero ? 0 : cosine(maxima, query), { absolute: 1e-3 });
      }),
    );
  });

  test('exhaustive search finds what a plain loop over all boxes finds', () => {
    fc.assert(
      fc.property(anyMap, fc.integer(), (map, seed) => {
        const integral = integralMap(map);
        const query = randomVector(map.channels, seed);
        const found = localizeExhaustively(integral, { maxima: query });
        let [best, boxes] = [-Infinity, 0];
        for (let yMin = 0; yMin < map.height; yMin++) {
          for (let yMax = Math.min(yMin + 2, map.height); yMax <= map.height; yMax++) {
            for (let xMin = 0; xMin < map.width; xMin++) {
              for (let xMax = Math.min(xMin + 2, map.width); xMax <= map.width; xMax++) {
                if (yMax - yMin < Math.min(2, map.height) || xMax - xMin < Math.min(2, map.width)) continue;
                const maxima = approximateMax(integral, { yMin, xMin, yMax, xMax });
                const zero = maxima.every((x) => x === 0) || query.every((x) => x === 0);
                best = Math.max(best, zero ? 0 : cosine(maxima, query));
                boxes++;
              }
            }
          }
        }
        expect(found.visited).toBe(boxes);
        expectClose(found.score, best, { absolute: 1e-3 });
      }),
      { numRuns: 40 },
    );
  });

  test('the coarse search never beats the exhaustive one, scores its box rightly and visits fewer', () => {
    fc.assert(
      fc.property(anyMap, fc.integer(), fc.integer({ min: 1, max: 5 }), (map, seed, step) => {
        const integral = integralOfLevels(compactMap(map));
        const maxima = randomVector(map.channels, seed);
        const all = localizeExhaustively(integral, { maxima });
        for (const aspect of [undefined, 0.75]) {
          const { region, score, visited } = localize(integral, { maxima, aspect }, { step });
          expect(inside(region, map)).toBe(true);
          expect(score).toBeLessThanOrEqual(all.score);
          expect(score).toBe(boxScore(integral, maxima)(region.yMin, region.xMin, region.yMax, region.xMax));
          const unrefined = localize(integral, { maxima, aspect }, { step, refineStep: 0 });
          expect(unrefined.score).toBeLessThanOrEqual(score);
          expect(unrefined.visited).toBeLessThanOrEqual(Math.min(visited, all.visited));
        }
        const fine = localize(integral, { maxima }, { step: 1, refineStep: 0 });
        expect({ ...fine }).toEqual(all);
      }),
    );
  });

  test('boxes keep to the aspect of the query within the bound', () => {
    const map = randomMap({ height: 20, width: 20, channels: 16, seed: 4 });
    const integral = integralMap(map);
    for (const aspect of [0.5, 1, 1.7]) {
      for (let seed = 0; seed < 20; seed++) {
        const target = { maxima: randomVector(16, seed), aspect };
        const { yMin, xMin, yMax, xMax } = localize(integral, target, {
          step: 1,
          aspectBound: 1.25,
          refineStep: 0,
        }).region;
        expect(Math.abs(Math.log((yMax - yMin) / (xMax - xMin) / aspect))).toBeLessThanOrEqual(Math.log(1.25) + 1e-9);
      }
    }
  });

  test('finds an object in a scene, as the exhaustive search does, in few boxes', () => {
    const overlaps = { coarse: 0, all: 0 };
    const scenes = 8;
    for (let seed = 0; seed < scenes; seed++) {
      const { map, object, truth } = scene(seed);
      const target = { maxima: exactMax(object, wholeMap(object)), aspect: object.height / object.width };
      const integral = integralOfLevels(compactMap(map, { scale: 1 }));
      const all = localizeExhaustively(integral, target);
      const found = localize(integral, target);
      expect(found.visited).toBeLessThan(0.02 * all.visited);
      expect(found.score).toBeGreaterThan(all.score - 0.03);
      overlaps.all += rowOverlap(row(all.region), 0, row(truth), 0) / scenes;
      overlaps.coarse += rowOverlap(row(found.region), 0, row(truth), 0) / scenes;
    }
    expect(overlaps.all).toBeGreaterThan(0.95);
    expect(overlaps.coarse).toBeGreaterThan(0.9);
  });

  test('without a box of the aspect: from the whole map on', () => {
    const map = randomMap({ height: 3, width: 12, channels: 8, seed: 1 });
    const target = { maxima: randomVector(8, 2), aspect: 50 };
    const { region, visited } = localize(integralMap(map), target, { refineStep: 0 });
    expect(region).toEqual(wholeMap(map));
    expect(visited).toBe(0);
    expect(localize(integralMap(map), target).visited).toBeGreaterThan(0);
  });

  test('a map of zeros, a single cell, a wrong query', () => {
    const zeros = integralMap({ height: 4, width: 4, channels: 3, values: new Float32Array(48) });
    expect(localize(zeros, { maxima: [1, 0, 0] })).toMatchObject({ score: 0 });
    const cell = integralMap({ height: 1, width: 1, channels: 2, values: Float32Array.of(3, 4) });
    const { region, score } = localize(cell, { maxima: [6, 8], aspect: 1 });
    expect(region).toEqual({ yMin: 0, xMin: 0, yMax: 1, xMax: 1 });
    expectClose(score, 1, { relative: 1e-3 });
    expect(() => localize(cell, { maxima: [1] })).toThrow(/a query of 2 channels expected, as the map has, got 1/);
    expect(() => localize(cell, { maxima: [1, 1] }, { step: 0 })).toThrow(/a step of at least 1/);
    expect(() => localize(cell, { maxima: [1, 1] }, { aspectBound: 0.9 })).toThrow(/an aspectBound of at least 1/);
  });
});
