/** @file Whether a whitening that a run learned at its start made the model it was given worse. */

/** Less than half a point is chance. */
const tolerance = 0.005;

/** Whether `whitened` is a loss against `given`. */
export function costs(given: number, whitened: number): boolean {
  return whitened < given - tolerance;
}
