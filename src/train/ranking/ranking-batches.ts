/**
 * @file What one update ranks, for each loss: the images it needs and, given their descriptors, the loss and its gradient
 * by every descriptor. Terms with an unreadable image are left out of the mean.
 */
import * as tf from '@tensorflow/tfjs-core';
import { averagePrecisionLoss } from '../../losses/average-precision.js';
import { contrastiveLoss } from '../../losses/contrastive.js';
import { tripletLoss } from '../../losses/triplet.js';

export interface RankingBatch<T> {
  images: readonly T[];
  /** Undefined when no term has all of its images. */
  evaluate(descriptors: ReadonlyMap<T, Float32Array>): Promise<Evaluation<T> | undefined>;
}

export interface Evaluation<T> {
  /** Mean over the terms. */
  loss: number;
  terms: number;
  /** Terms with a loss above zero. */
  active: number;
  /** dL/d(descriptor), [D], of every image that has one. */
  shares: Map<T, Float32Array>;
}

/** Query, positive, negative. */
export type Triplet<T> = readonly [query: T, positive: T, negative: T];

/** Query, positive, at least one negative. */
export type Tuple<T> = readonly [query: T, positive: T, ...negatives: T[]];

/** Mean of the triplet loss. */
export function tripletBatch<T>(triplets: readonly Triplet<T>[], { margin }: { margin: number }): RankingBatch<T> {
  return {
    images: triplets.flat(),
    async evaluate(descriptors) {
      const readable = triplets.filter((triplet) => triplet.every((item) => descriptors.has(item)));
      if (readable.length === 0) return undefined;
      const { loss, gradients } = await lossAndGradients(
        [0, 1, 2].map((role) =>
          rowsOf(
            readable.map((triplet) => triplet[role]),
            descriptors,
          ),
        ),
        ([query, positive, negative]) => tripletLoss(query, positive, negative, { margin }),
      );
      const shares = new SharedGradients<T>();
      let active = 0;
      readable.forEach((triplet, i) => {
        if (gradients.every((gradient) => isZero(gradient[i]))) return; // the margin holds
        active++;
        triplet.forEach((item, role) => shares.add(item, gradients[role][i]));
      });
      return { loss, terms: readable.length, active, shares: shares.sums };
    },
  };
}

/** Mean over tuples of the contrastive losses of a tuple's pairs, query and positive, query and each negative. */
export function contrastiveBatch<T>(tuples: readonly Tuple<T>[], { margin }: { margin: number }): RankingBatch<T> {
  return {
    images: tuples.flat(),
    async evaluate(descriptors) {
      const readable = tuples.filter((tuple) => tuple.every((item) => descriptors.has(item)));
      if (readable.length === 0) return undefined;
      const pairs = readable.flatMap(([query, ...others], tuple) =>
        others.map((other, i) => ({ query, other, matching: i === 0, tuple })),
      );
      const matching = tf.tensor1d(pairs.map((pair) => Number(pair.matching)));
      const { loss, gradients } = await lossAndGradients(
        [pairs.map(({ query }) => query), pairs.map(({ other }) => other)].map((items) => rowsOf(items, descriptors)),
        ([a, b]) => contrastiveLoss(a, b, matching, { margin }).div<tf.Scalar>(readable.length),
      ).finally(() => matching.dispose());
      const shares = new SharedGradients<T>();
      const active = new Set<number>();
      pairs.forEach(({ query, other, matching: positive, tuple }, i) => {
        const parts = gradients.map((gradient) => gradient[i]);
        if (parts.every(isZero)) return;
        if (!positive) active.add(tuple); // a matching pair always has a loss: it says nothing
        [query, other].forEach((item, side) => shares.add(item, parts[side]));
      });
      return { loss, terms: readable.length, active: active.size, shares: shares.sums };
    },
  };
}

/** Numbers in the tensor of all bins of a block of queries, at most: 128 MB, and a few times that for the gradient. */
const maxBlockValues = 2 ** 25;

/**
 * One minus the mean average precision of a list of images, each the query once against all others. `relation`: 1 = both show
 * the same, 0 = they do not, undefined = unknown, left out of the ranking. A query without a positive is left out.
 */
export function listwiseBatch<T>(
  images: readonly T[],
  relation: (a: T, b: T) => 1 | 0 | undefined,
  { bins }: { bins: number },
): RankingBatch<T> {
  return {
    images,
    async evaluate(descriptors) {
      const readable = [...new Set(images)].filter((item) => descriptors.has(item));
      const relations = readable.map((a) => readable.map((b) => (a === b ? undefined : relation(a, b))));
      const queries = [...readable.keys()].filter((i) => relations[i].includes(1));
      if (queries.length === 0) return undefined;
      const shares = new SharedGradients<T>();
      const rows = rowsOf(readable, descriptors);
      const perBlock = Math.max(1, Math.floor(maxBlockValues / (readable.length * bins)));
      let loss = 0;
      for (let first = 0; first < queries.length; first += perBlock) {
        const block = queries.slice(first, first + perBlock);
        const table = (value: (related: 1 | 0 | undefined) => number) =>
          tf.tensor2d(block.map((query) => relations[query].map(value)));
        const [relevant, counted] = [table((r) => r ?? 0), table((r) => Number(r !== undefined))];
        const result = await lossAndGradients([rows], ([all]) => {
          const similarities = tf.matMul<tf.Tensor2D>(tf.gather(all, block), all, false, true);
          const mean = averagePrecisionLoss(similarities, relevant, { bins, counted });
          return mean.mul<tf.Scalar>(block.length / queries.length);
        }).finally(() => tf.dispose([relevant, counted]));
        loss += result.loss;
        result.gradients[0].forEach((gradient, i) => shares.add(readable[i], gradient));
      }
      return { loss, terms: queries.length, active: queries.length, shares: shares.sums };
    },
  };
}

/** Gradients summed by image. */
class SharedGradients<T> {
  readonly sums = new Map<T, Float32Array>();

  add(item: T, part: Float32Array): void {
    const sum = this.sums.get(item);
    if (sum === undefined) this.sums.set(item, part.slice());
    else for (let d = 0; d < sum.length; d++) sum[d] += part[d];
  }
}

function isZero(values: Float32Array): boolean {
  return values.every((value) => value === 0);
}

/** [N, D] */
interface Rows {
  data: Float32Array;
  count: number;
}

function rowsOf<T>(items: readonly T[], descriptors: ReadonlyMap<T, Float32Array>): Rows {
  const dimension = (descriptors.values().next().value as Float32Array).length;
  const data = new Float32Array(items.length * dimension);
  items.forEach((item, i) => data.set(descriptors.get(item) as Float32Array, i * dimension));
  return { data, count: items.length };
}

/** The loss of tables of rows, and its gradient by each row of each table. */
async function lossAndGradients(
  tables: readonly Rows[],
  lossOf: (tables: tf.Tensor2D[]) => tf.Scalar,
): Promise<{ loss: number; gradients: Float32Array[][] }> {
  const { value, grads } = tf.tidy(() =>
    tf.valueAndGrads((...inputs: tf.Tensor[]) => lossOf(inputs as tf.Tensor2D[]))(
      tables.map(({ data, count }) => tf.tensor2d(data, [count, data.length / count])),
    ),
  );
  const [loss] = await value.data();
  const gradients: Float32Array[][] = [];
  for (const [i, gradient] of grads.entries()) {
    const all = await gradient.data<'float32'>();
    const dimension = all.length / tables[i].count;
    gradients.push(
      Array.from({ length: tables[i].count }, (_, row) => all.subarray(row * dimension, (row + 1) * dimension)),
    );
  }
  tf.dispose([value, ...grads]);
  return { loss, gradients };
}
