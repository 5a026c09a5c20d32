/** @file The end of a training run: its model averaged with the start and whitened, in the place of the last state's. */
import { readModelFile, writeModelFile } from '../data/model-file.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { RunFolder } from '../run/run-folder.js';
import { readRunLog } from '../run/run-log.js';
import type { FinishRecord, FinishSummary, MeasuredShare } from '../run/run-records.js';
import { readStart } from '../run/run-start.js';
import type { FinishConfig } from '../train/finish-config.js';
import { finishModel, type HeldBack } from '../train/finish.js';
import { EndedTogether, type ProcessGroup } from '../train/process-group.js';
import type { Trainer } from '../train/trainer.js';
import type { StageProgress, StageView } from './context.js';
import { finishText, percent } from './finish-text.js';
import type { TrainOptions } from './train-settings.js';

/** What the end of a run needs besides what was trained. */
export interface FinishPlan extends HeldBack {
  config: FinishConfig & { seed: number };
  /** What the finished model is measured on. */
  validation?: GroundTruth | undefined;
}

/** The run whose last update is done. */
interface FinishedRun {
  trainer: Trainer;
  step: number;
  folder: RunFolder;
  options: TrainOptions;
  threads: number | undefined;
}

/**
 * Finishes the model of a run after its last update, and writes it. What was measured already is in the log, so that a run that was
 * stopped here goes on here. Undefined when interrupted.
 */
export async function finishRun(
  plan: FinishPlan,
  { trainer, step, folder, options, threads }: FinishedRun,
  { group, view }: { group: ProcessGroup; view: StageView },
): Promise<FinishSummary | undefined> {
  const { config } = plan;
  const start =
    config.averageWithStart === 0 ? undefined : await readModelFile((await readStart(folder, options)).init);
  await group.collective.barrier(); // nothing is appended before all have read
  const measured = await measuredShares(folder, step);
  await group.collective.barrier();
  const append = (record: FinishRecord) => {
    if (group.leads) folder.append(record);
  };
  let progress: StageProgress | undefined;
  const ended = () => {
    progress?.stop();
    progress = undefined;
  };
  const { heldBack } = plan;
  const landmarks = new Set(heldBack.map(({ landmark }) => landmark)).size;
  try {
    const { model } = trainer;
    const finished = await finishModel({
      ...plan,
      trained: { meta: model.meta, weights: await model.toArrays() },
      start,
      group,
      threads,
      measured,
      onShare({ share, map }) {
        ended();
        append({ event: 'share', step, share, map });
        view.note(`${percent(share)} of the start: mAP ${map.toFixed(4)} on ${landmarks} landmarks held back`);
      },
      working(label) {
        ended();
        return (done, total) => (progress ??= view.progress(label, total)).update(done);
      },
    });
    if (finished === undefined) return undefined;
    ended();
    const { summary } = finished;
    if (group.leads) await writeModelFile(folder.model, finished.model, { overwrite: true });
    append({ event: 'finish', step, ...summary });
    view.note(finishText(summary));
    for (const warning of summary.warnings) view.note(warning);
    await group.collective.barrier(); // the others may read what the first one has written
    return summary;
  } catch (error) {
    if (error instanceof EndedTogether) return undefined; // while the whitening was learned
    throw error;
  } finally {
    ended();
  }
}

async function measuredShares(folder: RunFolder, step: number): Promise<MeasuredShare[]> {
  const { records } = await readRunLog(folder.log);
  return records.flatMap(({ event, step: after, share, map }) =>
    event === 'share' && after === step && typeof share === 'number' && map !== undefined ? [{ share, map }] : [],
  );
}
