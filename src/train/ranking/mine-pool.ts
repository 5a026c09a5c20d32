/** @file One mining: draw a pool, describe it with the weights as they are, find its hard triplets. */
import { InputError } from '../../errors.js';
import { plainSimilarity, type Similarity } from '../../linear/rows.js';
import { engineFromMultiplyAdds, engineSimilarity } from '../../retrieval/engine-similarity.js';
import type { DescriptorTable } from '../../retrieval/ranking.js';
import type { MiningSummary } from '../../run/run-records.js';
import { drawGenerated, identityView } from '../augmentation.js';
import type { ViewedImage } from '../image-inputs.js';
import { NotFiniteError } from '../not-finite.js';
import type { RandomStream } from '../random.js';
import type { TrainingRecord } from '../views/training-record.js';
import { drawPool } from './draw-pool.js';
import type { ImageSource } from './image-source.js';
import { type MinedTriplets, mineTriplets, numberLabels } from './mining.js';

/** Triplets named in the summary. */
const named = 4;

/**
 * Mines a random pool of the readable records. Ids found unreadable are added to `unreadable`. Undefined when `signal` ends it
 * half-way. Throws `InputError` if not one image can be read.
 */
export async function minePool(
  records: readonly TrainingRecord[],
  options: {
    source: ImageSource<ViewedImage>;
    random: RandomStream;
    unreadable: Set<string>;
    config: { poolSize: number; margin: number; hardestPerQuery: number };
    signal: AbortSignal;
    onProgress?: ((done: number, total: number) => void) | undefined;
  },
): Promise<{ pool: string[]; generated: number[]; triplets: MinedTriplets; summary: MiningSummary } | undefined> {
  const { source, random, unreadable, config, signal, onProgress } = options;
  const startedAt = performance.now();
  const candidates = records.filter((record) => !unreadable.has(record.id));
  const drawn = drawPool(numberLabels(candidates).landmarks, config.poolSize, random).map((i): ViewedImage => {
    const record = candidates[i];
    return { record, view: record.generated ? drawGenerated(random) : identityView };
  });

  const pool: TrainingRecord[] = [];
  const generated: number[] = [];
  const rows: Float32Array[] = [];
  let firstError: InputError | undefined;
  let done = 0;
  for await (const image of source.describePool(drawn)) {
    if (signal.aborted) return undefined;
    const { record, view } = image.item;
    if ('error' in image) {
      unreadable.add(record.id);
      firstError ??= image.error;
    } else {
      if (!image.descriptor.every(Number.isFinite)) {
        throw new NotFiniteError(
          `Mining: the descriptor of ${record.id} has NaN or infinite values; go back to an earlier checkpoint.`,
        );
      }
      pool.push(record);
      generated.push(view.generated ?? 0);
      rows.push(image.descriptor);
    }
    onProgress?.(++done, drawn.length);
  }
  if (signal.aborted) return undefined;
  if (pool.length === 0) {
    throw new InputError(
      `None of the ${drawn.length} images of the pool can be read; the first: ${firstError?.message ?? 'no image'}`,
    );
  }
  const dimension = rows[0].length;
  const descriptors = new Float32Array(rows.length * dimension);
  rows.forEach((row, i) => descriptors.set(row, i * dimension));
  const triplets = await mineWith({ data: descriptors, dimension, ids: pool.map(({ id }) => id) }, (similarity) =>
    mineTriplets({ data: descriptors, dimension }, numberLabels(pool), { ...config, similarity }),
  );
  return {
    pool: pool.map((record) => record.id),
    generated,
    triplets,
    summary: {
      images: pool.length,
      unreadable: drawn.length - pool.length,
      single: triplets.single,
      possible: triplets.possible,
      withLoss: triplets.withLoss,
      kept: triplets.losses.length,
      hardestSimilarity: triplets.hardestSimilarity,
      hardest: hardestOf(triplets, pool),
      ms: performance.now() - startedAt,
    },
  };
}

/** Calls `mine` with the similarities to all of `table`, on the engine where that pays. */
async function mineWith<T>(table: DescriptorTable, mine: (similarity: Similarity) => Promise<T>): Promise<T> {
  const { length } = table.ids;
  if (length * length * table.dimension < engineFromMultiplyAdds) return mine(plainSimilarity(table));
  const engine = engineSimilarity(table);
  try {
    return await mine(engine.similarity);
  } finally {
    engine.dispose();
  }
}

/** A query's hardest triplet is its first. */
function hardestOf(
  { triplets, losses, offsets }: MinedTriplets,
  pool: readonly TrainingRecord[],
): MiningSummary['hardest'] {
  return Array.from(offsets.subarray(0, -1))
    .sort((a, b) => losses[b] - losses[a] || a - b)
    .slice(0, named)
    .map((i) => {
      const [query, positive, negative] = Array.from(
        triplets.subarray(3 * i, 3 * i + 3),
        (position) => pool[position].id,
      );
      return { query, positive, negative, loss: losses[i] };
    });
}
