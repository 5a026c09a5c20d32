import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extraAlongLongerSide, pixelGrid, type Region, rigidGrid, rmacPlusGrid } from '../../src/models/regions.js';

/** `wl [x...]/[y...]` of one level: reads the distinct origins back out of the regions. */
function levelOf(regions: readonly Region[], size: number): { xs: number[]; ys: number[]; count: number } {
  const level = regions.filter((r) => r.xMax - r.xMin === size && r.yMax - r.yMin === size);
  return {
    xs: [...new Set(level.map((r) => r.xMin))],
    ys: [...new Set(level.map((r) => r.yMin))],
    count: level.length,
  };
}

// (W, H), then per level: side, x origins, y origins. Computed independently in float64 from the formulas.
const goldenGrids: [number, number, [number, number[], number[]][]][] = [
  [
    32,
    24,
    [
      [24, [0, 8], [0]],
      [16, [0, 8, 16], [0, 8]],
      [12, [0, 6, 13, 20], [0, 6, 12]],
    ],
  ],
  [
    24,
    32,
    [
      [24, [0], [0, 8]],
      [16, [0, 8], [0, 8, 16]],
      [12, [0, 6, 12], [0, 6, 13, 20]],
    ],
  ],
  [
    30,
    30,
    [
      [30, [0], [0]],
      [20, [0, 10], [0, 10]],
      [15, [0, 7, 15], [0, 7, 15]],
    ],
  ],
  [
    25,
    17,
    [
      [17, [0, 8], [0]],
      [11, [0, 7, 14], [0, 6]],
      [8, [0, 5, 11, 17], [0, 4, 9]],
    ],
  ],
  [
    25,
    19,
    [
      [19, [0, 6], [0]],
      [12, [0, 6, 13], [0, 7]],
      [9, [0, 5, 10, 16], [0, 5, 10]],
    ],
  ],
  [
    32,
    21,
    [
      [21, [0, 11], [0]],
      [14, [0, 9, 18], [0, 7]],
      [10, [0, 7, 14, 22], [0, 5, 11]],
    ],
  ],
  [
    40,
    10,
    [
      [10, [0, 6, 12, 18, 24, 30], [0]],
      [6, [0, 5, 11, 17, 22, 28, 34], [0, 4]],
      [5, [0, 5, 10, 15, 20, 25, 30, 35], [0, 2, 5]],
    ],
  ],
  [
    7,
    7,
    [
      [7, [0], [0]],
      [4, [0, 3], [0, 3]],
      [3, [0, 2, 4], [0, 2, 4]],
    ],
  ],
  [
    5,
    3,
    [
      [3, [0, 2], [0]],
      [2, [0, 1, 3], [0, 1]],
      [1, [0, 1, 2, 4], [0, 1, 2]],
    ],
  ],
];

describe('rigidGrid', () => {
  test.each(goldenGrids)('%i x %i has the published origins on every level', (width, height, levels) => {
    const regions = rigidGrid(height, width);
    for (const [size, xs, ys] of levels) {
      expect(levelOf(regions, size)).toEqual({ xs, ys, count: xs.length * ys.length });
    }
    expect(regions.length).toBe(levels.reduce((n, [, xs, ys]) => n + xs.length * ys.length, 0));
  });

  test('a 4:3 map has 2 + 6 + 12 = 20 regions at L = 3, 8 at L = 2; a square one 14 and 5', () => {
    expect(rigidGrid(24, 32).length).toBe(20);
    expect(rigidGrid(24, 32, { levels: 2 }).length).toBe(8);
    expect(rigidGrid(30, 30).length).toBe(14);
    expect(rigidGrid(30, 30, { levels: 2 }).length).toBe(5);
  });

  test('order: levels, then rows, then columns', () => {
    const level2 = rigidGrid(24, 32, { levels: 2 }).slice(2);
    expect(level2.map((r) => [r.yMin, r.xMin])).toEqual([
      [0, 0],
      [0, 8],
      [0, 16],
      [8, 0],
      [8, 8],
      [8, 16],
    ]);
  });

  test('10:40 takes the fifth candidate and has 44 regions', () => {
    expect(extraAlongLongerSide(10, 40)).toBe(5);
    expect(rigidGrid(10, 40).length).toBe(44);
  });

  test('tiny maps: levels whose side rounds to 0 are left out', () => {
    // (2, 1): w = 1, level 2: floor(2/3) = 0. Level 1: 1 + 2 columns of side 1 at floor(j / 2) = 0, 0, 1
    expect(rigidGrid(1, 2).map((r) => [r.yMin, r.xMin, r.yMax, r.xMax])).toEqual([
      [0, 0, 1, 1],
      [0, 0, 1, 1],
      [0, 1, 1, 2],
    ]);
    expect(rigidGrid(1, 1)).toEqual([{ yMin: 0, xMin: 0, yMax: 1, xMax: 1 }]);
  });

  test('exact ties of the argmin: float64 takes the second candidate at 9:5, float32 the first', () => {
    for (const [w, h] of [
      [9, 5],
      [18, 10],
      [27, 15],
      [36, 20],
      [45, 25],
      [54, 30],
      [63, 35],
    ] as const) {
      expect([extraAlongLongerSide(h, w, 'f64'), extraAlongLongerSide(h, w, 'f32')], `${w}x${h}`).toEqual([2, 1]);
    }
    const pick = (w: number, h: number) => [extraAlongLongerSide(h, w, 'f64'), extraAlongLongerSide(h, w, 'f32')];
    expect(pick(47, 11)).toEqual([6, 5]);
    expect(pick(55, 15)).toEqual([5, 4]);
    expect(pick(61, 25)).toEqual([2, 3]);
  });

  test('up to 64 cells, precision moves origins of equal candidates only above an aspect of 3.7', () => {
    let moved = 0;
    for (let w = 1; w <= 64; w++) {
      for (let h = 1; h <= w; h++) {
        if (extraAlongLongerSide(h, w, 'f64') !== extraAlongLongerSide(h, w, 'f32')) continue;
        const same = JSON.stringify(rigidGrid(h, w)) === JSON.stringify(rigidGrid(h, w, { precision: 'f32' }));
        if (same) continue;
        moved++;
        expect(w / h).toBeGreaterThan(3.7);
      }
    }
    expect(moved).toBe(15);
  });

  test('wholeImage adds the plane, first', () => {
    const [first, ...rest] = rigidGrid(21, 32, { wholeImage: true });
    expect(first).toEqual({ yMin: 0, xMin: 0, yMax: 21, xMax: 32 });
    expect(rest).toEqual(rigidGrid(21, 32));
  });

  test('every region lies inside; swapping the sides transposes the grid', () => {
    const side = fc.integer({ min: 1, max: 90 });
    const precision = fc.constantFrom('f64' as const, 'f32' as const);
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 5 }), precision, (height, width, levels, p) => {
        const regions = rigidGrid(height, width, { levels, precision: p });
        const inside = regions.every(
          (r) => r.yMin >= 0 && r.xMin >= 0 && r.yMax <= height && r.xMax <= width && r.yMax > r.yMin,
        );
        const key = (r: Region, flip: boolean) =>
          flip ? `${r.xMin},${r.yMin},${r.xMax}` : `${r.yMin},${r.xMin},${r.yMax}`;
        const transposed = rigidGrid(width, height, { levels, precision: p })
          .map((r) => key(r, true))
          .toSorted();
        return (
          inside &&
          transposed.join(';') ===
            regions
              .map((r) => key(r, false))
              .toSorted()
              .join(';')
        );
      }),
    );
  });
});

describe('pixelGrid', () => {
  test('800 x 600 at stride 32 rounds to the cells of Caffe', () => {
    const px = rigidGrid(600, 800, { levels: 2 }).map((r) => [r.xMin, r.yMin, r.xMax - 1, r.yMax - 1]);
    expect(px).toEqual([
      [0, 0, 599, 599],
      [200, 0, 799, 599],
      [0, 0, 399, 399],
      [200, 0, 599, 399],
      [400, 0, 799, 399],
      [0, 200, 399, 599],
      [200, 200, 599, 599],
      [400, 200, 799, 599],
    ]);
    const cells = pixelGrid({ height: 600, width: 800 }, { height: 19, width: 25 }, 32, { levels: 2 });
    expect(cells.map((r) => [r.xMin, r.yMin, r.xMax, r.yMax])).toEqual([
      [0, 0, 20, 19],
      [6, 0, 25, 19],
      [0, 0, 13, 13],
      [6, 0, 20, 13],
      [13, 0, 25, 13],
      [0, 6, 13, 19],
      [6, 6, 20, 19],
      [13, 6, 25, 19],
    ]);
  });

  test('a region rounded out of the map is empty, not negative', () => {
    for (const r of pixelGrid({ height: 97, width: 131 }, { height: 2, width: 3 }, 32, { levels: 3 })) {
      expect(r.yMax).toBeGreaterThanOrEqual(r.yMin);
      expect(r.xMax).toBeLessThanOrEqual(3);
    }
  });
});

describe('rmacPlusGrid', () => {
  test('24 x 32 has the published 15 regions', () => {
    expect(rmacPlusGrid(24, 32).map((r) => [r.yMin, r.yMax, r.xMin, r.xMax])).toEqual([
      [0, 24, 0, 32],
      [0, 24, 0, 24],
      [0, 24, 8, 32],
      [0, 16, 0, 16],
      [0, 16, 11, 27],
      [0, 16, 16, 32],
      [8, 24, 0, 16],
      [8, 24, 11, 27],
      [8, 24, 16, 32],
      [0, 12, 0, 16],
      [0, 12, 16, 32],
      [8, 20, 0, 16],
      [8, 20, 16, 32],
      [12, 24, 0, 16],
      [12, 24, 16, 32],
    ]);
  });

  test('regions stretch to cover an axis and slide back at the edge', () => {
    // 11 x 30, level 1: 1 x 2 regions of side 11 do not cover 30 columns -> width 15; column 1 at 15
    expect(rmacPlusGrid(11, 30)[2]).toEqual({ yMin: 0, xMin: 15, yMax: 11, xMax: 30 });
    // 13 x 26, level 3: size ceil(26 / 4) = 7; rows at 0, round(4.33) = 4, min(round(8.67), 13 - 7) = 6
    expect(
      rmacPlusGrid(13, 26)
        .slice(9)
        .map((r) => r.yMin),
    ).toEqual([0, 0, 4, 4, 6, 6]);
    // 5 x 50, level 2: size ceil(10 / 3) = 4; row 1 at min(round(2.5), 5 - 4) = 1
    expect(
      rmacPlusGrid(5, 50)
        .slice(3, 9)
        .map((r) => r.yMin),
    ).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test('always 15 regions, inside the map', () => {
    const side = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(side, side, (height, width) => {
        const regions = rmacPlusGrid(height, width);
        return (
          regions.length === 15 &&
          regions.every(
            (r) =>
              r.yMin >= 0 && r.xMin >= 0 && r.yMax <= height && r.xMax <= width && r.yMax > r.yMin && r.xMax > r.xMin,
          )
        );
      }),
    );
  });
});
