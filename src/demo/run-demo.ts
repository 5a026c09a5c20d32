/**
 * @file The whole pipeline on one set of photographs: clean them (generated ones), measure the network as it is, fine-tune it by triplets, measure it
 * again on the same queries, export it, and write a report. Every stage calls what the command of its name calls.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { resolveConfig } from '../config.js';
import { withFolderLock } from '../data/folder-lock.js';
import { readManifest } from '../data/manifest.js';
import { readModelFile } from '../data/model-file.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import type { ExportManifest } from '../export/manifest.js';
import type { Verification } from '../export/onnx.js';
import { cutTrunk } from '../models/architecture.js';
import { architectureNamed } from '../models/architectures.js';
import type { ModelMeta } from '../models/meta.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { readGroundTruth } from '../retrieval/ground-truth.js';
import { assertTriplets } from '../train/ranking/ranking-trainer.js';
import { RunFolder } from '../run/run-folder.js';
import { type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';
import { DemoFolder } from './demo-folder.js';
import { readCurve, writeDemoReport } from './demo-report.js';
import {
  cleanPhotographs,
  type DemoView,
  describeTest,
  evaluate,
  exportAndVerify,
  figure,
  fineTune,
  generatePhotographs,
  measureStart,
  scanPhotographs,
  withModel,
} from './stages.js';

export interface DemoOptions {
  out: string;
  /** The network to start from. */
  init: string;
  /** A folder of photographs per landmark; without it they are generated. */
  images?: string;
  seed: number;
  overwrite?: boolean;
  signal: AbortSignal;
  /** What is generated, where it differs from `generatedPhotographs`. */
  generate?: SynthesizeOptions;
  /** Settings of the training over the recipe's, `key=value`. */
  set?: readonly string[];
}

export interface DemoResult {
  out: string;
  report: string;
  meta: ModelMeta;
  config: TripletConfig;
  recipe: string;
  testKind: string;
  offTheShelf: EvaluationResult;
  /** With whitening learned from the training photographs; undefined where the network came with its own. */
  whitened: EvaluationResult | undefined;
  fineTuned: EvaluationResult;
  /** Finished updates, fewer than `config.steps` where nothing was left to learn. */
  steps: number;
  exported: ExportManifest;
  verified: Verification[];
  seconds: Record<string, number>;
}

/** The generated collection: a third of the landmarks is kept for the test. */
export const generatedPhotographs: Required<Omit<SynthesizeOptions, 'seed'>> = {
  landmarks: 48,
  photos: 12,
  noise: 0.15,
  variation: 0.3, // what the small trunk can learn from in minutes
  size: 288,
};

/** Runs the demo on the engine that is running. Throws `InputError` when interrupted; the same call then continues. */
export async function runDemo(options: DemoOptions, view: DemoView): Promise<DemoResult> {
  const folder = new DemoFolder(options.out, { generated: options.images === undefined });
  return withFolderLock(folder.path, () => runStages(folder, options, view));
}

async function runStages(folder: DemoFolder, options: DemoOptions, view: DemoView): Promise<DemoResult> {
  const { init, images, seed, signal } = options;
  if (images !== undefined) await folder.assertApartFrom(images);
  const { meta } = await readModelFile(init);
  const { recipe, config } = await configOf(meta, options);
  const generate = { ...generatedPhotographs, ...options.generate, seed };
  const settings = { ...(images === undefined ? { generate } : { images }), init, recipe, config };
  if (await folder.prepare(settings, options)) view.note(`Continuing the unfinished demo in ${folder.path}.`);

  const seconds: Record<string, number> = {};
  let number = 0;
  const stages = images === undefined ? 7 : 6;
  const stage = async <T>(name: string, title: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    view.stage(`[${++number}/${stages}] ${title}`);
    const startedAt = performance.now();
    const result = await work();
    signal.throwIfAborted();
    seconds[name] = Math.round((performance.now() - startedAt) / 100) / 10;
    return result;
  };

  const source = images === undefined ? 'generated landmarks' : images;
  await stage('photographs', `Photographs: ${source}`, () =>
    existsSync(join(folder.photographs, 'manifest.jsonl'))
      ? Promise.resolve() // of the demo that is continued
      : images === undefined
        ? generatePhotographs(folder, generate, { signal, view })
        : scanPhotographs(folder, images, { seed, signal, view }),
  );
  if (images === undefined) {
    await stage('cleaning', 'Cleaning: what matches by its local features', () =>
      existsSync(folder.trainManifest) ? Promise.resolve() : cleanPhotographs(folder, { signal, view }),
    );
  }
  const train = await readManifest(folder.trainManifest);
  assertTriplets(train);
  const validation = await readGroundTruth(folder.validation);
  const test = await readGroundTruth(folder.test);
  const testKind = describeTest(train, test);
  view.note(`${train.length} photographs to train on; the test: ${testKind}`);

  const measuring = { test, signal, view };
  const before = await stage('offTheShelf', `Off-the-shelf: ${meta.architecture} as it is`, () =>
    measureStart(folder, { init, config, train, ...measuring }),
  );
  const run = new RunFolder(folder.run);
  await stage('training', `Fine-tuning: ${config.steps} updates by the triplet loss`, () =>
    withFolderLock(
      run.path,
      () => fineTune(folder, run, { start: before.start, config, train, validation, ...measuring }),
      {
        within: ['checkpoints'],
      },
    ),
  );
  const fineTuned = await stage('fineTuned', 'Fine-tuned: the same queries again', () =>
    withModel(run.model, (model) => evaluate(model, { config, label: 'describe', ...measuring })),
  );
  view.note(`mAP ${figure(fineTuned)}, off-the-shelf ${figure(before.offTheShelf)}`);
  const { exported, verified } = await stage('export', 'Export: ONNX, run again in plain ONNX Runtime', () =>
    withModel(run.model, (model) => exportAndVerify(model, folder, config, view)),
  );
  const curve = await readCurve(run.log);
  const result: DemoResult = {
    out: folder.path,
    report: folder.report,
    meta,
    config,
    recipe,
    testKind,
    ...before,
    fineTuned,
    steps: curve.loss.at(-1)?.[0] ?? 0,
    exported,
    verified,
    seconds,
  };
  await stage('report', 'Report', () => writeDemoReport(result, { folder, run, test, curve, init, images, generate }));
  return result;
}

/** The recipe for this network, made to fit it. */
async function configOf(
  { architecture, cut }: ModelMeta,
  { seed, set = [] }: DemoOptions,
): Promise<{ recipe: string; config: TripletConfig }> {
  const recipe = architecture === 'rmac-small' ? 'demo' : 'small-triplet';
  const config = await resolveConfig(tripletConfigSchema, { recipe, set: [`seed=${seed}`, ...set] });
  // Recipes name a stage of the network they were found with; of another one, the first half stays as it is.
  const { stages: names } = cutTrunk(architectureNamed(architecture), cut);
  if (!['none', 'all', ...names].includes(config.freeze)) config.freeze = names[Math.floor(names.length / 2)];
  return { recipe, config };
}
