/** @file Progress of work whose size is known only once it has begun. */
import type { StageView } from './context.js';

/** Begins with the first report, and again where the total grows. */
export function lateProgress(view: StageView, label: string) {
  let progress: ReturnType<StageView['progress']> | undefined;
  let known = -1;
  return {
    update: (done: number, total: number): void => {
      if (total > known) {
        progress?.stop();
        progress = view.progress(label, (known = total));
      }
      progress?.update(done);
    },
    stop: (): void => progress?.stop(),
  };
}
