/** @file Pieces of the published systems against numpy (scripts/reference-systems.py), on maps rebuilt from the same formula. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CovarianceAccumulator } from '../../src/linear/pca.js';
import { activationMask, maskMap } from '../../src/systems/class-activation.js';
import type { FeatureMap } from '../../src/systems/feature-map.js';
import { expandSystemQueries } from '../../src/systems/expand-queries.js';
import { finishVectors } from '../../src/systems/finish-vectors.js';
import { FitRows } from '../../src/systems/fit-system.js';
import { kMeans } from '../../src/linear/k-means.js';
import { joined, poolViews, type ImageMaps } from '../../src/systems/pool-views.js';
import { presets } from '../../src/systems/presets.js';
import { featuresNearest, learnPrincipalFeatures } from '../../src/linear/principal-features.js';
import type { SystemSettings } from '../../src/systems/settings.js';
import { systemSimilarity } from '../../src/systems/system-similarity.js';
import { expectClose } from '../support/close.js';

type Shape = [number, number, number];
const golden = JSON.parse(readFileSync(new URL('../golden/systems.json', import.meta.url), 'utf8')) as {
  rmacPlus: {
    shapes: Shape[][];
    rows: number[][][];
    whitened: number[][][];
    vectors: number[][];
    distances: number[][];
    best: number[][];
  };
  osRmac: { last: Shape[]; before: Shape[]; joined: Record<'half-pixel' | 'corners', number[]> };
  mask: { kernel: number[][]; bias: number[]; class: number; cells: number[][] };
  pfa: { rows: number[][]; centres: number[][]; features: number[] };
  caffe: { rows: number[][]; vector: number[] };
};
const settingsOf = (name: string): SystemSettings => presets.get(name)!.settings;
const flat = (rows: readonly (readonly number[])[]) => Float32Array.from(rows.flat());

/** The `wave` of the script: (a i + b floor(i / 5) + (i² mod 11)) mod 23. */
function wave([height, width, channels]: Shape, a = 7, b = 3): FeatureMap {
  const data = Float32Array.from(
    { length: height * width * channels },
    (_, i) => (a * i + b * Math.floor(i / 5) + ((i * i) % 11)) % 23,
  );
  return { height, width, channels, data };
}

/** A view of these maps, 32 px per cell of the first. */
function viewOf(...maps: FeatureMap[]): ImageMaps {
  const image = { height: 32 * maps[0].height, width: 32 * maps[0].width };
  return { image, maps, strides: maps.map((map) => image.height / map.height) };
}

test("OS-RMAC's ablation: windows on one side's map, then three such vectors added, l2", () => {
  const sides: Shape[] = [
    [18, 25, 6],
    [12, 17, 6],
    [24, 33, 6],
  ];
  const views = sides.map((shape, i) => viewOf(wave(shape, 7 + i)));
  const finished = (name: string, of: readonly ImageMaps[]) =>
    finishVectors(poolViews(of, settingsOf(name)), settingsOf(name), undefined, 'query');
  const [baseline, resolutions] = ['os-rmac-baseline', 'os-rmac-resolutions'];
  expect(settingsOf(baseline)).toMatchObject({ sides: [800], pooling: { kind: 'sliding' } });
  expect(settingsOf(resolutions)).toMatchObject({
    sides: [800, 550, 1050],
    fusion: 'late',
    pooling: { kind: 'sliding' },
  });
  const alone = views.map((view) => [...finished(baseline, [view])]);
  for (const vector of alone) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  const sum = alone[0].map((_, c) => alone[0][c] + alone[1][c] + alone[2][c]);
  expectClose(
    finished(resolutions, views),
    sum.map((value) => value / Math.hypot(...sum)),
  );
});

describe('R-MAC+', () => {
  const { rmacPlus } = golden;
  const settings = settingsOf('rmac-plus-db-regions');
  const pooled = rmacPlus.shapes.map((shapes, i) =>
    poolViews(
      shapes.map((shape, j) => viewOf(wave(shape, 7 + i, 3 + j))),
      settings,
    ),
  );
  const fitOf = (floor: 'sound' | 'published') => {
    const rows = new FitRows({ kind: 'zca', floor }, 4);
    for (const [vectors] of pooled) rows.add(vectors);
    return rows.learn();
  };

  test('45 unit rows of three resolutions in one list', () => {
    for (const [i, [{ groups }]] of pooled.entries()) {
      expect(groups.length).toBe(1);
      expectClose(groups[0], flat(rmacPlus.rows[i]), { absolute: 1e-6 });
    }
  });

  test.each(['sound', 'published'] as const)('ZCA-whitening (%s floor), regions and their sum', (floor) => {
    const fit = fitOf(floor);
    for (const [i, vectors] of pooled.entries()) {
      expectClose(finishVectors(vectors, settings, fit, 'database'), flat(rmacPlus.whitened[i]), { absolute: 1e-4 });
      expectClose(finishVectors(vectors, settings, fit, 'query'), rmacPlus.vectors[i], { absolute: 1e-4 });
    }
  });

  const layout = { dimension: 4, vectors: { query: 1, database: 45 }, parts: [4] };
  const fit = fitOf('sound');
  const database = {
    ids: ['a', 'b', 'c'],
    dimension: 45 * 4,
    data: joined(pooled.map((vectors) => finishVectors(vectors, settings, fit, 'database'))),
  };
  const queries = joined(pooled.map((vectors) => finishVectors(vectors, settings, fit, 'query')));

  test('an image is as near as the nearest of its regions', async () => {
    const similarities = await systemSimilarity(settings, layout, database)(queries);
    expectClose(
      similarities.map((value) => -value),
      rmacPlus.distances.flat(),
      { absolute: 2e-4 },
    );
  });

  /** No query has its own image as junk, so that it is a result of its own. */
  const groundTruth = {
    queries: database.ids.map((id) => ({ id, image: id, positives: [], junk: [] as string[] })),
    database: database.ids.map((id) => ({ id, image: id })),
  };
  const tables = { database, queries: { ids: database.ids, dimension: 4, data: queries } };
  const expanded = (scale: 'sound' | 'published', truth = groundTruth) =>
    expandSystemQueries({ ...settings, expansion: { results: 2, scale } }, layout, truth, tables).data;
  /** The same from the definition: the query and the best regions of the images `found`. */
  const sumOf = (q: number, found: readonly number[]) =>
    found.reduce<number[]>(
      (total, image) => total.map((value, c) => value + rmacPlus.whitened[image][rmacPlus.best[q][image]][c]),
      rmacPlus.vectors[q],
    );
  const ranked = (q: number) => [0, 1, 2].toSorted((a, b) => rmacPlus.distances[q][a] - rmacPlus.distances[q][b]);

  test('the expanded query is itself and the best regions of the first results, over k as the published code has it', () => {
    const expected = [0, 1, 2].flatMap((q) => sumOf(q, ranked(q).slice(0, 2)).map((value) => value / 2));
    expectClose(expanded('published'), expected, { absolute: 2e-4 });
  });

  test("a query's own image is no result where it is junk", () => {
    const junk = { ...groundTruth, queries: groundTruth.queries.map((query) => ({ ...query, junk: [query.id] })) };
    const expected = [0, 1, 2].flatMap((q) => {
      const found = ranked(q).filter((image) => image !== q);
      return sumOf(q, found).map((value) => value / 2);
    });
    expectClose(expanded('published', junk), expected, { absolute: 2e-4 });
  });

  test('the scale of the expanded query does not change ranks: the published division by k is harmless', async () => {
    const similarity = systemSimilarity(settings, layout, database);
    const ranks = async (scale: 'sound' | 'published') => {
      const values = await similarity(expanded(scale));
      return [0, 1, 2].map((q) => [0, 1, 2].toSorted((a, b) => values[q * 3 + b] - values[q * 3 + a]));
    };
    expect(await ranks('sound')).toEqual(await ranks('published'));
  });
});

describe('OS-RMAC', () => {
  const { osRmac, mask } = golden;
  const waves = {
    last: [
      [5, 2],
      [11, 4],
      [3, 7],
    ],
    before: [
      [5, 3],
      [9, 4],
      [2, 7],
    ],
  };
  const views = osRmac.last.map((shape, i) => {
    const [a, b] = [waves.last[i], waves.before[i]];
    return viewOf(wave(shape, a[0], a[1]), wave(osRmac.before[i], b[0], b[1]));
  });

  test.each(['half-pixel', 'corners'] as const)('added maps, sliding windows, two layers joined (%s)', (mapResize) => {
    const settings = { ...settingsOf('os-rmac-both'), mapResize };
    const pooled = poolViews(views, settings);
    expect(pooled.length).toBe(1);
    expectClose(finishVectors(pooled, settings, undefined, 'query'), osRmac.joined[mapResize], { absolute: 1e-6 });
  });

  const classifier = {
    channels: 3,
    classes: 5,
    kernel: flat(mask.kernel),
    bias: Float32Array.from(mask.bias),
  };
  const last = wave(osRmac.last[0], 5, 2);

  test('the mask of the class it sees', () => {
    const cells = activationMask(last, classifier).cells;
    expect([...cells]).toEqual(mask.cells.flat());
    // twice the map seen twice as large has the same class: the mean is over what was added
    const twice = { ...last, data: last.data.map((value) => 2 * value) };
    expect([...activationMask(twice, classifier, { summed: 2 }).cells]).toEqual(mask.cells.flat());
  });

  test('a mask keeps the nearest cells of a map twice as large', () => {
    const cells = { height: 1, width: 2, cells: Uint8Array.of(0, 1) };
    const map = { height: 2, width: 4, channels: 1, data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
    expect([...maskMap(map, cells).data]).toEqual([0, 0, 3, 4, 0, 0, 7, 8]);
  });

  test('with a mask an image has a second vector, and the nearer of whole and local counts', async () => {
    const settings = { ...settingsOf('os-rmac-cam'), fit: undefined };
    const pooled = poolViews(views, settings, classifier);
    expect(pooled.length).toBe(2);
    // whole [0, 0], local [3, 3]; the database: whole [9, 9], local [3, 4] and whole [2, 0], local [0, 0]
    const layout = { dimension: 2, vectors: { query: 2, database: 2 }, parts: [2] };
    const database = { ids: ['a', 'b'], dimension: 4, data: Float32Array.of(9, 9, 3, 4, 2, 0, 0, 0) };
    const similarity = systemSimilarity(settings, layout, database);
    expect([...(await similarity(Float32Array.of(0, 0, 3, 3)))]).toEqual([-1, -2]); // Manhattan
  });
});

test('MS-RMAC: the weighted sum of the distances of the parts', async () => {
  // parts [1, 2]; |1 - 4| = 3, ‖(0, 0) - (3, 4)‖ = 5; weights 5 : 4 -> (5 · 3 + 4 · 5) / 9
  const settings = { ...settingsOf('ms-rmac-weighted'), maps: [0, 1], mapWeights: [5, 4] };
  const layout = { dimension: 3, vectors: { query: 1, database: 1 }, parts: [1, 2] };
  const database = { ids: ['a'], dimension: 3, data: Float32Array.of(4, 3, 4) };
  expectClose(await systemSimilarity(settings, layout, database)(Float32Array.of(1, 0, 0)), [-35 / 9]);
});

test("Gordo: regions in pixels, pooled as Caffe's ROI pooling, on a map of 25 x 19 of 800 x 600 px", () => {
  const data = Float32Array.from({ length: 19 * 25 * 2 }, (_, i) => (i * 37) % 950);
  const view: ImageMaps = {
    image: { height: 600, width: 800 },
    maps: [{ height: 19, width: 25, channels: 2, data }],
    strides: [32],
  };
  const settings = { ...settingsOf('gordo'), fit: undefined };
  const pooled = poolViews([view], settings);
  const expected = golden.caffe.rows.map((row) => row.map((value) => value / Math.hypot(...row)));
  expectClose(pooled[0].groups[0], flat(expected), { absolute: 1e-6 });
  expectClose(finishVectors(pooled, settings, undefined, 'database'), golden.caffe.vector, { absolute: 1e-6 });
});

test('late fusion adds one unit vector per side: many regions at one side do not outweigh few at another', () => {
  const settings = { ...settingsOf('gordo-multires'), fit: undefined };
  const [a, b] = [viewOf(wave([6, 9, 3])), viewOf(wave([4, 4, 3], 5))];
  const alone = [a, b].map((view) => finishVectors(poolViews([view], settings), settings, undefined, 'query'));
  const sum = alone[0].map((value, i) => value + alone[1][i]);
  const norm = Math.hypot(...sum);
  expectClose(
    finishVectors(poolViews([a, b], settings), settings, undefined, 'query'),
    sum.map((value) => value / norm),
  );
});

describe('principal feature analysis', () => {
  test('of each fixed centre the nearest of its own rows', () => {
    const { rows, centres, features } = golden.pfa;
    expect([...featuresNearest(flat(rows), 3, flat(centres))]).toEqual(features);
  });

  test('of values that say the same one is kept', () => {
    // value 2 k + 1 is value 2 k again, for three independent k of different deviation
    const rows = new CovarianceAccumulator(6);
    for (let i = 0; i < 64; i++) {
      const bits = [(i & 1) * 3, ((i >> 1) & 1) * 2, (i >> 2) & 1];
      rows.add(Float32Array.from(bits.flatMap((bit) => [bit, bit])));
    }
    const features = learnPrincipalFeatures(rows, { dimension: 3, eigenvectors: 3, absolute: true, seed: 0 });
    expect([...features].map((feature) => Math.floor(feature / 2))).toEqual([0, 1, 2]);
  });

  test('asking for as many values as there are keeps all', () => {
    const rows = new CovarianceAccumulator(3);
    for (let i = 0; i < 5; i++) rows.add(Float32Array.of(i, i * i, 1));
    const options = { eigenvectors: 'below-dimension', absolute: true, seed: 0 } as const;
    expect([...learnPrincipalFeatures(rows, { ...options, dimension: 9 })]).toEqual([0, 1, 2]);
  });
});

test('k-means: rows lie with their nearest centre, centres are means, every cluster has rows, a seed repeats', () => {
  const rows = Float32Array.from({ length: 60 * 2 }, (_, i) => ((i * 37) % 41) + (i % 3) * 50);
  const { assignment, centres } = kMeans(rows, 2, 7, { seed: 3 });
  expect(new Set(assignment).size).toBe(7);
  for (let row = 0; row < 60; row++) {
    const distances = Array.from({ length: 7 }, (_, k) =>
      Math.hypot(rows[2 * row] - centres[2 * k], rows[2 * row + 1] - centres[2 * k + 1]),
    );
    expect(distances[assignment[row]]).toBeLessThanOrEqual(Math.min(...distances) + 1e-4);
  }
  for (let k = 0; k < 7; k++) {
    const members = [...assignment.keys()].filter((row) => assignment[row] === k);
    expectClose(centres[2 * k], members.reduce((sum, row) => sum + rows[2 * row], 0) / members.length);
  }
  expect(kMeans(rows, 2, 7, { seed: 3 }).assignment).toEqual(assignment);
  // fewer different rows than clusters
  expect(new Set(kMeans(new Float32Array(8).fill(1), 2, 3).assignment).size).toBe(3);
});
