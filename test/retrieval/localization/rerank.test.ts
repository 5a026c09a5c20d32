import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Region, rigidGrid } from '../../../src/models/regions.js';
import { compactMap, integralOfLevels, levelMap } from '../../../src/retrieval/localization/compact-map.js';
import { approximateMax, wholeMap } from '../../../src/retrieval/localization/integral-max.js';
import {
  type RegionModel,
  RegionBatch,
  regionsWithin,
  unitRows,
} from '../../../src/retrieval/localization/region-batch.js';
import { reorderTop } from '../../../src/retrieval/localization/reorder.js';
import {
  bestOf,
  crossMatchScore,
  localizationQuery,
  localizedVectors,
  rerankShortlist,
} from '../../../src/retrieval/localization/rerank.js';
import { rankedItems } from '../../../src/retrieval/ranking.js';
import { cosine, expectClose } from '../../support/close.js';
import { exactMax, randomMap } from './maps.js';

/** R-MAC without whitening. */
const plain: RegionModel = {
  regionsOf: ({ height, width }) => rigidGrid(height, width),
  rowsOf: (maxima, channels) => unitRows(maxima, channels),
};
const queryMap = randomMap({ height: 7, width: 8, channels: 24, seed: 'query' });
const query = localizationQuery(queryMap, { model: plain });
const maps = Array.from({ length: 8 }, (_, i) => randomMap({ height: 6 + i, width: 14 - i, channels: 24, seed: i }));
const shortlist = maps.map((map) => compactMap(map));

/** R-MAC written out: sum of l2 of the maxima of every region, l2. */
function slowRmac(
  map: (typeof maps)[number],
  box = wholeMap(map),
  pool = (region: Region) => exactMax(map, region),
): Float32Array {
  const sum = new Float32Array(map.channels);
  for (const r of rigidGrid(box.yMax - box.yMin, box.xMax - box.xMin)) {
    const moved = {
      yMin: r.yMin + box.yMin,
      xMin: r.xMin + box.xMin,
      yMax: r.yMax + box.yMin,
      xMax: r.xMax + box.xMin,
    };
    const maxima = pool(moved);
    const length = Math.hypot(...maxima);
    maxima.forEach((value, c) => (sum[c] += value / length));
  }
  return sum;
}

describe('re-ranking a shortlist', () => {
  test('aml: cosine of the integral maxima of the box that was found, or of the exact ones', () => {
    const { scores, boxes } = rerankShortlist(query, shortlist, { kind: 'aml' });
    const exact = rerankShortlist(query, shortlist, { kind: 'aml', maxima: 'exact' }).scores;
    for (const [i, { region, score }] of boxes!.entries()) {
      const approximate = approximateMax(integralOfLevels(shortlist[i], { read: 'centres' }), region);
      expectClose(scores[i], cosine(approximate, query.maxima));
      expectClose(scores[i], score, { relative: 1e-3 });
      expectClose(exact[i], cosine(exactMax(levelMap(shortlist[i], { read: 'centres' }), region), query.maxima));
    }
    expect([...query.maxima]).toEqual([...exactMax(queryMap, wholeMap(queryMap))]);
  });

  test('alpha is that of both the search and the score', () => {
    const { scores, boxes } = rerankShortlist(query, shortlist, { kind: 'aml', alpha: 2, read: 'levels' });
    for (const [i, { region }] of boxes!.entries()) {
      expectClose(
        scores[i],
        cosine(approximateMax(integralOfLevels(shortlist[i], { alpha: 2 }), region), query.maxima),
      );
    }
  });

  test('aml-rmac: cosine of R-MAC rebuilt on the box and the R-MAC of the query', () => {
    expectClose(query.rmac!, unitRows(slowRmac(queryMap), 24));
    for (const maxima of ['integral', 'exact'] as const) {
      const options = { kind: 'aml-rmac', model: plain, read: 'levels', maxima } as const;
      const { scores, boxes } = rerankShortlist(query, shortlist, options);
      for (const [i, { region }] of boxes!.entries()) {
        const [levels, integral] = [levelMap(shortlist[i]), integralOfLevels(shortlist[i])];
        const pool =
          maxima === 'exact' ? (r: Region) => exactMax(levels, r) : (r: Region) => approximateMax(integral, r);
        expectClose(scores[i], cosine(slowRmac(levels, region, pool), slowRmac(queryMap)));
      }
    }
  });

  test('the image of the query itself comes first, whole', () => {
    const withQuery = [...shortlist, compactMap(queryMap)];
    for (const kind of ['aml', 'aml-rmac', 'cross-match'] as const) {
      const { scores } = rerankShortlist(query, withQuery, { kind, model: plain });
      expect(bestOf(scores, 1)).toEqual([8]);
      expect(scores[8]).toBeGreaterThan(0.93);
    }
  });

  test('cross-match by hand, and the same from rows met before', () => {
    // regions (1, 0) and (0, 1) against (0.6, 0.8) and (1, 0): best 1 and 0.8
    expectClose(crossMatchScore(Float32Array.of(1, 0, 0, 1), Float32Array.of(0.6, 0.8, 1, 0), 2), 0.9);
    const known = new Map();
    const options = { kind: 'cross-match', model: plain, known } as const;
    const first = rerankShortlist(query, shortlist, options);
    expect(known.size).toBe(shortlist.length);
    expect(rerankShortlist(query, shortlist, options)).toEqual(first);
    expect(rerankShortlist(query, shortlist, { ...options, known: undefined })).toEqual(first);
  });

  test('expansion: the mean of the query and the best localised vectors ranks the shortlist anew', () => {
    const options = { kind: 'aml-rmac', model: plain } as const;
    const { scores } = rerankShortlist(query, shortlist, options);
    const { vectors, target } = localizedVectors(query, shortlist, options);
    const mean = target.slice();
    for (const i of [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 3)) {
      vectors[i].forEach((value, d) => (mean[d] += value));
    }
    const expected = vectors.map((vector) => vector.reduce((sum, value, d) => sum + value * mean[d], 0));
    expectClose(rerankShortlist(query, shortlist, { ...options, expansion: 3 }).scores, expected);
  });

  test('regions of images come out in order, in blocks or not', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 150 }), (images) => {
        const found: number[] = [];
        const rows = new RegionBatch(plain, (image, values) => {
          const map = maps[images[image]];
          expect(values).toHaveLength(24 * rigidGrid(map.height, map.width).length);
          found.push(image);
        });
        for (const [i, which] of images.entries()) {
          rows.add(i, maps[which], regionsWithin(plain, wholeMap(maps[which])));
        }
        rows.flush();
        expect(found).toEqual([...images.keys()]);
      }),
      { numRuns: 20 },
    );
  });

  test('what a kind needs is named', () => {
    expect(() => rerankShortlist(query, shortlist, { kind: 'aml-rmac' })).toThrow(/aml-rmac needs model/);
    const bare = localizationQuery(queryMap);
    expect(() => rerankShortlist(bare, shortlist, { kind: 'aml-rmac', model: plain })).toThrow(/query\.rmac/);
    expect(() => rerankShortlist(bare, shortlist, { kind: 'cross-match', model: plain })).toThrow(/query\.regions/);
  });
});

describe('reorderTop', () => {
  test('the top takes the order of the new scores, the rest stays, the ineligible do not take part', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ old: fc.nat(9), fresh: fc.nat(9), in: fc.boolean() }), { minLength: 1, maxLength: 40 }),
        fc.nat(45),
        (items, depth) => {
          const similarities = Float32Array.from(items, ({ old }) => old / 10);
          const rescore = (rows: Int32Array) => [...rows].map((row) => items[row].fresh);
          const places = reorderTop(similarities, depth, rescore, (row) => items[row].in);
          const before = [...rankedItems(similarities)];
          const top = before.filter((row) => items[row].in).slice(0, depth);
          const rest = before.filter((row) => !top.includes(row));
          const sorted = top.toSorted((a, b) => items[b].fresh - items[a].fresh); // stable: ties keep the old order
          expect([...rankedItems(places)]).toEqual([...sorted, ...rest]);
        },
      ),
    );
  });

  test('a wrong number of scores is refused', () => {
    expect(() => reorderTop(Float32Array.of(1, 2), 2, () => [1])).toThrow(/2 scores expected, got 1/);
  });
});
