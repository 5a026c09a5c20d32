/**
 * @file Re-ranking a shortlist by what of each image looks like the query (Tolias et al. 2016, section 5.2).
 *
 *   aml          the box that AML finds; cosine of its maxima (MAC) and the query's
 *   aml-rmac     the same box, described by R-MAC with the model's whitening; cosine with the query's R-MAC
 *   cross-match  each query region against each region of the image: the mean over query regions of the best cosine
 *                (Razavian et al. 2014); no localisation
 *
 * The query is described from its exact activations, images from their compact maps, as in the paper. The maxima of what AML found come
 * from the integral image that found it (section 6), or from the cells one by one.
 */

import type { Region } from '../../models/regions.js';
import { poolRegions } from '../../rpn/pool-regions.js';
import type { ActivationMap } from './activation-map.js';
import { type CompactMap, integralOfLevels, type LevelValues, levelMap } from './compact-map.js';
import { approximateMax, type IntegralMap, type IntegralOptions, wholeMap } from './integral-max.js';
import { type LocalizationTarget, type LocalizedBox, type LocalizeOptions, localize } from './localize.js';
import { type RegionModel, RegionBatch, regionsWithin, sumOfRows, unitRows } from './region-batch.js';

export const rerankKinds = ['aml', 'aml-rmac', 'cross-match'] as const;
export type RerankKind = (typeof rerankKinds)[number];

/** Images of the shortlist that are re-ranked where nothing else is said. */
export const defaultRerankDepth = 1000;

export interface LocalizationQuery extends LocalizationTarget {
  maxima: Float32Array;
  /** [D] the query's R-MAC, for 'aml-rmac'. */
  rmac?: Float32Array;
  /** [R, D] unit rows of the query's regions, for 'cross-match'. */
  regions?: Float32Array;
}

export const maximaKinds = ['integral', 'exact'] as const;

export interface RerankOptions extends LocalizeOptions, IntegralOptions {
  kind: RerankKind;
  /** How the localised regions are pooled: by integral max-pooling as in the paper, or exactly from the levels. Default 'integral'. */
  maxima?: (typeof maximaKinds)[number];
  /** Needed for 'aml-rmac' and 'cross-match'. */
  model?: RegionModel;
  /** Images that expand the query after localisation; the shortlist is then ranked by the mean of query and their localised vectors. Default 0. */
  expansion?: number;
  /** How levels of the maps are read. Default 'centres', which finds boxes better (results/localization.md). */
  read?: LevelValues;
  /** 'cross-match': region rows of images already met, kept there for the next query. */
  known?: Map<CompactMap, Float32Array>;
}

export interface RerankedList {
  /** [N] of each image of the shortlist; its order is the new ranking. */
  scores: Float64Array;
  /** Where AML found the query; undefined for 'cross-match'. */
  boxes?: LocalizedBox[];
}

/** What re-ranking needs of a query, from the map of its image or crop. `aspect`: height over width of that in px; default: of the map. */
export function localizationQuery(
  map: ActivationMap,
  { aspect = map.height / map.width, model }: { aspect?: number; model?: RegionModel } = {},
): LocalizationQuery {
  const maxima = poolRegions(map.values, map, [wholeMap(map)]);
  if (model === undefined) return { maxima, aspect };
  const regions = model.rowsOf(poolRegions(map.values, map, model.regionsOf(map)), map.channels);
  const dimension = model.rowsOf(maxima, map.channels).length;
  return { maxima, aspect, regions, rmac: sumOfRows(regions, dimension) };
}

/** New scores of the images of a shortlist. */
export function rerankShortlist(
  query: LocalizationQuery,
  shortlist: readonly CompactMap[],
  options: RerankOptions,
): RerankedList {
  if (options.kind === 'cross-match') return crossMatch(query, shortlist, options);
  const { boxes, vectors, target } = localizedVectors(query, shortlist, options);
  const scores = similarities(target, vectors);
  const { expansion = 0 } = options;
  if (expansion === 0) return { scores, boxes };
  // the mean without its division: a factor does not change the order
  const expanded = Float64Array.from(target);
  for (const i of bestOf(scores, expansion)) vectors[i].forEach((value, d) => (expanded[d] += value));
  return { scores: similarities(expanded, vectors), boxes };
}

/** Numbers of the `count` largest scores, best first, the earlier of equals. */
export function bestOf(scores: Float64Array, count: number): number[] {
  return [...scores.keys()].toSorted((a, b) => scores[b] - scores[a] || a - b).slice(0, count);
}

/** AML in each image, and the unit vector of what it found. `target`: the query's vector to compare them with. */
export function localizedVectors(
  query: LocalizationQuery,
  shortlist: readonly CompactMap[],
  { kind, model, read = 'centres', maxima = 'integral', alpha, ...options }: RerankOptions,
): { boxes: LocalizedBox[]; vectors: Float32Array[]; target: Float32Array } {
  const pooled = kind === 'aml-rmac' ? (model ?? missing(kind, 'model')) : macModel;
  const target =
    kind === 'aml-rmac' ? (query.rmac ?? missing(kind, 'query.rmac')) : unitRows(query.maxima, query.maxima.length);
  const boxes: LocalizedBox[] = [];
  const vectors: Float32Array[] = [];
  const rows = new RegionBatch(pooled, (_, found) => vectors.push(sumOfRows(found, target.length)));
  let buffer: Float64Array | undefined;
  for (const [i, compact] of shortlist.entries()) {
    const integral = integralOfLevels(compact, { read, alpha, buffer });
    buffer = integral.sums;
    const box = localize(integral, query, options);
    boxes.push(box);
    const regions = regionsWithin(pooled, box.region);
    if (maxima === 'exact') rows.add(i, levelMap(compact, { read }), regions);
    else rows.addMaxima(i, approximateMaxima(integral, regions), integral.channels);
  }
  rows.flush();
  return { boxes, vectors, target };
}

/** [R, C] by integral max-pooling. */
function approximateMaxima(integral: IntegralMap, regions: readonly Region[]): Float32Array {
  const { channels } = integral;
  const maxima = new Float32Array(regions.length * channels);
  regions.forEach((region, r) => approximateMax(integral, region, maxima.subarray(r * channels, (r + 1) * channels)));
  return maxima;
}

/** MAC as regions: the whole map, l2. */
const macModel: RegionModel = {
  regionsOf: (map) => [wholeMap(map)],
  rowsOf: (maxima, channels) => unitRows(maxima, channels),
};

function crossMatch(
  query: LocalizationQuery,
  shortlist: readonly CompactMap[],
  { model = missing('cross-match', 'model'), read = 'centres', known }: RerankOptions,
): RerankedList {
  const regions = query.regions ?? missing('cross-match', 'query.regions');
  const dimension = model.rowsOf(query.maxima, query.maxima.length).length;
  const scores = new Float64Array(shortlist.length);
  const compare = (i: number, found: Float32Array) => (scores[i] = crossMatchScore(regions, found, dimension));
  const rows = new RegionBatch(model, (i, found) => {
    known?.set(shortlist[i], found.slice());
    compare(i, found);
  });
  for (const [i, compact] of shortlist.entries()) {
    const met = known?.get(compact);
    if (met !== undefined) {
      compare(i, met);
      continue;
    }
    const map = levelMap(compact, { read });
    rows.add(i, map, model.regionsOf(map));
  }
  rows.flush();
  return { scores };
}

/** Mean over the rows of `query` [R, D] of their largest dot product with a row of `image` [S, D]. */
export function crossMatchScore(query: Float32Array, image: Float32Array, dimension: number): number {
  let sum = 0;
  for (let q = 0; q < query.length; q += dimension) {
    let best = -Infinity;
    for (let r = 0; r < image.length; r += dimension) {
      let dot = 0;
      for (let i = 0; i < dimension; i++) dot += query[q + i] * image[r + i];
      if (dot > best) best = dot;
    }
    sum += best;
  }
  return (sum * dimension) / query.length;
}

function similarities(target: ArrayLike<number>, vectors: readonly Float32Array[]): Float64Array {
  return Float64Array.from(vectors, (vector) => {
    let dot = 0;
    for (let i = 0; i < vector.length; i++) dot += target[i] * vector[i];
    return dot;
  });
}

function missing(kind: RerankKind, what: string): never {
  throw new Error(`rerankShortlist: ${kind} needs ${what}.`);
}
