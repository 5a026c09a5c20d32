import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import {
  compactMap,
  fittedScale,
  forEachLevel,
  integralOfLevels,
  levelMap,
  levelOf,
} from '../../../src/retrieval/localization/compact-map.js';
import { approximateMax, integralMap, wholeMap } from '../../../src/retrieval/localization/integral-max.js';
import { cosine, expectClose } from '../../support/close.js';
import { anyMap, exactMax, mapAndRegion, randomMap } from './maps.js';

describe('compact activation maps', () => {
  test('levels by hand: floor((15 + min(x, 128)) / 16)', () => {
    expect([-5, 0, 0.9, 1, 16.9, 17, 112.9, 113, 128, 5000].map((x) => levelOf(x))).toEqual([
      0, 0, 0, 1, 1, 2, 7, 8, 8, 8,
    ]);
    expect(levelOf(2, 16)).toBe(2); // 32 -> floor(47 / 16)
    expect(levelOf(Number.NaN)).toBe(0);
  });

  test('codes by hand: counts, gaps and levels', () => {
    // channel 0: levels 1 and 8 at cells 0 and 3; channel 1: nothing; channel 2: level 2 at cell 34, a gap of 34 = 31 + 3
    const values = new Float32Array(40 * 3);
    values[0] = 1;
    values[3 * 3] = 500;
    values[34 * 3 + 2] = 20;
    const map = compactMap({ height: 4, width: 10, channels: 3, values }, { scale: 1 });
    expect([...map.codes]).toEqual([2, 0, (2 << 3) | 7, 0, 1, (31 << 3) | 1, 3]);
  });

  test('what is read is the levels of what was written', () => {
    fc.assert(
      fc.property(
        anyMap,
        fc.option(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { nil: undefined }),
        (map, given) => {
          const scale = given ?? fittedScale(map);
          const compact = compactMap(map, given === undefined ? {} : { scale });
          expect(compact.scale).toBe(scale);
          expect(levelMap(compact).values).toEqual(map.values.map((x) => levelOf(x, scale)));
        },
      ),
    );
  });

  test('gaps of any length', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 19_999 }), { maxLength: 20 }), (cells) => {
        const values = new Float32Array(20_000);
        for (const cell of cells) values[cell] = 8;
        const found: number[] = [];
        const map = compactMap({ height: 100, width: 200, channels: 1, values }, { scale: 1 });
        forEachLevel(map, (_, cell) => found.push(cell));
        expect(found).toEqual(cells.toSorted((a, b) => a - b));
      }),
    );
  });

  test('integral images from the codes are those of the levels, exactly', () => {
    fc.assert(
      fc.property(mapAndRegion, fc.boolean(), ({ map, region }, reuse) => {
        const compact = compactMap(map);
        const buffer = reuse ? new Float64Array(20_000).fill(7) : undefined;
        const levels = levelMap(compact);
        const integral = integralOfLevels(compact, { buffer });
        const expected = exactMax(levels, region).map((_, c) => {
          let sum = 0;
          for (let y = region.yMin; y < region.yMax; y++) {
            for (let x = region.xMin; x < region.xMax; x++) {
              sum += levels.values[(y * map.width + x) * map.channels + c] ** 10;
            }
          }
          return sum ** 0.1;
        });
        expect(approximateMax(integral, region)).toEqual(expected);
        expect([...integral.active]).toEqual([...integralMap(levels).active]);
      }),
    );
  });

  test('read as centres of their intervals', () => {
    fc.assert(
      fc.property(mapAndRegion, ({ map, region }) => {
        const compact = compactMap(map);
        const centres = levelMap(compact, { read: 'centres' });
        expect(centres.values).toEqual(levelMap(compact).values.map((level) => (level === 0 ? 0 : 16 * level - 7)));
        const integral = integralOfLevels(compact, { read: 'centres' });
        expectClose(approximateMax(integral, region), approximateMax(integralMap(centres), region), { relative: 1e-2 });
      }),
    );
  });

  test('nine levels keep the direction of the maxima', () => {
    const map = randomMap({ height: 20, width: 30, channels: 256, seed: 3, mean: 0.2 });
    const kept = exactMax(levelMap(compactMap(map)), wholeMap(map));
    expect(cosine(kept, exactMax(map, wholeMap(map)))).toBeGreaterThan(0.98);
  });

  test('about a byte for each activation', () => {
    const map = randomMap({ height: 24, width: 32, channels: 256, seed: 5, density: 0.2, mean: 40 });
    const compact = compactMap(map, { scale: 1 });
    const above = map.values.filter((x) => x >= 1).length;
    expect(compact.codes.length).toBeGreaterThan(above);
    expect(compact.codes.length).toBeLessThan(1.05 * above + 2 * 256);
  });

  test('damaged codes are an InputError or another map, nothing else', () => {
    fc.assert(
      fc.property(anyMap, fc.nat(), fc.nat(255), fc.nat(3), (map, at, byte, cut) => {
        const compact = compactMap(map);
        const codes = compact.codes.slice(0, compact.codes.length - cut);
        codes[at % Math.max(1, codes.length)] = byte;
        let visited = 0;
        try {
          forEachLevel({ ...compact, codes }, (channel, cell, level) => {
            expect(channel < map.channels && cell < map.height * map.width && level >= 1 && level <= 8).toBe(true);
            visited++;
          });
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
        expect(visited).toBeLessThanOrEqual(map.values.length);
      }),
    );
    const compact = compactMap(randomMap({ height: 3, width: 3, channels: 2, seed: 1, density: 1 }));
    const changed =
      (...codes: number[]) =>
      () =>
        forEachLevel({ ...compact, codes: Uint8Array.from(codes) }, () => {});
    expect(changed(1)).toThrow(/end too early/);
    expect(changed(0, 1, 9 << 3)).toThrow(/channel 1 has more than 9 cells/);
    expect(changed(0, 0, 0)).toThrow(/1 bytes too many/);
    expect(changed(0x80, 0x80, 0x80, 0x80, 1)).toThrow(/too long/);
  });

  test('a map of zeros', () => {
    const map = { height: 2, width: 3, channels: 4, values: new Float32Array(24) };
    const compact = compactMap(map);
    expect(compact.scale).toBe(1);
    expect([...compact.codes]).toEqual([0, 0, 0, 0]);
    expectClose(approximateMax(integralOfLevels(compact), wholeMap(map)), [0, 0, 0, 0]);
  });
});
