/** @file Descriptors for a ground truth: made by a model, or looked up in descriptor folders. */
import type { ImageSizing } from '../data/images.js';
import { InputError } from '../errors.js';
import { cropSizing } from './query-crop.js';
import { describeImages, type Describer } from './describe.js';
import type { DescribeFailure, DescriptorSet } from './descriptor-folder.js';
import { firstFew, type GroundTruth, type Query } from './ground-truth.js';
import type { DescriptorTable } from './ranking.js';

export interface GroundTruthDescriptors {
  database: DescriptorTable;
  /** Row per query that could be described, by query id. */
  queries: DescriptorTable;
  failures: DescribeFailure[];
}

export interface DescribeGroundTruthOptions {
  sizing: ImageSizing;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
  /** Called right after the model has described an image of the database, or a query that is a crop or not in it. */
  onDescribed?: (item: { id: string; image: string }, kind: 'database' | 'query') => void;
}

/** Images that `describeGroundTruth` describes: the database, and queries that are crops or not in it. */
export function imagesToDescribe(groundTruth: GroundTruth): number {
  const known = new Set(groundTruth.database.map(({ image }) => image));
  return groundTruth.database.length + groundTruth.queries.filter((query) => !isWholeImageOf(known, query)).length;
}

/** Describes the database, then the queries; a query that is a whole database image takes that image's row. */
export async function describeGroundTruth(
  model: Describer,
  groundTruth: GroundTruth,
  { sizing, signal, onProgress, onDescribed }: DescribeGroundTruthOptions,
): Promise<GroundTruthDescriptors> {
  const failures: DescribeFailure[] = [];
  const rows = new Map<string, Float32Array>();
  const byImage = new Map<string, Float32Array>();
  const load = ({ image, rotate }: GroundTruth['database'][number]) => ({ path: image, rotate });
  for await (const result of describeImages(model, groundTruth.database, load, { sizing, signal, onProgress })) {
    if ('error' in result) failures.push({ id: result.item.id, error: result.error.message });
    else {
      rows.set(result.item.id, result.descriptor);
      byImage.set(result.item.image, result.descriptor);
      onDescribed?.(result.item, 'database');
    }
  }
  let done = groundTruth.database.length;
  const known = new Set(groundTruth.database.map(({ image }) => image));
  const queryRows = new Map<string, Float32Array>();
  for (const query of groundTruth.queries) {
    if (signal?.aborted) break;
    if (isWholeImageOf(known, query)) {
      const row = byImage.get(query.image);
      if (row !== undefined) queryRows.set(query.id, row);
      continue;
    }
    try {
      const ownSizing = query.box === undefined ? sizing : await cropSizing(query.image, query.box, sizing);
      const source = { path: query.image, crop: query.box, rotate: query.rotate };
      for await (const result of describeImages(model, [query], () => source, { sizing: ownSizing, ahead: 1 })) {
        if ('error' in result) throw result.error;
        queryRows.set(query.id, result.descriptor);
        onDescribed?.(query, 'query');
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      failures.push({ id: query.id, error: error.message });
    }
    onProgress?.(++done);
  }
  return { database: tableOf(rows), queries: tableOf(queryRows), failures };
}

/**
 * Takes a ground truth's descriptors from what `extract` wrote. A query's row comes from `querySet` by its id, else, for a
 * whole image, from the database by its id or its image. What is missing without having failed in `extract` is an
 * InputError that counts and names it.
 */
export function lookUpGroundTruth(
  groundTruth: GroundTruth,
  databaseSet: DescriptorSet,
  databaseFolder: string,
  queries?: { set: DescriptorSet; folder: string },
): GroundTruthDescriptors {
  if (queries !== undefined && queries.set.dimension !== databaseSet.dimension) {
    throw new InputError(
      `${queries.folder} has descriptors of ${queries.set.dimension} values, ${databaseFolder} of ` +
        `${databaseSet.dimension}; extract both with the same model and options.`,
    );
  }
  const databaseRows = rowsById(databaseSet);
  const failed = new Set([...databaseSet.failures, ...(queries?.set.failures ?? [])].map(({ id }) => id));
  const missing = groundTruth.database.filter(({ id }) => !databaseRows.has(id) && !failed.has(id)).map(({ id }) => id);
  if (missing.length > 0) {
    throw new InputError(
      `${databaseFolder} has no descriptor for ${missing.length} of ${groundTruth.database.length} database images ` +
        `(${firstFew(missing)}); ids must be those of the ground truth: run rmac extract on the same list.`,
    );
  }
  const idOfImage = new Map(groundTruth.database.map(({ id, image }) => [image, id]));
  const queryRows = queries === undefined ? new Map<string, Float32Array>() : rowsById(queries.set);
  const found = new Map<string, Float32Array>();
  const missingQueries: string[] = [];
  for (const query of groundTruth.queries) {
    const whole = query.box === undefined ? [query.id, idOfImage.get(query.image) ?? query.id] : [];
    const row = queryRows.get(query.id) ?? databaseRows.get(whole[0]) ?? databaseRows.get(whole[1]);
    if (row !== undefined) found.set(query.id, row);
    else if (![query.id, ...whole].some((id) => failed.has(id))) missingQueries.push(query.id);
  }
  if (missingQueries.length > 0) {
    throw new InputError(
      `No descriptor for ${missingQueries.length} of ${groundTruth.queries.length} queries (${firstFew(missingQueries)})` +
        ` in ${queries?.folder ?? databaseFolder}; a query that is a crop or not in the database needs --queries DIR.`,
    );
  }
  const failures = [...databaseSet.failures, ...(queries?.set.failures ?? [])];
  return { database: databaseSet, queries: tableOf(found), failures };
}

function isWholeImageOf(images: ReadonlySet<string>, query: Query): boolean {
  return query.box === undefined && images.has(query.image);
}

function rowsById({ ids, data, dimension }: DescriptorTable): Map<string, Float32Array> {
  return new Map(ids.map((id, row) => [id, data.subarray(row * dimension, (row + 1) * dimension)]));
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
