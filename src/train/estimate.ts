/** @file What the trainers' dry runs share. */
import type { TrainingConfig } from './training-config.js';

/** Milliseconds of the second call: the first compiles a graph. */
export async function secondTime(work: () => Promise<unknown>): Promise<number> {
  return (await firstAndSecond(work)).ms;
}

/** Milliseconds of the second call, and what the first took beyond them. */
export async function firstAndSecond(work: () => Promise<unknown>): Promise<{ ms: number; compileMs: number }> {
  const startedAt = performance.now();
  await work();
  const againAt = performance.now();
  await work();
  const ms = performance.now() - againAt;
  return { ms, compileMs: Math.max(0, againAt - startedAt - ms) };
}

/** Measurements on --val: at the start, at the end, and what is due between. */
export function measurementsOf({ steps, validateEvery }: Pick<TrainingConfig, 'steps' | 'validateEvery'>): number {
  return 2 + (validateEvery > 0 ? Math.floor((steps - 1) / validateEvery) : 0);
}

/** Bytes an update takes besides the weights and a backward pass: gradient sums, new weights, and the optimizer's averages, old and new. */
export function updateBytes(parameters: number, { optimizer }: Pick<TrainingConfig, 'optimizer'>): number {
  return 4 * parameters * (optimizer === 'adam' ? 6 : 4);
}
