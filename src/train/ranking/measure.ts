/** @file mAP of a model while it trains. */
import type { ImageSizing } from '../../data/images.js';
import type { ImagePathOptions } from '../../data/image-path.js';
import { readManifest } from '../../data/manifest.js';
import { InputError } from '../../errors.js';
import { describeGroundTruth } from '../../retrieval/describe-ground-truth.js';
import type { Describer } from '../../retrieval/describe.js';
import { evaluateDescriptors } from '../../retrieval/evaluate.js';
import { type GroundTruth, labelsGroundTruth, readGroundTruth } from '../../retrieval/ground-truth.js';
import type { DescriptorTable } from '../../retrieval/ranking.js';
import { alone, type ProcessGroup } from '../process-group.js';

/** `--val`: a ground truth (.json), or a manifest (.jsonl) whose labels say what is right. */
export async function readValidation(file: string, options: ImagePathOptions): Promise<GroundTruth> {
  const groundTruth = file.endsWith('.jsonl')
    ? labelsGroundTruth(await readManifest(file, options))
    : await readGroundTruth(file, options);
  if (!groundTruth.queries.some(({ positives }) => positives.length > 0)) {
    throw new InputError(`${file}: no query has positives, so there is nothing to measure.`);
  }
  return groundTruth;
}

/**
 * mAP (trapezoid) at `sizing`: with sides snapped to the stride, as in training, no image shape is added. Each rank of `group`
 * describes its share. Undefined when interrupted.
 */
export async function measureMap(
  model: Describer,
  groundTruth: GroundTruth,
  {
    sizing,
    signal,
    group = alone,
    onProgress,
  }: { sizing: ImageSizing; signal?: AbortSignal; group?: ProcessGroup; onProgress?: (done: number) => void },
): Promise<number | undefined> {
  const own = await describeGroundTruth(model, shareOf(groundTruth, group), { sizing, signal, onProgress });
  const shares = await group.gather({ ...own, interrupted: signal?.aborted === true });
  if (shares.some(({ interrupted }) => interrupted)) return undefined;
  const failures = shares.flatMap((share) => share.failures);
  const database = joined(
    groundTruth.database,
    shares.map((share) => share.database),
  );
  const queries = joined(
    groundTruth.queries,
    shares.map((share) => share.queries),
  );
  const map = database.ids.length === 0 ? Number.NaN : (await evaluateDescriptors(groundTruth, database, queries)).map;
  if (Number.isNaN(map)) {
    throw new InputError(
      `No query of the validation set could be measured; the first problem: ${failures[0]?.error ?? 'none'}`,
    );
  }
  return map;
}

/** The part of a ground truth that this rank describes: a query goes with the image of the database that it is. */
function shareOf(groundTruth: GroundTruth, { rank, size }: ProcessGroup): GroundTruth {
  if (size === 1) return groundTruth;
  const { database, queries } = groundTruth;
  const places = new Map(database.map(({ image }, i) => [image, i]));
  return {
    ...groundTruth,
    database: database.filter((_, i) => i % size === rank),
    queries: queries.filter(({ image }, i) => (places.get(image) ?? i) % size === rank),
  };
}

/** The rows of all ranks in the order of `items`, whoever described them. */
function joined(items: readonly { id: string }[], tables: readonly DescriptorTable[]): DescriptorTable {
  if (tables.length === 1) return tables[0];
  const rows = new Map<string, Float32Array>();
  for (const { ids, dimension, data } of tables) {
    for (const [i, id] of ids.entries()) rows.set(id, data.subarray(i * dimension, (i + 1) * dimension));
  }
  const found = items.flatMap(({ id }) => rows.get(id) ?? []);
  const dimension = found[0]?.length ?? 0;
  const data = new Float32Array(found.length * dimension);
  found.forEach((row, i) => data.set(row, i * dimension));
  return { ids: items.flatMap(({ id }) => (rows.has(id) ? [id] : [])), dimension, data };
}
