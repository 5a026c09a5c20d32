/**
 * @file Hard triplets of a pool of described images: the loss of *all* triplets (q, p, n), computed exactly without
 * enumerating them. Plain numbers and typed arrays; the similarities come from a function.
 *
 * For one query the loss is ½ max(0, m + d²(q,p) − d²(q,n)) = ½ max(0, m + 2 s(q,n) − 2 s(q,p)) with s the dot product of unit rows. It falls
 * in both ranks when positives are sorted by rising and negatives by falling similarity, so the largest N are among the
 * pairs of ranks (i, j) with (i + 1)(j + 1) <= N (every pair before (i, j) in both orders is at least as hard), and
 * the triplets with a loss are counted by one binary search per negative. A block of rows of similarities is alive at a time.
 *
 * Source: Gordo et al. 2016, section 3 (loss of all triplets of a random pool), and 2017 (the 25 hardest per query).
 */
import type { DescriptorTable } from '../../retrieval/ranking.js';
import type { Similarity } from '../../linear/rows.js';

/** What an image is, as numbers: equal landmark = positives; equal group = they may show the same thing. */
export interface PoolLabels {
  /** [K] */
  landmarks: Int32Array;
  /** [K], -1 = no group. A negative has another landmark and, where both have one, another group. */
  groups: Int32Array;
}

export interface MinedTriplets {
  /** [T * 3] query, positive, negative as positions in the pool; a query's triplets adjoin, hardest first. */
  triplets: Int32Array;
  /** [T] ½ max(0, m + d²(q,p) − d²(q,n)) with the weights of the mining. */
  losses: Float64Array;
  /** [Q + 1] the triplets of the i-th query that has any are `offsets[i]` to `offsets[i + 1]`. */
  offsets: Int32Array;
  /** Triplets of the pool with a loss above zero, kept or not. */
  withLoss: number;
  /** All triplets of the pool. */
  possible: number;
  /** Images of the pool without a positive: never a query, still a negative. */
  single: number;
  /** Mean over queries of the similarity to their hardest negative: a health number; towards 1 the descriptors collapse. */
  hardestSimilarity: number;
}

/** Landmark and group names -> the numbers mining works with. Groups and landmarks are numbered apart. */
export function numberLabels(records: readonly { landmark: string; group?: string }[]): PoolLabels {
  const landmarkNumbers = new Map<string, number>();
  const groupNumbers = new Map<string, number>();
  const numberOf = (numbers: Map<string, number>, name: string) => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  };
  return {
    landmarks: Int32Array.from(records, (record) => numberOf(landmarkNumbers, record.landmark)),
    groups: Int32Array.from(records, (record) =>
      record.group === undefined ? -1 : numberOf(groupNumbers, record.group),
    ),
  };
}

/** Whether image `n` can be a negative of image `q`. */
export function isNegative({ landmarks, groups }: PoolLabels, q: number, n: number): boolean {
  return landmarks[q] !== landmarks[n] && (groups[q] === -1 || groups[n] === -1 || groups[q] !== groups[n]);
}

/** Possible triplets with each image as the query, [K], from label counts alone (no K x K loop). */
export function tripletsOfQueries({ landmarks, groups }: PoolLabels): Float64Array {
  const count = (keys: Iterable<string>) => {
    const counts = new Map<string, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  };
  const positions = [...landmarks.keys()];
  const perLandmark = count(positions.map((i) => String(landmarks[i])));
  const perGroup = count(positions.map((i) => String(groups[i])));
  const perBoth = count(positions.map((i) => `${landmarks[i]} ${groups[i]}`));
  return Float64Array.from(positions, (i) => {
    const same = perLandmark.get(String(landmarks[i])) as number;
    // Not negatives: the landmark's images and the group's, those of both counted once.
    const grouped = groups[i] === -1 ? 0 : (perGroup.get(String(groups[i])) as number);
    const both = groups[i] === -1 ? 0 : (perBoth.get(`${landmarks[i]} ${groups[i]}`) as number);
    return (same - 1) * (landmarks.length - same - grouped + both);
  });
}

/** Possible triplets of a set, and its images without a positive. */
export function countTriplets(labels: PoolLabels): { possible: number; single: number } {
  const photographs = new Map<number, number>();
  for (const landmark of labels.landmarks) photographs.set(landmark, (photographs.get(landmark) ?? 0) + 1);
  return {
    possible: tripletsOfQueries(labels).reduce((sum, triplets) => sum + triplets, 0),
    single: [...photographs.values()].filter((count) => count === 1).length,
  };
}

/** Queries whose similarities to the pool are alive at a time. */
const queriesPerBlock = 128;

/**
 * The `hardestPerQuery` largest-loss triplets of every query, and how many triplets have a loss at all.
 * `descriptors`: unit rows of the pool. Equal losses are kept in the order of positive, then negative rank.
 */
export async function mineTriplets(
  { data, dimension }: Pick<DescriptorTable, 'data' | 'dimension'>,
  labels: PoolLabels,
  { margin, hardestPerQuery, similarity }: { margin: number; hardestPerQuery: number; similarity: Similarity },
): Promise<MinedTriplets> {
  const size = labels.landmarks.length;
  if (size === 0 || data.length !== size * dimension) {
    throw new Error(`mineTriplets: ${data.length} values do not make ${size} rows of ${dimension}.`);
  }
  const triplets: number[] = [];
  const losses: number[] = [];
  const offsets: number[] = [0];
  let withLoss = 0;
  let similaritySum = 0;
  let queries = 0;
  for (let first = 0; first < size; first += queriesPerBlock) {
    const count = Math.min(queriesPerBlock, size - first);
    const block = await similarity(data.subarray(first * dimension, (first + count) * dimension));
    for (let i = 0; i < count; i++) {
      const query = first + i;
      const found = mineQuery(query, block.subarray(i * size, (i + 1) * size), labels, margin, hardestPerQuery);
      if (found === undefined) continue;
      queries++;
      similaritySum += found.hardestSimilarity;
      withLoss += found.withLoss;
      if (found.hardest.length === 0) continue;
      for (const { positive, negative, loss } of found.hardest) {
        triplets.push(query, positive, negative);
        losses.push(loss);
      }
      offsets.push(losses.length);
    }
  }
  return {
    triplets: Int32Array.from(triplets),
    losses: Float64Array.from(losses),
    offsets: Int32Array.from(offsets),
    withLoss,
    ...countTriplets(labels),
    hardestSimilarity: queries === 0 ? 0 : similaritySum / queries,
  };
}

/** The triplets of one query from its similarities to the pool, [K]; undefined without a positive or a negative. */
function mineQuery(query: number, similarities: Float32Array, labels: PoolLabels, margin: number, limit: number) {
  const { landmarks } = labels;
  const positives: number[] = [];
  for (let i = 0; i < landmarks.length; i++) {
    if (landmarks[i] === landmarks[query] && i !== query) positives.push(i);
  }
  if (positives.length === 0) return undefined;
  positives.sort((a, b) => similarities[a] - similarities[b] || a - b);
  const farthest = similarities[positives[0]];
  let hardestSimilarity = Number.NEGATIVE_INFINITY;
  let withLoss = 0;
  // The hardest negatives so far, cut back to `limit` whenever four times as many have come together.
  let hardest: number[] = [];
  let floor = Number.NEGATIVE_INFINITY;
  const byHardness = (a: number, b: number) => similarities[b] - similarities[a] || a - b;
  for (let i = 0; i < landmarks.length; i++) {
    if (!isNegative(labels, query, i)) continue;
    const negative = similarities[i];
    if (negative > hardestSimilarity) hardestSimilarity = negative;
    if (!(hinge(farthest, negative, margin) > 0)) continue; // the other positives are closer still
    withLoss += positivesWithLoss(positives, similarities, negative, margin);
    if (!(negative > floor)) continue;
    hardest.push(i);
    if (hardest.length < 4 * limit) continue;
    hardest = hardest.sort(byHardness).slice(0, limit);
    floor = similarities[hardest[limit - 1]];
  }
  if (hardestSimilarity === Number.NEGATIVE_INFINITY) return undefined;
  const negatives = hardest.sort(byHardness).slice(0, limit);
  return { withLoss, hardestSimilarity, hardest: hardestPairs(similarities, positives, negatives, { margin, limit }) };
}

/** Twice the loss, written the same way wherever it is compared, so that counts and selections agree bit for bit. */
function hinge(positive: number, negative: number, margin: number): number {
  return margin + 2 * (negative - positive);
}

/** How many of the `positives` (by rising similarity) give a loss with this negative. */
function positivesWithLoss(
  positives: readonly number[],
  similarities: Float32Array,
  negative: number,
  margin: number,
): number {
  let low = 0;
  let high = positives.length; // first without a loss
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hinge(similarities[positives[middle]], negative, margin) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function hardestPairs(
  similarities: Float32Array,
  positives: readonly number[],
  negatives: readonly number[],
  { margin, limit }: { margin: number; limit: number },
): { positive: number; negative: number; loss: number }[] {
  const pairs: { positive: number; negative: number; loss: number }[] = [];
  for (let i = 0; i < Math.min(positives.length, limit); i++) {
    for (let j = 0; j < negatives.length && (i + 1) * (j + 1) <= limit; j++) {
      const twice = hinge(similarities[positives[i]], similarities[negatives[j]], margin);
      if (!(twice > 0)) break;
      pairs.push({ positive: positives[i], negative: negatives[j], loss: twice / 2 });
    }
  }
  return pairs.sort((a, b) => b.loss - a.loss).slice(0, limit); // stable: ties stay in rank order
}
