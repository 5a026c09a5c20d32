/** @file Query expansion and database augmentation of a ground truth's descriptors, before they are ranked. */
import { InputError } from '../errors.js';
import type { GroundTruthDescriptors } from './describe-ground-truth.js';
import { augmentDatabase, type DatabaseAugmentation, expandQueries, type QueryExpansion } from './expansion.js';
import type { GroundTruth } from './ground-truth.js';
import { blocksOf, type BlockSimilarity, nearestRows } from './nearest-rows.js';
import type { DescriptorTable } from './ranking.js';

export interface ExpandOptions {
  qe?: QueryExpansion;
  dba?: DatabaseAugmentation;
  similarity?: BlockSimilarity;
}

/**
 * Augments the database, then expands the queries (as they were) by the augmented rows. Rows that the ground truth does not
 * list take no part. A query's own image is none of its neighbours where the ground truth has it as junk (by the query's id
 * or its image): it is out of the ranking too, and would only repeat the query. Other junk is not left out, for a search
 * would not know it. @throws InputError where k is more than the database has.
 */
export async function expandGroundTruth(
  groundTruth: GroundTruth,
  described: GroundTruthDescriptors,
  { qe, dba, similarity }: ExpandOptions,
): Promise<GroundTruthDescriptors> {
  let database = listedRows(groundTruth, described.database);
  if (dba !== undefined) {
    assertEnough('--dba', dba.k, database.ids.length - 1);
    const skip = Int32Array.from(database.ids.keys());
    const neighbours = await nearestRows(database, blocksOf(database), { count: dba.k, skip, similarity });
    database = { ...database, ...augmentDatabase(database, neighbours, dba) };
  }
  let { queries } = described;
  if (qe !== undefined) {
    const skip = ownRows(groundTruth, queries, database);
    assertEnough('--qe', qe.k, database.ids.length - (skip.some((row) => row >= 0) ? 1 : 0));
    const neighbours = await nearestRows(queries, blocksOf(database), { count: qe.k, skip, similarity });
    queries = { ...queries, ...expandQueries(queries, database, neighbours, qe) };
  }
  return { ...described, database, queries };
}

/** Multiply-adds of the searches. */
export function expansionCost({ database, queries }: GroundTruthDescriptors, { qe, dba }: ExpandOptions): number {
  const rows = database.ids.length;
  return (qe === undefined ? 0 : rows * queries.data.length) + (dba === undefined ? 0 : rows * database.data.length);
}

function assertEnough(option: string, k: number, rows: number): void {
  if (k > rows) {
    throw new InputError(
      `${option}: ${k} neighbours asked, the database has ${Math.max(0, rows)} other images; use K of at most that.`,
    );
  }
}

function listedRows(groundTruth: GroundTruth, table: DescriptorTable): DescriptorTable {
  const listed = new Set(groundTruth.database.map(({ id }) => id));
  if (table.ids.every((id) => listed.has(id))) return table;
  const { dimension } = table;
  const kept = table.ids.flatMap((id, row) => (listed.has(id) ? [row] : []));
  const data = new Float32Array(kept.length * dimension);
  kept.forEach((row, to) => data.set(table.data.subarray(row * dimension, (row + 1) * dimension), to * dimension));
  return { ids: kept.map((row) => table.ids[row]), dimension, data };
}

/** Database row of each described query's own image where that is junk, else -1. */
function ownRows(groundTruth: GroundTruth, queries: DescriptorTable, database: DescriptorTable): Int32Array {
  const rowOf = new Map(database.ids.map((id, row) => [id, row]));
  const idOfImage = new Map(groundTruth.database.map(({ id, image }) => [image, id]));
  const queryById = new Map(groundTruth.queries.map((query) => [query.id, query]));
  return Int32Array.from(queries.ids, (id) => {
    const query = queryById.get(id);
    if (query === undefined) return -1;
    const junk = new Set(query.junk);
    const own = [id, idOfImage.get(query.image)].find((name) => name !== undefined && junk.has(name));
    return own === undefined ? -1 : (rowOf.get(own) ?? -1);
  });
}
