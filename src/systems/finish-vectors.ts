/** @file From pooled vectors to what is searched: whitening, sums over regions and sides, selected values. */
import { type SystemFit, whitenRows } from './fit-system.js';
import { joined, normalizeRows, type PooledVectors, sumRows } from './pool-views.js';
import type { SystemSettings } from './settings.js';
import type { Role } from './system.js';

/** The vectors of an image, one after the other. */
export function finishVectors(
  pooled: readonly PooledVectors[],
  settings: SystemSettings,
  fit: SystemFit | undefined,
  role: Role,
): Float32Array {
  return joined(pooled.map((vectors) => finishOne(vectors, settings, fit, role)));
}

function finishOne(
  { groups, dimension }: PooledVectors,
  { epsilon, database, unit }: SystemSettings,
  fit: SystemFit | undefined,
  role: Role,
): Float32Array {
  const whitened = fit?.kind === 'whitening' ? groups.map((rows) => whitenRows(rows, fit, epsilon)) : groups;
  if (role === 'database' && database === 'regions') return joined(whitened);
  const length = fit?.kind === 'whitening' ? fit.dimension : dimension;
  const perGroup = whitened.map((rows) => (rows.length === length ? rows : sumRows(rows, length, epsilon)));
  const vector = perGroup.length === 1 ? Float32Array.from(perGroup[0]) : sumRows(joined(perGroup), length, epsilon);
  const kept = fit?.kind === 'selection' ? Float32Array.from(fit.features, (feature) => vector[feature]) : vector;
  return unit ? normalizeRows(kept, kept.length, epsilon) : kept;
}
