/** @file What the demo measures and trains in its own way: both curves while it trains, which choose nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSizing } from '../data/images.js';
import type { ImageRecord } from '../data/manifest.js';
import { loadModel, saveModel } from '../data/model-file.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { describeGroundTruth, imagesToDescribe } from '../retrieval/describe-ground-truth.js';
import { evaluateDescriptors, type EvaluationResult } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { measureMap } from '../train/ranking/measure.js';
import type { RunFolder } from '../run/run-folder.js';
import { checkpointFiles, readCheckpoint } from '../run/checkpoint.js';
import type { RunRecord } from '../run/run-records.js';
import { loadForTraining, whitened } from '../train/ranking/ranking-start.js';
import { RankingTrainer } from '../train/ranking/ranking-trainer.js';
import { type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';
import { trainInFolder } from '../train/train-in-folder.js';
import type { StageView } from '../stages/context.js';
import type { DemoFolder } from './demo-folder.js';

/** Results per query that are kept for the report; the query itself may be among them. */
const keptResults = 11;

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
function sizingOf({ imageSize }: TripletConfig): ImageSizing {
  return { longest: imageSize };
}

export async function evaluate(
  model: DescriptorModel,
  { config, label, test, signal, view }: Measuring & { config: TripletConfig; label: string },
): Promise<EvaluationResult> {
  const progress = view.progress(label, imagesToDescribe(test));
  try {
    const { database, queries, failures } = await describeGroundTruth(model, test, {
      sizing: sizingOf(config),
      signal,
      onProgress: (done) => progress.update(done),
    });
    signal.throwIfAborted();
    if (queries.ids.length === 0) {
      throw new InputError(`No query of the test could be described; the first problem: ${failures[0]?.error}`);
    }
    return await evaluateDescriptors(test, database, queries, { top: keptResults });
  } finally {
    progress.stop();
  }
}

/** Measures the network as it is and with a whitening, and leaves the latter in the folder. */
export async function measureStart(
  folder: DemoFolder,
  {
    init,
    config,
    train,
    ...measuring
  }: Measuring & { init: string; config: TripletConfig; train: readonly ImageRecord[] },
) {
  const { view, signal } = measuring;
  let model = await loadForTraining(init, { ...config, whitenDimension: 0, regions: 'grid' });
  try {
    const offTheShelf = await evaluate(model, { config, label: 'describe', ...measuring });
    view.note(`mAP ${figure(offTheShelf)}`);
    if (config.whitenDimension === 0 || model.meta.whitening !== undefined) {
      return { offTheShelf, whitened: undefined, start: init };
    }
    const learned = view.progress('learn whitening', Math.min(train.length, config.whitenImages));
    // A few photographs have too few independent regions for a recipe's dimension.
    const whitenDimension = Math.min(config.whitenDimension, model.channels, 4 * train.length);
    const added = await whitened(model, train, {
      config: { ...config, whitenDimension },
      signal,
      onProgress: (done) => learned.update(done),
    }).finally(() => learned.stop());
    model = added.model;
    for (const warning of added.warnings) view.note(warning);
    await saveModel(folder.whitened, model, { overwrite: true });
    const result = await evaluate(model, { config, label: 'describe, whitened', ...measuring });
    view.note(`mAP ${figure(result)} with a whitening to ${model.dimension} values`);
    return { offTheShelf, whitened: result, start: folder.whitened };
  } finally {
    model.dispose();
  }
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
    const sizing = sizingOf(config); // of the table, so that the curves end at its figures
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

export async function withModel<T>(file: string, use: (model: DescriptorModel) => Promise<T>): Promise<T> {
  const model = await loadModel(file);
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

export function figure({ map }: { map: number }): string {
  return map.toFixed(4);
}
