/** @file Update number -> learning rate. */

export const decays = ['constant', 'step', 'exponential', 'linear', 'cosine'] as const;

export interface ScheduleOptions {
  /** The rate before any decay. */
  learningRate: number;
  /**
   * `constant` (the paper's), `step` (times `factor` every `every` updates), `exponential` (the same, smoothly), `linear` and
   * `cosine` (to zero after `steps`).
   */
  kind: (typeof decays)[number];
  /** Updates between two decays of `step`; in which `exponential` decays once. */
  every: number;
  factor: number;
  /** First updates over which the rate rises linearly from `learningRate / warmup`. 0 = none. */
  warmup: number;
  /** Updates of the whole run. */
  steps: number;
}

/** Learning rate of the update that follows `done` finished ones. */
export function learningRateAt(
  done: number,
  { learningRate, kind, every, factor, warmup, steps }: ScheduleOptions,
): number {
  if (done < warmup) return (learningRate * (done + 1)) / warmup;
  if (kind === 'step') return learningRate * factor ** Math.floor(done / every);
  if (kind === 'exponential') return learningRate * factor ** (done / every);
  const progress = (done - warmup) / Math.max(1, steps - warmup);
  if (kind === 'linear') return learningRate * (1 - progress);
  if (kind === 'cosine') return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
  return learningRate;
}
