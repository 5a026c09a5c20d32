/** @file What the demo measures and trains in its own way: both curves while it trains, which choose nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSizing } from '../data/images.js';
import type { ImageRecord } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { measureMap } from '../train/ranking/measure.js';
import type { RunFolder } from '../run/run-folder.js';
import { checkpointFiles, readCheckpoint } from '../run/checkpoint.js';
import type { RunRecord } from '../run/run-records.js';
import { loadForTraining } from '../train/ranking/ranking-start.js';
import { RankingTrainer } from '../train/ranking/ranking-trainer.js';
import { type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';
import { trainInFolder } from '../train/train-in-folder.js';
import type { StageView } from '../stages/context.js';
import type { DemoFolder } from './demo-folder.js';

/** What the test asks, from the lists themselves. */
export function describeTest(train: readonly ImageRecord[], { queries, database }: GroundTruth): string {
  const trained = new Set(train.map(({ landmark }) => landmark));
  const landmarks = new Set(queries.map(({ landmark }) => landmark));
  const unseen = [...landmarks].every((landmark) => landmark !== undefined && !trained.has(landmark));
  const what = unseen ? 'landmarks never trained on' : 'trained landmarks, with photographs held back from training';
  return `${queries.length} queries about ${landmarks.size} ${what}, in ${database.length} images.`;
}

interface Measuring {
  test: GroundTruth;
  signal: AbortSignal;
  view: StageView;
}

/** As `rmac evaluate` does: the longest side of training, the image's own shape. */
function evaluationSizing({ imageSize }: TripletConfig): ImageSizing {
  return { longest: imageSize };
}

export async function fineTune(
  folder: DemoFolder,
  run: RunFolder,
  {
    start,
    config,
    train,
    validation,
    test,
    signal,
    view,
  }: Measuring & { start: string; config: TripletConfig; train: readonly ImageRecord[]; validation: GroundTruth },
): Promise<void> {
  const checkpoint = await run.latestCheckpoint();
  const model =
    checkpoint === undefined
      ? await loadForTraining(start, { ...config, whitenDimension: 0, regions: 'grid' })
      : await loadForTraining(join(checkpoint, checkpointFiles.model), { ...config, whitenDimension: 0 });
  const progress = view.progress('updates', config.steps);
  let last: RunRecord | undefined;
  try {
    const sizing = evaluationSizing(config); // of the table, so that the curves end at its figures
    const trainer = new RankingTrainer({
      model,
      records: train,
      config,
      // Both curves are drawn and choose nothing.
      measure: async () => {
        const testMap = await measureMap(model, test, { sizing, signal });
        const map = await measureMap(model, validation, { sizing, signal });
        return map === undefined || testMap === undefined ? undefined : { value: map, figures: { testMap } };
      },
    });
    const resume =
      checkpoint === undefined ? undefined : await readCheckpoint(checkpoint, (own) => trainer.restore(own));
    const log = trainInFolder(run, trainer, { config, schema: tripletConfigSchema, resume, signal });
    for await (const record of log) {
      last = record;
      if (record.event === 'update') progress.update(record.step);
    }
  } finally {
    progress.stop();
    model.dispose();
  }
  signal.throwIfAborted();
  if (last?.event === 'stop' && last.reason !== 'finished') view.note(`Stopped early: ${last.reason}.`);
  if (!existsSync(run.model)) throw new InputError(`${folder.run} has no model; pass --overwrite to start again.`);
}
