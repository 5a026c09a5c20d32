import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CoverageMap } from '../../src/rpn/coverage.js';
import { curveOverlaps, RegionStatistics } from '../../src/rpn/region-statistics.js';
import { expectClose } from '../support/close.js';

const image = { height: 40, width: 80 };
const whole = [0, 0, 40, 80];

describe('coverage', () => {
  test('quarters of the image: one region left, one above', () => {
    const map = new CoverageMap({ places: 2 });
    map.add([0, 0, 40, 40, 0, 0, 20, 80], whole, image);
    expect([...map.values()]).toEqual([1, 0.5, 0.5, 0]);
  });

  test('the mean over images weighs every image alike, however many regions it has', () => {
    const map = new CoverageMap({ places: 2 });
    map.add(whole, whole, image);
    map.add([0, 0, 20, 40, 0, 40, 20, 80, 20, 40, 40, 80, 0, 0, 40, 80], whole, image);
    map.add([], whole, image); // says nothing
    expect([...map.values()]).toEqual([0.75, 0.75, 0.625, 0.75]);
  });

  test('around a box: places outside of the image count for no image', () => {
    // The box is the left half; with a margin of half a side places lie 10 px apart in y, 20 px in x, from y -20 and x -20 on.
    const map = new CoverageMap({ places: 4, margin: 0.5 });
    map.add([0, 0, 40, 40], [0, 0, 40, 40], image);
    const none = Number.NaN;
    const rows = [
      [none, none, none, none],
      [none, 1, 1, 0],
      [none, 1, 1, 0],
      [none, none, none, none],
    ];
    expect([...map.values()]).toEqual(rows.flat());
    expect(map.means()).toEqual({ inside: 1, around: 0 });
  });

  test('any regions: what counting point by point gives', () => {
    const side = fc.tuple(fc.integer({ min: -20, max: 100 }), fc.integer({ min: 1, max: 90 }));
    const row = fc.tuple(side, side).map(([[y, h], [x, w]]) => [y, x, y + h, x + w]);
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), row, (rows, frame) => {
        const [places, margin] = [7, 0.3];
        const map = new CoverageMap({ places, margin });
        map.add(rows.flat(), frame, image);
        const expected: number[] = [];
        for (let i = 0; i < places * places; i++) {
          const [v, u] = [Math.floor(i / places), i % places].map((k) => ((k + 0.5) / places) * 1.6 - 0.3);
          const [y, x] = [frame[0] + v * (frame[2] - frame[0]), frame[1] + u * (frame[3] - frame[1])];
          const within = ([y0, x0, y1, x1]: number[]) => y >= y0 && y < y1 && x >= x0 && x < x1;
          expected.push(within(whole) ? rows.filter(within).length / rows.length : Number.NaN);
        }
        expectClose(
          [...map.values()].map((value) => value || 0),
          expected.map((value) => value || 0),
        );
        expect([...map.values()].map(Number.isNaN)).toEqual(expected.map(Number.isNaN));
      }),
    );
  });
});

test('statistics of a kind: number, recall at each overlap, coverage', () => {
  const kind = new RegionStatistics('halves');
  kind.add([0, 0, 40, 40, 0, 40, 40, 80], [0, 0, 40, 30], image); // best overlap 0.75
  kind.add(whole, [0, 0, 20, 80], image); // 0.5
  const figures = kind.figures();
  expect(figures).toMatchObject({ name: 'halves', regions: 1.5, recall50: 1, recall70: 0.5 });
  expectClose(figures.averageRecall, (1 + 5 * 0.5) / 10); // 0.5: both; 0.55 ... 0.75: one
  expect(figures.recall).toEqual(curveOverlaps.map((overlap) => (overlap <= 0.5 ? 1 : overlap <= 0.75 ? 0.5 : 0)));
  // Of the first image half the regions cover the box, of the second all.
  expectClose(figures.coverageInside, 0.75);
});
