/**
 * @file The whole pipeline on one set of photographs: clean them (generated ones), measure the network as it is, train it by classification and
 * then by ranking (Gordo et al. 2016), measure it after each on the same queries, export it, and write a report. A page of calls of the other stages.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { settingsList } from '../config.js';
import { withFolderLock } from '../data/folder-lock.js';
import { groupBy } from '../data/group-by.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { readModelFile } from '../data/model-file.js';
import { DemoFolder } from '../demo/demo-folder.js';
import { writeDemoReport } from '../demo/demo-report.js';
import type { DemoResult } from '../demo/demo-result.js';
import { photosPerLandmark, splitPhotographs } from '../demo/own-photographs.js';
import { configOf, sizesOf } from '../demo/demo-recipe.js';
import { describeTest, watchingUpdates } from '../demo/demo-training.js';
import { InputError } from '../errors.js';
import { largest } from '../extremes.js';
import { cutTrunk } from '../models/architecture.js';
import { architectureNamed } from '../models/architectures.js';
import { readGroundTruth } from '../retrieval/ground-truth.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { RunFolder } from '../run/run-folder.js';
import { readRunLog } from '../run/run-log.js';
import { packageTrunk } from '../run/run-start.js';
import type { SynthesizeSummary } from '../synthetic/dataset.js';
import type { SynthesizeOptions } from '../synthetic/dataset-plan.js';
import { assertTriplets } from '../train/ranking/ranking-trainer.js';
import { clean } from './clean.js';
import { silentView, type StageContext, type StageView } from './context.js';
import { exportModel } from './export.js';
import { measureRetrieval } from './measure-retrieval.js';
import { type EngineChoice, openEngine } from './open-model.js';
import { scan, type ScanReport } from './scan.js';
import { synthesize } from './synthesize.js';
import { trainClassify } from './train-classify.js';
import { trainTriplet } from './train-triplet.js';
import { whitenModel } from './whiten.js';

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

/** The generated collection. */
export const generatedPhotographs: Required<Omit<SynthesizeOptions, 'seed'>> = {
  landmarks: 60,
  siblings: 1,
  testShare: 0.2, // many landmarks to train on: classes are what the network learns from
  photos: 12,
  noise: 0.1,
  variation: 0.25, // what the small trunk can learn from in minutes
  size: 288,
};

/** Database augmentation and query expansion of Gordo et al. 2016, with fewer neighbours: a landmark has about ten photographs. */
const expansion = { dba: { kind: 'gordo', k: 5 }, qe: { kind: 'average', k: 3 } } as const;

/** Results per query that are kept for the report; the query itself may be among them. */
const resultsPerQuery = 11;

/** Networks with proposals are measured and trained without. */
const grid = { grid: true, proposals: 0 };

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
  { signal, view: outer }: Required<Pick<StageContext, 'signal' | 'view'>>,
): Promise<DemoResult> {
  const { images, seed = 1, device, threads } = options;
  const init = startingWeights(options);
  const view = indented(outer);
  // The demo says itself what the stages found.
  const quiet = { signal, view: { ...view, note() {} } };
  if (images !== undefined) await folder.assertApartFrom(images);
  const { meta } = await readModelFile(init);
  const trunk = cutTrunk(architectureNamed(meta.architecture), meta.cut);
  const { recipe, config } = await configOf(trunk, { seed, set: options.set });
  const generate = { ...generatedPhotographs, ...options.generate, seed };
  const settings = { ...(images === undefined ? { generate } : { images }), init, recipe, config };
  if (await folder.prepare(settings, options)) view.note(`Continuing the unfinished demo in ${folder.path}.`);

  const ownPhotographs = async (source: string) => {
    const scanning = { source, out: folder.manifest, minImages: photosPerLandmark, overwrite: true };
    const found = await scan(scanning, quiet);
    return `${scanText(found)}; ${await splitPhotographs(source, folder, seed)}`;
  };

  const seconds: Record<string, number> = {};
  let number = 0;
  const whitens = config.whitenDimension > 0 && meta.whitening === undefined;
  const steps = 5 + [images === undefined, config.classify !== undefined, whitens].filter(Boolean).length;
  const step = async <T>(name: string, title: string, work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    outer.note(`[${++number}/${steps}] ${title}`);
    const startedAt = performance.now();
    const result = await work();
    signal.throwIfAborted();
    seconds[name] = Math.round((performance.now() - startedAt) / 100) / 10;
    return result;
  };

  await step('photographs', `Photographs: ${images ?? 'generated landmarks'}`, async () => {
    if (existsSync(folder.test)) return; // of the demo that is continued
    const made = { out: folder.photographs, overwrite: true, ...generate };
    view.note(images === undefined ? synthesisText(await synthesize(made, quiet)) : await ownPhotographs(images));
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
  const test = await readGroundTruth(folder.test);
  const testKind = describeTest(train, test);
  view.note(`${train.length} photographs to train on; the test: ${testKind}`);

  const engine = { device, threads };
  /** As `rmac evaluate` does: the longest side of training, the image's own shape. */
  const measure = async (model: string, expanding?: typeof expansion) => {
    const asking = {
      protocol: 'groundtruth',
      model,
      size: config.imageSize,
      regions: grid,
      ...expanding,
      ...engine,
    } as const;
    const truth = { settings: [{ name: 'groundtruth', groundTruth: test }], main: 'groundtruth' };
    const [measured] = await measureRetrieval(truth, {}, { ...asking, top: resultsPerQuery }, quiet, (made) => {
      if (made.results[0].queries.length > 0) return made.results;
      throw new InputError(`No query of the test could be described; the first problem: ${made.failures[0]?.error}`);
    });
    return measured;
  };
  const offTheShelf = await step('offTheShelf', `Off the shelf: ${meta.architecture} as it is`, () => measure(init));
  view.note(figures(offTheShelf));
  const run = new RunFolder(folder.run);
  const { classify, ...ranking } = config;
  const whiten = async (model: string) => {
    if (!whitens) return undefined;
    const measured = await step(
      'whitening',
      'Whitening, learned from the regions of the training photographs',
      async () => {
        const { warnings } = await whitenModel(
          {
            model,
            manifest: folder.trainManifest,
            out: folder.whitened,
            // A few photographs have too few independent regions for a recipe's dimension.
            dimension: Math.min(config.whitenDimension, trunk.channels, 4 * train.length),
            size: config.imageSize,
            snap: trunk.stride,
            regions: grid,
            maxImages: config.whitenImages,
            seed,
            overwrite: true,
            ...engine,
          },
          quiet,
        );
        for (const warning of warnings) view.note(warning);
        return measure(folder.whitened);
      },
    );
    view.note(figures(measured));
    return measured;
  };
  const training = { manifest: folder.trainManifest, resume: true, seed, ...engine };
  let [start, classified] = [init, undefined as EvaluationResult | undefined];
  if (classify !== undefined) {
    const title = `Fine-tuning by classification of ${landmarksOf(train)} landmarks: ${classify.steps} updates`;
    classified = await step('classification', title, async () => {
      const asking = { ...training, init, run: run.classify, set: settingsList(classify) };
      await watchingUpdates(view, (watcher) => trainClassify(asking, { signal, view: watcher }));
      start = modelOf(new RunFolder(run.classify));
      return measure(start);
    });
    view.note(figures(classified));
  }
  const whitened = await whiten(start);
  if (whitened !== undefined) start = folder.whitened;
  const title = `Fine-tuning by ranking: ${config.steps} updates by the ${config.loss} loss`;
  const { fineTuned, expanded } = await step('ranking', title, async () => {
    const asking = { ...training, init: start, val: folder.validation, run: run.path, set: settingsList(ranking) };
    await watchingUpdates(view, (watcher) => trainTriplet(asking, { signal, view: watcher }));
    const model = modelOf(run);
    return { fineTuned: await measure(model), expanded: await measure(model, expansion) };
  });
  view.note(`${figures(fineTuned)}; expanded ${figures(expanded)}`);
  const { manifest: exported, verified } = await step('export', 'Export: ONNX, run again in plain ONNX Runtime', () =>
    exportModel({
      model: run.model,
      out: folder.exported,
      sizes: sizesOf(trunk, config),
      overwrite: true,
      ...engine,
    }),
  );
  const wrong = verified.findIndex(({ ok }) => !ok);
  if (wrong >= 0) throw new InputError(`${join(folder.exported, exported.files[wrong].file)} differs from the model.`);
  const difference = largest(verified.map(({ maxDifference }) => maxDifference));
  view.note(`${exported.files.length} files, largest difference ${difference.toExponential(1)}`);
  const result: DemoResult = {
    out: folder.path,
    report: folder.report,
    meta,
    config,
    recipe,
    testKind,
    offTheShelf,
    classified,
    whitened,
    fineTuned,
    expanded,
    expansion,
    steps: (await readRunLog(run.log)).records.findLast(({ event }) => event === 'update')?.step ?? 0,
    exported,
    verified,
    seconds,
  };
  await step('report', 'Report', () => writeDemoReport(result, { folder, run, test, init, images, generate }));
  return result;
}

function synthesisText({ images, landmarks, wrong }: SynthesizeSummary): string {
  return `${images} photographs of ${landmarks} landmarks, ${wrong} of them wrong images`;
}

function scanText({ images, broken, duplicates, tooFew }: ScanReport): string {
  const left = [
    [broken.length, 'broken'],
    [duplicates.length, 'copies'],
    [tooFew.length, 'folders with too few'],
  ] as const;
  const leftOut = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return `${images} photographs${leftOut.length === 0 ? '' : ` (left out: ${leftOut.join(', ')})`}`;
}

function startingWeights({ init }: DemoOptions): string {
  if (init !== undefined) return init;
  if (existsSync(packageTrunk)) return packageTrunk;
  throw new InputError(`${packageTrunk} is missing; name a network with --init FILE.`);
}

/** What a training that was not stopped has left. */
function modelOf(run: RunFolder): string {
  if (existsSync(run.model)) return run.model;
  throw new InputError(`${run.path} has no model; pass --overwrite to start again.`);
}

function landmarksOf(records: readonly ImageRecord[]): number {
  return groupBy(records, ({ landmark }) => landmark).size;
}

function figures({ map, precisionAt1 }: EvaluationResult): string {
  return `mAP ${map.toFixed(3)}, P@1 ${precisionAt1.toFixed(3)}`;
}
