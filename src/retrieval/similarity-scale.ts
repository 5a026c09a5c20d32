/**
 * @file What a similarity is worth: of one model .9 may be what any two photographs have, of another what only copies have. Its scale
 * is the similarities of unrelated pairs (a query and images that are neither right nor junk for it) under the same model.
 */

/** Similarities of unrelated pairs, ascending: all of them, a sample, or their quantiles. */
export type SimilarityScale = ArrayLike<number>;

/** Pairs sampled over all queries, and of one query at most. */
const [sampledPairs, sampledPerQuery] = [1 << 18, 1024];

/** Collects unrelated pairs of `queries` queries, evenly over each ranking. */
export class UnrelatedPairs {
  private readonly values: number[] = [];
  private readonly perQuery: number;
  private queries = 0;

  constructor(queries: number) {
    this.perQuery = Math.min(sampledPerQuery, Math.ceil(sampledPairs / Math.max(1, queries)));
  }

  /** One query's similarities [N], of which the rows `related` do not count. */
  add(similarities: Float32Array, ...related: readonly ReadonlySet<number>[]): void {
    const step = Math.max(1, Math.ceil(similarities.length / this.perQuery));
    for (let row = this.queries++ % step; row < similarities.length; row += step) {
      if (!related.some((rows) => rows.has(row))) this.values.push(similarities[row]);
    }
  }

  scale(): SimilarityScale {
    return Float32Array.from(this.values).sort();
  }
}

/** Share of unrelated pairs that are less similar; NaN where there are none. */
export function shareBelow(scale: SimilarityScale, similarity: number): number {
  let [low, high] = [0, scale.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale[middle] < similarity) low = middle + 1;
    else high = middle;
  }
  return low / scale.length;
}

/** Value below which the share lies, by the nearest of the pairs. */
export function scaleQuantile(scale: SimilarityScale, share: number): number {
  return scale[Math.round(share * (scale.length - 1))];
}

/** What `--json` says of a scale. */
export interface ScaleFigures {
  median: number;
  p90: number;
  p99: number;
  max: number;
}

export function scaleFigures(scale: SimilarityScale): ScaleFigures | undefined {
  if (scale.length === 0) return undefined;
  const [median, p90, p99, max] = [0.5, 0.9, 0.99, 1].map((share) => scaleQuantile(scale, share));
  return { median, p90, p99, max };
}

/** "0.873 (99.7 %)": the similarity, and the share of unrelated pairs below it. */
export function similarityText(similarity: number, scale: SimilarityScale | undefined): string {
  const value = similarity.toFixed(3);
  return scale === undefined || scale.length === 0 ? value : `${value} (${shareText(shareBelow(scale, similarity))})`;
}

/** "99.7 %"; 0 and 100 only where none and all of the pairs are. */
export function shareText(share: number): string {
  const percent = 100 * share;
  if (percent > 99.9 && share < 1) return '> 99.9 %';
  if (percent < 0.1 && share > 0) return '< 0.1 %';
  return `${percent.toFixed(percent > 99 && share < 1 ? 1 : 0)} %`;
}

/** What stands below pictures with such texts. */
export const scaleLegend =
  'In brackets: the share of unrelated pairs (a query and an image that is wrong for it) that are less similar.';
