/**
 * @file The whole pipeline on one set of photographs: clean them (generated ones), measure the network as it is, fine-tune it by triplets, measure it
 * again on the same queries, export it, and write a report. A page of calls of the other stages.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { resolveConfig } from '../config.js';
import { withFolderLock } from '../data/folder-lock.js';
import { readManifest } from '../data/manifest.js';
import { readModelFile } from '../data/model-file.js';
import { DemoFolder } from '../demo/demo-folder.js';
import { readCurve, writeDemoReport } from '../demo/demo-report.js';
import type { DemoResult } from '../demo/demo-result.js';
import { photosPerLandmark, splitPhotographs } from '../demo/own-photographs.js';
import { describeTest, evaluate, figure, fineTune, measureStart, withModel } from '../demo/stages.js';
import { InputError } from '../errors.js';
import { largest } from '../extremes.js';
import { cutTrunk } from '../models/architecture.js';
import { architectureNamed } from '../models/architectures.js';
import type { ModelMeta } from '../models/meta.js';
import { readGroundTruth } from '../retrieval/ground-truth.js';
import { RunFolder } from '../run/run-folder.js';
import { packageTrunk } from '../run/run-start.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { assertTriplets } from '../train/ranking/ranking-trainer.js';
import { type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';
import { clean } from './clean.js';
import { silentView, type StageContext, type StageView } from './context.js';
import { exportModel } from './export.js';
import { type EngineChoice, openEngine } from './open-model.js';
import { scan } from './scan.js';
import { synthesize } from './synthesize.js';

export interface DemoOptions extends EngineChoice {
  /** Folder for everything that the demo makes. */
  out: string;
  /** The network to start from. Default: the small trunk of this package. */
  init?: string;
  /** A folder of photographs per landmark. Default: they are generated. */
  images?: string;
  /** Of photographs, split and training. Default 1. */
  seed?: number;
  /** Replace an earlier demo. */
  overwrite?: boolean;
  /** What is generated, where it differs from `generatedPhotographs`. */
  generate?: SynthesizeOptions;
  /** Settings of the training over the recipe's, `key=value`. */
  set?: readonly string[];
}

/** The generated collection: a third of the landmarks is kept for the test. */
export const generatedPhotographs: Required<Omit<SynthesizeOptions, 'seed'>> = {
  landmarks: 48,
  photos: 12,
  noise: 0.15,
  variation: 0.3, // what the small trunk can learn from in minutes
  size: 288,
};

/** Runs the demo; after an interruption the same call continues. @throws InputError where `out` holds something else, or on the signal. */
export async function demo(
  options: DemoOptions,
  { signal, view = silentView }: StageContext = {},
): Promise<DemoResult> {
  const folder = new DemoFolder(options.out, { generated: options.images === undefined });
  await openEngine(options);
  try {
    const context = { signal: signal ?? new AbortController().signal, view };
    return await withFolderLock(folder.path, () => runStages(folder, options, context));
  } catch (error) {
    // Whatever was cut short; the stages that were finished are kept.
    if (signal?.aborted) throw new InputError('Interrupted; the same command continues where it stopped.');
    throw error;
  }
}

/** Below the title of a step. */
function indented(view: StageView): StageView {
  return {
    progress: (label, total) => view.progress(`      ${label}`, total),
    note: (line) => view.note(`      ${line}`),
  };
}

async function runStages(
  folder: DemoFolder,
  options: DemoOptions,
  { signal, view: outer }: Required<StageContext>,
): Promise<DemoResult> {
  const { images, seed = 1, device, threads } = options;
  const init = initialWeights(options);
  const view = indented(outer);
  // The demo says itself what the stages found.
  const quiet = { signal, view: { ...view, note() {} } };
  if (images !== undefined) await folder.assertApartFrom(images);
  const { meta } = await readModelFile(init);
  const { recipe, config } = await configOf(meta, { ...options, seed });
  const generate = { ...generatedPhotographs, ...options.generate, seed };
  const settings = { ...(images === undefined ? { generate } : { images }), init, recipe, config };
  if (await folder.prepare(settings, options)) view.note(`Continuing the unfinished demo in ${folder.path}.`);

  const seconds: Record<string, number> = {};
  let number = 0;
  const steps = images === undefined ? 7 : 6;
  const step = async <T>(name: string, title: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    outer.note(`[${++number}/${steps}] ${title}`);
    const startedAt = performance.now();
    const result = await work();
    signal.throwIfAborted();
    seconds[name] = Math.round((performance.now() - startedAt) / 100) / 10;
    return result;
  };

  const source = images === undefined ? 'generated landmarks' : images;
  await step('photographs', `Photographs: ${source}`, async () => {
    if (existsSync(folder.test)) return; // of the demo that is continued
    if (images === undefined) {
      const made = await synthesize({ ...generate, out: folder.photographs, overwrite: true }, quiet);
      view.note(`${made.images} photographs of ${made.landmarks} landmarks, ${made.wrong} of them wrong images`);
      return;
    }
    const scanning = { source: images, out: folder.manifest, minImages: photosPerLandmark, overwrite: true };
    const { images: found, broken, duplicates, tooFew } = await scan(scanning, quiet);
    const split = await splitPhotographs(images, folder, seed);
    const left = [
      [broken.length, 'broken'],
      [duplicates.length, 'copies'],
      [tooFew.length, 'folders with too few'],
    ] as const;
    const leftOut = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
    view.note(`${found} photographs${leftOut.length === 0 ? '' : ` (left out: ${leftOut.join(', ')})`}; ${split}`);
  });
  if (images === undefined) {
    await step('cleaning', 'Cleaning: what matches by its local features', async () => {
      if (existsSync(folder.trainManifest)) return;
      const { summary } = await clean({ manifest: folder.noisyManifest, out: folder.cleaned, neighbours: 0 }, quiet);
      view.note(`${summary.kept} of ${summary.images} photographs kept, ${summary.pairs.compared} pairs compared`);
    });
  }
  const train = await readManifest(folder.trainManifest);
  assertTriplets(train);
  const validation = await readGroundTruth(folder.validation);
  const test = await readGroundTruth(folder.test);
  const testKind = describeTest(train, test);
  view.note(`${train.length} photographs to train on; the test: ${testKind}`);

  const measuring = { test, signal, view };
  const before = await step('offTheShelf', `Off-the-shelf: ${meta.architecture} as it is`, () =>
    measureStart(folder, { init, config, train, ...measuring }),
  );
  const run = new RunFolder(folder.run);
  const { start } = before;
  await step('training', `Fine-tuning: ${config.steps} updates by the triplet loss`, () =>
    withFolderLock(run.path, () => fineTune(folder, run, { start, config, train, validation, ...measuring }), {
      within: ['checkpoints'],
    }),
  );
  const fineTuned = await step('fineTuned', 'Fine-tuned: the same queries again', () =>
    withModel(run.model, (model) => evaluate(model, { config, label: 'describe', ...measuring })),
  );
  view.note(`mAP ${figure(fineTuned)}, off-the-shelf ${figure(before.offTheShelf)}`);
  const { manifest: exported, verified } = await step('export', 'Export: ONNX, run again in plain ONNX Runtime', () =>
    exportModel({
      model: run.model,
      out: folder.exported,
      sizes: sizesOf(meta, config),
      overwrite: true,
      device,
      threads,
    }),
  );
  const wrong = verified.findIndex(({ ok }) => !ok);
  if (wrong >= 0) throw new InputError(`${join(folder.exported, exported.files[wrong].file)} differs from the model.`);
  const difference = largest(verified.map(({ maxDifference }) => maxDifference));
  view.note(`${exported.files.length} files, largest difference ${difference.toExponential(1)}`);
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
  await step('report', 'Report', () => writeDemoReport(result, { folder, run, test, curve, init, images, generate }));
  return result;
}

function initialWeights({ init }: DemoOptions): string {
  if (init !== undefined) return init;
  if (existsSync(packageTrunk)) return packageTrunk;
  throw new InputError(`${packageTrunk} is missing; name a network with --init FILE.`);
}

/** 4:3 and 3:4, as most cameras take them, in whole cells of the feature map. */
function sizesOf({ architecture, cut }: ModelMeta, { imageSize }: TripletConfig) {
  const { stride } = cutTrunk(architectureNamed(architecture), cut);
  const short = Math.max(1, Math.round((imageSize * 3) / 4 / stride)) * stride;
  return [
    { width: imageSize, height: short },
    { width: short, height: imageSize },
  ];
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
