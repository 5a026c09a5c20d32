/** @file A ground truth's images through a system, and their score. */
import { InputError } from '../errors.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import { evaluateDescriptors, type EvaluateOptions, type EvaluationResult } from '../retrieval/evaluate.js';
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
  const database = new Map<string, Float32Array>();
  const queries = new Map<string, Float32Array>();
  const whole = new Map<string, string[]>(); // image -> queries
  for (const { id, image, box } of groundTruth.queries) {
    if (box === undefined) whole.set(image, [...(whole.get(image) ?? []), id]);
  }
  let done = 0;
  for (const { id, image } of groundTruth.database) {
    if (signal?.aborted) break;
    await attempt(id, failures, async () => {
      const asked = whole.get(image);
      if (asked === undefined) {
        database.set(id, await system.describe({ path: image }, 'database'));
        return;
      }
      const both = await system.describeBoth({ path: image });
      database.set(id, both.database);
      for (const query of asked) queries.set(query, both.query);
    });
    onProgress?.(++done);
  }
  const known = new Set(groundTruth.database.map(({ image }) => image));
  for (const { id, image, box } of groundTruth.queries) {
    if (signal?.aborted) break;
    if (box === undefined && known.has(image)) continue;
    const source: SystemImage = box === undefined ? { path: image } : { path: image, box };
    await attempt(id, failures, async () => {
      queries.set(id, await system.describe(source, 'query'));
    });
    onProgress?.(++done);
  }
  return { database: tableOf(database), queries: tableOf(queries), failures };
}

/** Scores what `describeForSystem` gave, by the system's own distance. */
export async function evaluateSystem(
  system: Pick<System, 'similarity'>,
  groundTruth: GroundTruth,
  { database, queries }: Pick<SystemDescriptors, 'database' | 'queries'>,
  options: Omit<EvaluateOptions, 'similarity'> = {},
): Promise<EvaluationResult> {
  const similarity = system.similarity(database);
  // Only ids of the database are read where a similarity is given; its rows may be longer than a query's.
  const ids = { ids: database.ids, dimension: queries.dimension, data: new Float32Array(0) };
  return evaluateDescriptors(groundTruth, ids, queries, { ...options, similarity });
}

async function attempt(id: string, failures: DescribeFailure[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    failures.push({ id, error: error.message });
  }
}

function tableOf(rows: ReadonlyMap<string, Float32Array>): DescriptorTable {
  const dimension = rows.values().next().value?.length ?? 0;
  const data = new Float32Array(rows.size * dimension);
  let offset = 0;
  for (const row of rows.values()) {
    data.set(row, offset);
    offset += dimension;
  }
  return { ids: [...rows.keys()], dimension, data };
}
