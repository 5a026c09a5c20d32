/**
 * @file The vectors of an index in memory, and the nearest of them to a query: exhaustive and exact. Float16 rows; a small table is searched
 * on this thread, a large one on all cores, each of which holds a part (vector-worker.ts).
 */
import { availableParallelism } from 'node:os';
import { openWorker } from '../backend/open-worker.js';
import { InputError, messageOf } from '../errors.js';
import type { DescriptorRows } from '../linear/rows.js';
import type { Segment } from './index-folder.js';
import { HalfRows } from '../linear/half-rows.js';
import { livingRows } from './segment.js';
import {
  type NearestRows,
  nearestOf,
  readPart,
  type TablePart,
  valuesOf,
  type WorkerAnswer,
  type WorkerRequest,
} from './table-part.js';

/** What answers for a part of the rows. Rows are counted from the part's first. */
interface PartSearch {
  search(query: Float32Array, count: number, allowed?: Uint8Array): Promise<NearestRows>;
  values(rows: readonly number[]): Promise<Float32Array>;
  close(): Promise<unknown>;
}

export interface VectorTableOptions {
  /** Default: all cores. */
  threads?: number | undefined;
  /** Values from which threads are worth their start. */
  threadedValues?: number | undefined;
}

/** A product of two unit vectors, one of them rounded, is not larger. */
const mostSimilar = 1.01;

/** The rows of an index, in its order. */
export class VectorTable {
  private constructor(
    readonly dimension: number,
    readonly count: number,
    private readonly parts: readonly { from: number; search: PartSearch }[],
  ) {}

  /** Reads the rows. @throws InputError for a damaged file; what the system says for one that is not there. */
  static async open(
    folder: string,
    segments: readonly Segment[],
    dimension: number,
    { threads = availableParallelism(), threadedValues = 1 << 24 }: VectorTableOptions = {},
  ): Promise<VectorTable> {
    const count = segments.reduce((sum, segment) => sum + livingRows(segment), 0);
    const small = count * dimension <= threadedValues;
    const parts = small ? 1 : Math.max(threads, Math.ceil(count / HalfRows.mostRows(dimension)));
    const starts = Array.from({ length: parts }, (_, i) => Math.floor((i * count) / parts));
    const searches = starts.map((from, i): { from: number; search: Promise<PartSearch> } => {
      const part = { folder, segments, dimension, from, to: starts[i + 1] ?? count };
      return { from, search: small ? here(part) : inThread(part) };
    });
    const settled = await Promise.allSettled(searches.map(({ search }) => search));
    const failed = settled.find((each) => each.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value.close()] : [])));
      throw failed.reason;
    }
    const opened = await Promise.all(searches.map(async ({ from, search }) => ({ from, search: await search })));
    return new VectorTable(dimension, count, opened);
  }

  /** The nearest rows to a query, at most `count`, among those where `allowed` [N] is not 0. */
  async search(query: Float32Array, count: number, allowed?: Uint8Array): Promise<NearestRows> {
    const found = await Promise.all(
      this.parts.map(async ({ from, search }, i) => {
        const end = this.parts[i + 1]?.from ?? this.count;
        const { rows, similarities } = await search.search(
          query,
          Math.min(count, end - from),
          allowed?.slice(from, end),
        );
        return rows.map((row, k) => ({ row: from + row, similarity: similarities[k] }));
      }),
    );
    const best = found
      .flat()
      .toSorted((a, b) => b.similarity - a.similarity || a.row - b.row)
      .slice(0, count);
    if (best.length > 0 && !(best[0].similarity <= mostSimilar)) {
      throw new InputError('The vectors of the index are damaged: they are not of unit length; build it again.');
    }
    return { rows: best.map(({ row }) => row), similarities: best.map(({ similarity }) => similarity) };
  }

  /** Rows by number. */
  async values(rows: readonly number[]): Promise<DescriptorRows> {
    const { dimension } = this;
    const data = new Float32Array(rows.length * dimension);
    await Promise.all(
      this.parts.map(async ({ from, search }, i) => {
        const end = this.parts[i + 1]?.from ?? this.count;
        const places = [...rows.keys()].filter((k) => rows[k] >= from && rows[k] < end);
        const values = places.length === 0 ? [] : await search.values(places.map((k) => rows[k] - from));
        places.forEach((k, n) => data.set(values.slice(n * dimension, (n + 1) * dimension), k * dimension));
      }),
    );
    return { dimension, data };
  }

  async close(): Promise<void> {
    await Promise.all(this.parts.map(({ search }) => search.close()));
  }
}

async function here(part: TablePart): Promise<PartSearch> {
  const table = await readPart(part);
  return {
    search: async (query, count, allowed) => nearestOf(table, query, count, allowed),
    values: async (rows) => valuesOf(table, rows),
    close: async () => undefined,
  };
}

async function inThread(part: TablePart): Promise<PartSearch> {
  const worker = openWorker(import.meta.url, './vector-worker.js', part);
  const open = new Map<number, { resolve: (answer: WorkerAnswer) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const fail = (error: Error) => {
    for (const { reject } of open.values()) reject(error);
    open.clear();
  };
  worker.on('message', (answer: WorkerAnswer) => {
    const waiting = open.get(answer.number);
    open.delete(answer.number);
    if (open.size === 0) worker.unref();
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(answer.input === true ? new InputError(answer.error) : new Error(answer.error));
  });
  worker.on('error', (error) => fail(new Error(`A search thread failed: ${messageOf(error)}.`)));
  worker.on('exit', (code) => fail(new Error(`A search thread ended with code ${code}.`)));
  const ask = (request: Omit<WorkerRequest, 'number'>): Promise<WorkerAnswer> =>
    new Promise((resolve, reject) => {
      const number = asked++;
      open.set(number, { resolve, reject });
      worker.ref();
      worker.postMessage({ number, ...request } satisfies WorkerRequest);
    });
  try {
    await ask({});
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    // Of a view the whole buffer would go along.
    search: async (query, count, allowed) => (await ask({ search: { query: query.slice(), count, allowed } })).nearest!,
    values: async (rows) => (await ask({ rows })).values!,
    close: () => worker.terminate(),
  };
}
