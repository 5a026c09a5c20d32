/**
 * @file Hard triplets of a pool of described images: the loss of *all* triplets (q, p, n), computed exactly without
 * enumerating them. Plain numbers and typed arrays, no tensors.
 *
 * For one query the loss is ½ max(0, m + d²(q,p) − d²(q,n)) = ½ max(0, m + 2 s(q,n) − 2 s(q,p)) with s the dot product of unit rows. It falls
 * in both ranks when positives are sorted by rising and negatives by falling similarity, so the largest N are among the
 * pairs of ranks (i, j) with (i + 1)(j + 1) <= N (every pair before (i, j) in both orders is at least as hard), and
 * the triplets with a loss are counted by one binary search per positive. One row of similarities is alive at a time.
 *
 * Source: Gordo et al., ECCV 2016, section 3 (loss of all triplets of a random pool) and IJCV 2017 (the 25 hardest per query).
 */

/** What an image is, as numbers: equal landmark = positives; equal group = they may show the same thing. */
export interface PoolLabels {
  /** [K] */
  landmarks: Int32Array;
  /** [K], -1 = no group. A negative has another landmark and, where both have one, another group. */
  groups: Int32Array;
}

export interface MinedTriplets {
  /** [T * 3]: query, positive, negative as positions in the pool; a query's triplets adjoin, hardest first. */
  triplets: Int32Array;
  /** [T]: ½ max(0, m + d²(q,p) − d²(q,n)) with the weights of the mining. */
  losses: Float64Array;
  /** [Q + 1]: the triplets of the i-th query that has any are `offsets[i]` to `offsets[i + 1]`. */
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

/** Possible triplets of a set and its images without a positive, from label counts alone (no K x K loop). */
export function countTriplets({ landmarks, groups }: PoolLabels): { possible: number; single: number } {
  const count = (keys: Iterable<string>) => {
    const counts = new Map<string, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  };
  const positions = [...landmarks.keys()];
  const perLandmark = count(positions.map((i) => String(landmarks[i])));
  const perGroup = count(positions.map((i) => String(groups[i])));
  const perBoth = count(positions.map((i) => `${landmarks[i]} ${groups[i]}`));
  let possible = 0;
  let single = 0;
  for (const i of positions) {
    const same = perLandmark.get(String(landmarks[i])) as number;
    // Not negatives: the landmark's images and the group's, those of both counted once.
    const grouped = groups[i] === -1 ? 0 : (perGroup.get(String(groups[i])) as number);
    const both = groups[i] === -1 ? 0 : (perBoth.get(`${landmarks[i]} ${groups[i]}`) as number);
    if (same === 1) single++;
    possible += (same - 1) * (landmarks.length - same - grouped + both);
  }
  return { possible, single };
}

/**
 * The `hardestPerQuery` largest-loss triplets of every query, and how many triplets have a loss at all.
 * `descriptors`: [K, D] row-major, unit rows. Equal losses are kept in the order of positive, then negative rank.
 */
export function mineTriplets(
  descriptors: Float32Array,
  labels: PoolLabels,
  { margin, hardestPerQuery }: { margin: number; hardestPerQuery: number },
): MinedTriplets {
  const size = labels.landmarks.length;
  if (size === 0 || descriptors.length % size !== 0) {
    throw new Error(`mineTriplets: ${descriptors.length} values do not make ${size} rows.`);
  }
  const triplets: number[] = [];
  const losses: number[] = [];
  const offsets: number[] = [0];
  let withLoss = 0;
  let similaritySum = 0;
  let queries = 0;
  forEachSimilarityRow(descriptors, size, (query, similarities) => {
    const positives: number[] = [];
    const negatives: number[] = [];
    for (let i = 0; i < size; i++) {
      if (labels.landmarks[i] === labels.landmarks[query]) {
        if (i !== query) positives.push(i);
      } else if (isNegative(labels, query, i)) negatives.push(i);
    }
    if (positives.length === 0 || negatives.length === 0) return;
    positives.sort((a, b) => similarities[a] - similarities[b] || a - b);
    const sorted = Float64Array.from(negatives, (i) => similarities[i]).sort();
    similaritySum += sorted[sorted.length - 1];
    queries++;
    for (const p of positives) {
      const count = countWithLoss(sorted, similarities[p], margin);
      if (count === 0) break; // later positives are closer still
      withLoss += count;
    }
    const hardest = hardestPairs(
      similarities,
      positives,
      hardestNegatives(similarities, negatives, sorted, hardestPerQuery),
      {
        margin,
        limit: hardestPerQuery,
      },
    );
    if (hardest.length === 0) return;
    for (const { positive, negative, loss } of hardest) {
      triplets.push(query, positive, negative);
      losses.push(loss);
    }
    offsets.push(losses.length);
  });
  return {
    triplets: Int32Array.from(triplets),
    losses: Float64Array.from(losses),
    offsets: Int32Array.from(offsets),
    withLoss,
    ...countTriplets(labels),
    hardestSimilarity: queries === 0 ? 0 : similaritySum / queries,
  };
}

/** Twice the loss, written the same way wherever it is compared, so that counts and selections agree bit for bit. */
function hinge(positive: number, negative: number, margin: number): number {
  return margin + 2 * (negative - positive);
}

/** How many of the `sorted` (rising) negative similarities give a loss with this positive. */
function countWithLoss(sorted: Float64Array, positive: number, margin: number): number {
  let low = 0;
  let high = sorted.length; // first index with a loss
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hinge(positive, sorted[middle], margin) > 0) high = middle;
    else low = middle + 1;
  }
  return sorted.length - low;
}

/** The `limit` most similar negatives, falling. Selected by the value of the last one, so that K candidates are not sorted twice. */
function hardestNegatives(
  similarities: Float64Array,
  negatives: readonly number[],
  sorted: Float64Array,
  limit: number,
): number[] {
  const threshold = sorted[Math.max(0, sorted.length - limit)];
  return negatives
    .filter((i) => similarities[i] >= threshold)
    .sort((a, b) => similarities[b] - similarities[a] || a - b)
    .slice(0, limit);
}

function hardestPairs(
  similarities: Float64Array,
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

/**
 * Calls `visit` with every row of the K x K matrix of dot products; the row is reused. Four queries share one pass over
 * the pool: the rows stream from memory a quarter as often.
 */
function forEachSimilarityRow(
  descriptors: Float32Array,
  size: number,
  visit: (query: number, similarities: Float64Array) => void,
): void {
  const dimension = descriptors.length / size;
  const rows = [0, 1, 2, 3].map(() => new Float64Array(size));
  const block = rows.map(() => new Float32Array(dimension));
  for (let first = 0; first < size; first += 4) {
    const count = Math.min(4, size - first);
    for (let b = 0; b < count; b++)
      block[b].set(descriptors.subarray((first + b) * dimension, (first + b + 1) * dimension));
    const [a0, a1, a2, a3] = block;
    for (let i = 0; i < size; i++) {
      const start = i * dimension;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let d = 0; d < dimension; d++) {
        const x = descriptors[start + d];
        s0 += a0[d] * x;
        s1 += a1[d] * x;
        s2 += a2[d] * x;
        s3 += a3[d] * x;
      }
      rows[0][i] = s0;
      rows[1][i] = s1;
      rows[2][i] = s2;
      rows[3][i] = s3;
    }
    for (let b = 0; b < count; b++) visit(first + b, rows[b]);
  }
}
