/** @file Pairs that are worth comparing: each image with its nearest ones by a global descriptor. Typed arrays, no features. */

/** Unit rows [N, D]; a row of zeros stands for an image without a descriptor, which is nobody's neighbour. */
export interface GlobalDescriptors {
  data: Float32Array;
  dimension: number;
}

/**
 * Each image's `neighbours` nearest among `allowed` pairs, by dot product; a pair that either image chose is in the list once, as (a, b) with a < b,
 * in order. Equal similarities: the lower position first. `allowed` is symmetric.
 */
export function similarPairs(
  { data, dimension }: GlobalDescriptors,
  { neighbours, allowed }: { neighbours: number; allowed: (a: number, b: number) => boolean },
): [number, number][] {
  const count = data.length / dimension;
  const chosen = new Set<number>();
  const empty = Array.from({ length: count }, (_, i) => {
    const row = data.subarray(i * dimension, (i + 1) * dimension);
    return row.every((value) => value === 0);
  });
  const block = 8; // rows of queries that share one pass over the others
  for (let first = 0; first < count; first += block) {
    const rows = Math.min(block, count - first);
    const nearest: { node: number; similarity: number }[][] = Array.from({ length: rows }, () => []);
    for (let j = 0; j < count; j++) {
      if (empty[j]) continue;
      for (let r = 0; r < rows; r++) {
        const i = first + r;
        if (i === j || empty[i] || !allowed(i, j)) continue;
        const similarity = dot(data, i * dimension, j * dimension, dimension);
        insert(nearest[r], { node: j, similarity }, neighbours);
      }
    }
    for (const [r, list] of nearest.entries()) {
      const i = first + r;
      for (const { node } of list) chosen.add(Math.min(i, node) * count + Math.max(i, node));
    }
  }
  return [...chosen].toSorted((x, y) => x - y).map((key): [number, number] => [Math.floor(key / count), key % count]);
}

/** Keeps the `limit` most similar, falling. Candidates come in rising position. */
function insert(
  list: { node: number; similarity: number }[],
  candidate: { node: number; similarity: number },
  limit: number,
): void {
  if (list.length >= limit && candidate.similarity <= list[list.length - 1].similarity) return;
  let at = list.length;
  while (at > 0 && list[at - 1].similarity < candidate.similarity) at--;
  list.splice(at, 0, candidate);
  if (list.length > limit) list.pop();
}

function dot(data: Float32Array, a: number, b: number, dimension: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let d = 0;
  for (; d + 3 < dimension; d += 4) {
    s0 += data[a + d] * data[b + d];
    s1 += data[a + d + 1] * data[b + d + 1];
    s2 += data[a + d + 2] * data[b + d + 2];
    s3 += data[a + d + 3] * data[b + d + 3];
  }
  for (; d < dimension; d++) s0 += data[a + d] * data[b + d];
  return s0 + s1 + s2 + s3;
}
