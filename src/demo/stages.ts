/** @file The stages of the demo, each a few calls of what the command of its name calls. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cleanCollection, defaultMinInliers } from '../cleaning/clean.js';
import { writeCleaned } from '../cleaning/clean-outputs.js';
import { cleanReport } from '../report/clean-report.js';
import { CleanStages } from '../cleaning/clean-stages.js';
import type { ImageSizing } from '../data/images.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { loadModel, saveModel } from '../data/model-file.js';
import { synthesizeLandmarks } from '../synthetic/dataset.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { InputError } from '../errors.js';
import type { ExportManifest } from '../export/manifest.js';
import { exportOnnx, type Verification, verifyOnnx } from '../export/onnx.js';
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
import type { DemoFolder } from './demo-folder.js';
import { preparePhotographs } from './own-photographs.js';
import { largest } from '../extremes.js';

/** How the demo shows what it does. */
export interface DemoView {
  stage(title: string): void;
  progress(label: string, total: number): { update(done: number): void; stop(): void };
  note(line: string): void;
}

/** Results per query that are kept for the report; the query itself may be among them. */
const keptResults = 11;

export async function generatePhotographs(
  folder: DemoFolder,
  generate: SynthesizeOptions,
  { signal, view }: { signal: AbortSignal; view: DemoView },
): Promise<void> {
  const progress = view.progress('photographs', (generate.landmarks ?? 0) * (generate.photos ?? 0));
  const { images, landmarks, wrong } = await synthesizeLandmarks(folder.photographs, generate, {
    overwrite: true,
    signal,
    onProgress: (done) => progress.update(done),
  }).finally(() => progress.stop());
  view.note(`${images} photographs of ${landmarks} landmarks, ${wrong} of them wrong images`);
}

/** As `rmac clean` does, within each landmark. */
export async function cleanPhotographs(
  folder: DemoFolder,
  { signal, view }: { signal: AbortSignal; view: DemoView },
): Promise<void> {
  const records = await readManifest(folder.noisyManifest);
  let progress: ReturnType<DemoView['progress']> | undefined;
  const stages = await CleanStages.open({
    folder: folder.cleaned,
    signal,
    view: {
      start(stage, total) {
        if (total > 0) progress = view.progress(stage === 'describe' ? 'local features' : 'pairs', total);
      },
      update: (done) => progress?.update(done),
      stop() {
        progress?.stop();
        progress = undefined;
      },
    },
  });
  try {
    const cleaned = await cleanCollection(records, stages, { neighbours: 0 });
    const report = await cleanReport(cleaned, {
      featuresOf: (key) => stages.featuresOf(key),
      minInliers: defaultMinInliers,
    });
    await writeCleaned(folder.cleaned, folder.photographs, cleaned, report);
    const kept = cleaned.decisions.filter(({ landmark }) => landmark !== undefined).length;
    view.note(`${kept} of ${records.length} photographs kept, ${cleaned.graph.compared} pairs compared`);
  } finally {
    await stages.close();
  }
}

export async function scanPhotographs(
  folder: DemoFolder,
  images: string,
  { seed, signal, view }: { seed: number; signal: AbortSignal; view: DemoView },
): Promise<void> {
  let progress: ReturnType<DemoView['progress']> | undefined;
  const { scan, split } = await preparePhotographs(images, folder, {
    seed,
    signal,
    onProgress: (done, total) => (progress ??= view.progress('photographs', total)).update(done),
  }).finally(() => progress?.stop());
  const { records, broken, duplicates, tooFew } = scan;
  const left = [
    [broken.length, 'broken'],
    [duplicates.length, 'copies'],
    [tooFew.length, 'folders with too few'],
  ] as const;
  const leftOut = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  view.note(
    `${records.length} photographs${leftOut.length === 0 ? '' : ` (left out: ${leftOut.join(', ')})`}; ${split}`,
  );
}

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
  view: DemoView;
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

export async function exportAndVerify(
  model: DescriptorModel,
  folder: DemoFolder,
  { imageSize }: TripletConfig,
  view: DemoView,
): Promise<{ exported: ExportManifest; verified: Verification[] }> {
  // 4:3 and 3:4, as most cameras take them, in whole cells of the feature map.
  const short = Math.max(1, Math.round((imageSize * 3) / 4 / model.stride)) * model.stride;
  const sizes = [
    { width: imageSize, height: short },
    { width: short, height: imageSize },
  ];
  const exported = await exportOnnx(model, folder.exported, sizes, { overwrite: true });
  const verified: Verification[] = [];
  for (const file of exported.files) verified.push(await verifyOnnx(model, folder.exported, file));
  const wrong = verified.findIndex(({ ok }) => !ok);
  if (wrong >= 0) throw new InputError(`${join(folder.exported, exported.files[wrong].file)} differs from the model.`);
  const difference = largest(verified.map(({ maxDifference }) => maxDifference));
  view.note(`${exported.files.length} files, largest difference ${difference.toExponential(1)}`);
  return { exported, verified };
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
