/**
 * @file Exhaustive search: the k most similar rows of a table of any length for each query. The table passes by in blocks
 * and only the best rows are kept, so memory does not grow with it.
 */
import { InputError } from '../errors.js';
import { type DescriptorRows, plainSimilarity, rowCount, type Similarity } from '../linear/rows.js';
import { type Neighbours, TopK } from './top-k.js';

/** Makes the similarities to one block of rows; `dispose` ends its use. */
export type BlockSimilarity = (rows: DescriptorRows) => { similarity: Similarity; dispose: () => void };

export interface NearestOptions {
  /** k; at most the number of rows. */
  count: number;
  /** Database row that each query passes over (itself, for instance), -1 for none. [Q] */
  skip?: Int32Array;
  /** Default: dot products on this thread; `engineSimilarity` for big tables. */
  similarity?: BlockSimilarity;
  /** Called with the number of database rows compared. */
  onProgress?: (rows: number) => void;
}

/** Bounds the similarities in memory: 16 MB of float32. */
const similarityValues = 1 << 22;
/** Values of one block of a table in memory: 64 MB of float32. */
const blockValues = 1 << 24;

/**
 * The `count` most similar rows of the database for each query row [Q, D], ties by row number. The database's blocks follow
 * each other without gaps, from row 0. @throws InputError where lengths of rows differ, values are not finite, or it has
 * fewer rows than asked for.
 */
export async function nearestRows(
  queries: DescriptorRows,
  blocks: Iterable<DescriptorRows> | AsyncIterable<DescriptorRows>,
  { count, skip, similarity = plainBlocks, onProgress }: NearestOptions,
): Promise<Neighbours> {
  const { dimension } = queries;
  const queryCount = rowCount(queries);
  assertFinite(queries, 'nearestRows: query');
  const best = new TopK(queryCount, count);
  let first = 0;
  for await (const block of blocks) {
    if (block.dimension !== dimension) {
      throw new InputError(
        `nearestRows: queries have ${dimension} values, the database ${block.dimension}; describe both with one model.`,
      );
    }
    const rows = rowCount(block);
    if (rows === 0) continue;
    const { similarity: similarTo, dispose } = similarity(block);
    try {
      const step = Math.max(1, Math.min(256, Math.floor(similarityValues / rows)));
      for (let start = 0; start < queryCount; start += step) {
        const end = Math.min(queryCount, start + step);
        const values = await similarTo(queries.data.subarray(start * dimension, end * dimension)); // [B, R]
        for (let q = start; q < end; q++) {
          const scores = values.subarray((q - start) * rows, (q - start + 1) * rows);
          best.offer(q, scores, first, skip?.[q]);
        }
        // A row with a NaN or an infinity has no finite similarity to any query, so one query's are enough.
        if (start === 0) assertFiniteScores(values.subarray(0, rows), first);
      }
    } finally {
      dispose();
    }
    first += rows;
    onProgress?.(first);
  }
  const others = skip === undefined ? first : first - 1;
  if (count > others) {
    throw new InputError(
      first === 0
        ? 'nearestRows: the database is empty; there is nothing to search.'
        : `nearestRows: ${count} neighbours asked of ${others} other rows; ask for at most ${others}.`,
    );
  }
  return best.finish();
}

/** A table in memory as blocks, without a copy. */
export function* blocksOf({ data, dimension }: DescriptorRows): Generator<DescriptorRows> {
  const step = Math.max(1, Math.floor(blockValues / dimension)) * dimension;
  for (let start = 0; start < data.length; start += step) {
    yield { dimension, data: data.subarray(start, start + step) };
  }
}

function plainBlocks(rows: DescriptorRows) {
  return { similarity: plainSimilarity(rows), dispose: () => {} };
}

function assertFinite({ data, dimension }: DescriptorRows, what: string): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new InputError(`${what} ${Math.floor(at / dimension)} has NaN or infinite values; describe it again.`);
  }
}

function assertFiniteScores(scores: Float32Array, first: number): void {
  const at = scores.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new InputError(`nearestRows: database row ${first + at} has NaN or infinite values; describe it again.`);
  }
}
