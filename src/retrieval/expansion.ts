/**
 * @file Query expansion and database augmentation: a descriptor is replaced by a weighted mean of itself and its nearest
 * rows of the database. x(1) … x(k) are those rows, best first, s(i) their similarities; none of them is the row itself.
 *
 *   average  q' = (q + Σ x(i)) / (k + 1), not normalised                        (AQE; Gordo et al. 2016, k = 10)
 *   gordo    x' = Σ w(i) x(i) / Σ w(i), w = 1 for x itself, then (k − i + 1) / k, not normalised      (Gordo et al. 2016)
 *   alpha    y' = l2((y + Σ s(i)^α x(i)) / (k + 1))       (αQE, αDBA as deep-image-retrieval has them; Radenović et al. 2019)
 *
 * Where s(i) is negative, s(i)^α is what a power is for whole α (negative for odd ones); for other α, where that program gives
 * NaN, the weight is 0. Its augmentation sets a row's similarity to itself to 0 and keeps it in the list: the k-th neighbour,
 * where its similarity is negative, gives way to the row itself with the weight 0^α.
 */
import type { DescriptorRows } from '../linear/rows.js';
import type { Neighbours } from './top-k.js';

/** Which rows take part, and how they are weighted. */
export type QueryExpansion =
  | { kind: 'average' /** Number of neighbours. */; k: number }
  | { kind: 'alpha' /** Power of the similarities. */; alpha: number; k: number };

export type DatabaseAugmentation = { kind: 'gordo'; k: number } | { kind: 'alpha'; alpha: number; k: number };

/** "aqe:10", "gordo:20", "alpha:3:50"; undefined for none. */
export function expansionText(option: QueryExpansion | DatabaseAugmentation | undefined): string | undefined {
  if (option === undefined) return undefined;
  if (option.kind === 'alpha') return `alpha:${option.alpha}:${option.k}`;
  return `${option.kind === 'average' ? 'aqe' : 'gordo'}:${option.k}`;
}

/** The query expansion that a text names: "aqe:10", "alpha:3:50"; undefined for any other text. */
export function parseQueryExpansion(text: string): QueryExpansion | undefined {
  const k = countOf(/^aqe:(\d+)$/.exec(text)?.[1]);
  return k === undefined ? parseAlpha(text) : { kind: 'average', k };
}

/** The augmentation: "gordo:20", "alpha:3:20". */
export function parseDatabaseAugmentation(text: string): DatabaseAugmentation | undefined {
  const k = countOf(/^gordo:(\d+)$/.exec(text)?.[1]);
  return k === undefined ? parseAlpha(text) : { kind: 'gordo', k };
}

function parseAlpha(text: string): { kind: 'alpha'; alpha: number; k: number } | undefined {
  const match = /^alpha:(\d+(?:\.\d+)?):(\d+)$/.exec(text);
  const k = countOf(match?.[2]);
  return match === null || k === undefined ? undefined : { kind: 'alpha', alpha: Number(match[1]), k };
}

/** Whole numbers from 1; undefined for anything else. */
function countOf(digits: string | undefined): number | undefined {
  const count = Number(digits);
  return Number.isSafeInteger(count) && count >= 1 ? count : undefined;
}

/** Queries [Q, D] with their neighbours among the database rows [N, D] -> expanded queries [Q, D]. */
export function expandQueries(
  queries: DescriptorRows,
  database: DescriptorRows,
  neighbours: Neighbours,
  expansion: QueryExpansion,
): DescriptorRows {
  const { kind } = expansion;
  const weights = kind === 'alpha' ? alphaWeights(expansion.alpha) : () => 1;
  const own = () => 1;
  return weightedMeans(queries, database, neighbours, { own, weights, normalise: kind === 'alpha' });
}

/** Rows [N, D] with their neighbours among themselves -> augmented rows [N, D]. */
export function augmentDatabase(
  database: DescriptorRows,
  neighbours: Neighbours,
  augmentation: DatabaseAugmentation,
): DescriptorRows {
  const { kind, k } = augmentation;
  if (kind === 'gordo') {
    const weights = (_similarity: number, i: number) => (k - i) / k;
    return weightedMeans(database, database, neighbours, { own: () => 1, weights, normalise: false });
  }
  const power = alphaWeights(augmentation.alpha);
  const isLast = (i: number) => i === k - 1;
  return weightedMeans(database, database, neighbours, {
    own: (last) => (last < 0 ? 1 + power(0) : 1),
    weights: (similarity, i) => (similarity < 0 && isLast(i) ? 0 : power(similarity)),
    normalise: true,
  });
}

/** s -> s^α, 0 where that is no number. */
function alphaWeights(alpha: number): (similarity: number) => number {
  const whole = Number.isInteger(alpha);
  return (similarity) => (similarity < 0 && !whole ? 0 : similarity ** alpha);
}

interface Weighting {
  /** Weight of the row itself, given the similarity of its last neighbour. */
  own: (last: number) => number;
  /** Weight of the neighbour i, from 0, given its similarity. */
  weights: (similarity: number, i: number) => number;
  /** l2 afterwards; a row that sums to zero stays zero. */
  normalise: boolean;
}

function weightedMeans(
  { data, dimension }: DescriptorRows,
  database: DescriptorRows,
  { count, rows, similarities }: Neighbours,
  { own, weights, normalise }: Weighting,
): DescriptorRows {
  const out = new Float32Array(data.length);
  const sums = new Float64Array(dimension);
  for (let start = 0, first = 0; start < data.length; start += dimension, first += count) {
    const itself = own(similarities[first + count - 1]);
    let total = itself;
    for (let d = 0; d < dimension; d++) sums[d] = itself * data[start + d];
    for (let i = 0; i < count; i++) {
      const weight = weights(similarities[first + i], i);
      const from = rows[first + i] * dimension;
      total += weight;
      for (let d = 0; d < dimension; d++) sums[d] += weight * database.data[from + d];
    }
    // The divisor of a mean cancels in l2; weights of powers may even sum to zero.
    const length = normalise ? Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0)) : total;
    for (let d = 0; d < dimension; d++) out[start + d] = length === 0 ? 0 : sums[d] / length;
  }
  return { dimension, data: out };
}
