/** @file A ground truth's images through a system, and their score. */
import { InputError } from '../errors.js';
import type { Described, ImagePart } from '../retrieval/describe.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import { evaluateSettings, type EvaluateOptions, type EvaluationResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { DescriptorTable } from '../retrieval/ranking.js';
import type { System, SystemImage, WorkOptions } from './system.js';

/** Rows of vectors by id: a query's may have another length than a database image's. */
export interface SystemDescriptors {
  database: DescriptorTable;
  queries: DescriptorTable;
  failures: DescribeFailure[];
}

/** Describes the database, then the queries that are not whole images of it. What cannot be described is listed. */
export async function describeForSystem(
  system: Pick<System, 'describe' | 'describeBoth'>,
  groundTruth: GroundTruth,
  { signal, onProgress }: WorkOptions = {},
): Promise<SystemDescriptors> {
  const failures: DescribeFailure[] = [];
  const database = new RowTable(groundTruth.database.length);
  const queries = new RowTable(groundTruth.queries.length);
  const whole = new Map<string, string[]>(); // image -> queries
  for (const { id, image, box } of groundTruth.queries) {
    if (box === undefined) whole.set(image, [...(whole.get(image) ?? []), id]);
  }
  let done = 0;
  for (const { id, image, rotate } of groundTruth.database) {
    if (signal?.aborted) break;
    await attempt(id, failures, async () => {
      const asked = whole.get(image);
      if (asked === undefined) {
        database.add(id, await system.describe({ path: image, rotate }, 'database'));
        return;
      }
      const both = await system.describeBoth({ path: image, rotate });
      database.add(id, both.database);
      for (const query of asked) queries.add(query, both.query);
    });
    onProgress?.(++done);
  }
  const known = new Set(groundTruth.database.map(({ image }) => image));
  for (const { id, image, box, rotate } of groundTruth.queries) {
    if (signal?.aborted) break;
    if (box === undefined && known.has(image)) continue;
    const source: SystemImage = { path: image, box, rotate };
    await attempt(id, failures, async () => {
      queries.add(id, await system.describe(source, 'query'));
    });
    onProgress?.(++done);
  }
  return { database: database.finish(), queries: queries.finish(), failures };
}

/** Describes files one by one, as database images; of an item with a box that part. Results come in the order of `items`. */
export async function* describeFilesBySystem<T extends ImagePart>(
  system: Pick<System, 'describe'>,
  items: readonly T[],
  { signal, onProgress }: WorkOptions = {},
): AsyncGenerator<Described<T>> {
  let done = 0;
  for (const item of items) {
    if (signal?.aborted) return;
    const { path, crop, rotate } = item;
    try {
      yield {
        item,
        descriptor: await system.describe({ path, box: crop, rotate }, 'database'),
      };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      yield { item, error };
    }
    onProgress?.(++done);
  }
}

/** Scores what `describeForSystem` gave, by the system's own expansion and distance. */
export async function evaluateSystem(
  system: Pick<System, 'expand' | 'similarity'>,
  groundTruth: GroundTruth,
  described: Pick<SystemDescriptors, 'database' | 'queries'>,
  options: Omit<EvaluateOptions, 'similarity'> = {},
): Promise<EvaluationResult> {
  const [result] = await evaluateSystemSettings(system, [groundTruth], groundTruth, described, options);
  return result;
}

/** The same under several ground truths of the same queries and database; queries are expanded as `main` has their junk. */
export async function evaluateSystemSettings(
  system: Pick<System, 'expand' | 'similarity'>,
  groundTruths: readonly GroundTruth[],
  main: GroundTruth,
  described: Pick<SystemDescriptors, 'database' | 'queries'>,
  options: Omit<EvaluateOptions, 'similarity'> = {},
): Promise<EvaluationResult[]> {
  const { database } = described;
  const queries = system.expand(main, described);
  // Only ids of the database are read where a similarity is given; its rows may be longer than a query's.
  const ids = { ids: database.ids, dimension: queries.dimension, data: new Float32Array(0) };
  return evaluateSettings(groundTruths, ids, queries, { ...options, similarity: system.similarity(database) });
}

async function attempt(id: string, failures: DescribeFailure[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    failures.push({ id, error: error.message });
  }
}

/** Rows of one length, filled one by one: many vectors of many images are gigabytes, so that no second copy is made. */
class RowTable {
  private readonly ids: string[] = [];
  private data = new Float32Array(0);
  private dimension = 0;

  /** At most `capacity` rows will come. */
  constructor(private readonly capacity: number) {}

  add(id: string, row: Float32Array): void {
    if (this.ids.length === 0) {
      this.dimension = row.length;
      this.data = new Float32Array(this.capacity * row.length);
    }
    this.data.set(row, this.ids.length * this.dimension);
    this.ids.push(id);
  }

  finish(): DescriptorTable {
    const { ids, dimension } = this;
    return { ids, dimension, data: this.data.subarray(0, ids.length * dimension) };
  }
}
