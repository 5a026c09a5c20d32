/** @file What the trainers' dry runs share. */
import type { TrainingConfig } from './training-config.js';

/** Milliseconds of the second call: the first compiles a graph. */
export async function secondTime(work: () => Promise<unknown>): Promise<number> {
  await work();
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Measurements on --val: at the start, at the end, and what is due between. */
export function measurementsOf({ steps, validateEvery }: Pick<TrainingConfig, 'steps' | 'validateEvery'>): number {
  return 2 + (validateEvery > 0 ? Math.floor((steps - 1) / validateEvery) : 0);
}

/** Bytes an update takes besides the weights and a backward pass: gradient sums, new weights, and the optimizer's averages, old and new. */
export function updateBytes(parameters: number, { optimizer }: Pick<TrainingConfig, 'optimizer'>): number {
  return 4 * parameters * (optimizer === 'adam' ? 6 : 4);
}
