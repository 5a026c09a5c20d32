/** @file What the demo says of its test and shows of its training. */
import type { ImageRecord } from '../data/manifest.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { type StageProgress, type StageView, silentView } from '../stages/context.js';

/** What the test asks, from the lists themselves. */
export function describeTest(train: readonly ImageRecord[], { queries, database }: GroundTruth): string {
  const trained = new Set(train.map(({ landmark }) => landmark));
  const landmarks = new Set(queries.map(({ landmark }) => landmark));
  const unseen = [...landmarks].every((landmark) => landmark !== undefined && !trained.has(landmark));
  const what = unseen ? 'landmarks never trained on' : 'trained landmarks, with photographs held back from training';
  return `${queries.length} queries about ${landmarks.size} ${what}, in ${database.length} images.`;
}

/** Calls `train` with a view that shows its updates as one progress. */
export async function watchingUpdates<T>(view: StageView, train: (view: StageView) => Promise<T>): Promise<T> {
  let bar: StageProgress | undefined;
  const updated = (step: number, steps: number) => (bar ??= view.progress('updates', steps)).update(step);
  return train({ ...silentView, updated }).finally(() => bar?.stop());
}
