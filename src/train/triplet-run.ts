/** @file Triplet training with everything it leaves in a run folder: configuration, log, checkpoints, model and best model. */
import { join } from 'node:path';
import { writeFileAtomic } from '../data/files.js';
import { saveModel } from '../data/model-file.js';
import type { ImageRecord } from '../data/manifest.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { checkpointFiles, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { type FitRecord, fitTriplets, type FitTripletsOptions } from './fit-triplets.js';
import type { RunFolder } from './run-folder.js';
import { loadForTraining } from './starting-model.js';
import type { TripletConfig } from './triplet-config.js';

export interface TripletRunOptions extends Pick<FitTripletsOptions, 'resume' | 'onMining' | 'signal' | 'timeout'> {
  model: DescriptorModel;
  records: readonly ImageRecord[];
  config: TripletConfig;
  /** mAP of the model as it is (undefined when interrupted), and figures that go into the log beside it. */
  measure?: () => Promise<{ map: number; [figure: string]: number } | undefined>;
}

/** Model and state of the run's newest checkpoint; undefined where there is none. */
export async function openCheckpoint(
  folder: RunFolder,
  config: TripletConfig,
): Promise<{ model: DescriptorModel; resume: NonNullable<FitTripletsOptions['resume']> } | undefined> {
  const checkpoint = await folder.latestCheckpoint();
  if (checkpoint === undefined) return undefined;
  const resume = await readCheckpoint(checkpoint);
  const file = join(checkpoint, checkpointFiles.model);
  return { model: await loadForTraining(file, { ...config, whitenDimension: 0 }), resume };
}

/** `fitTriplets` with its results in `folder`. Yields what it appends to the log; the caller disposes of the model. */
export async function* runTriplets(
  folder: RunFolder,
  { measure, ...options }: TripletRunOptions,
): AsyncGenerator<FitRecord> {
  const { model, config, resume } = options;
  await folder.truncateLog(resume?.state.step ?? -1);
  await folder.writeConfig(config);
  let figures: Record<string, number> = {};
  const log = fitTriplets({
    ...options,
    measure:
      measure === undefined
        ? undefined
        : async () => {
            const measured = await measure();
            figures = measured ?? {};
            return measured?.map;
          },
    onBest: () => saveModel(folder.best, model, { overwrite: true }),
    save: async (state, momentum) => {
      const contents = { meta: model.meta, weights: await model.toArrays(), momentum: await momentum(), state, config };
      const bytes = await writeCheckpoint(folder.checkpoints, contents, { keep: config.keepCheckpoints });
      await writeFileAtomic(folder.model, bytes, { overwrite: true });
    },
  });
  for await (const record of log) {
    const whole = record.event === 'measure' ? { ...figures, ...record } : record;
    folder.append(whole);
    yield whole;
  }
}
