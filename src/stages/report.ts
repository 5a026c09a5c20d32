/** @file Writes one HTML page of a training run. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { evenly } from '../data/evenly.js';
import type { ImagePathOptions } from '../data/image-path.js';
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { loadModel } from '../data/model-file.js';
import { InputError } from '../errors.js';
import { append } from '../extremes.js';
import { changedNeurons, neuronBlocks } from '../report/neuron-patches.js';
import type { ReportBlock, ReportPicture } from '../report/page.js';
import { lastMining, readRun, type RunContents, runReport } from '../report/run-report.js';
import { pairPictures, placesText, showsPlaces, similarPair } from '../report/similarity-pictures.js';
import { RunFolder } from '../run/run-folder.js';
import { type StageContext, type StageView, silentView } from './context.js';
import { type EngineChoice, openEngine } from './open-model.js';

export interface ReportStageOptions extends EngineChoice, ImagePathOptions {
  /** Run folder; it may be unfinished. */
  run: string;
  /** The page. Default: report.html in the run folder. */
  out?: string;
  /** Replace an existing page. */
  overwrite?: boolean;
  /** Manifest of the training images, for pictures. Default: the one the run names. */
  manifest?: string;
  /** The model that training started from: shows what excites single neurons before and after. */
  init?: string;
  /** Neurons to show with `init`. Default 4. */
  neurons?: number;
  /** Images that are searched for them, evenly from the manifest. Default 200. */
  images?: number;
  /** Of so many of the hardest triplets, show which places make query and positive similar; with `init` before and after. */
  heatMaps?: number;
}

/** The page, and what it shows. */
export type ReportStageResult = Awaited<ReturnType<typeof reportRun>>;

/** Writes one HTML page of a training run, finished or not. @throws InputError where the folder is no run. */
export async function reportRun(options: ReportStageOptions, context: StageContext = {}) {
  const { run: path, init, heatMaps } = options;
  const { view = silentView } = context;
  const folder = new RunFolder(path);
  const contents = await readRun(folder);
  const out = options.out ?? join(path, 'report.html');
  assertWritable(out, options);
  const records = await recordsOf(options, contents.manifest, view);
  const read = { records, contents };
  const neurons = init === undefined ? undefined : await describeNeurons(init, folder, read, options, context);
  const places = heatMaps === undefined ? undefined : await drawPlaces(heatMaps, folder, read, options);
  const before = new RunFolder(folder.classify);
  const html = await runReport(contents, {
    title: `Training run ${basename(resolve(path))}`,
    records: records && new Map(records.map((record) => [record.id, record])),
    neurons,
    places,
    ...(existsSync(before.config) && { classify: await readRun(before) }),
  });
  await writeFileAtomic(out, html, options);
  const { step, stopped, criterion, first, last, best, unreadable, problems } = contents;
  const measured = criterion === undefined ? {} : { criterion, first, last, best };
  for (const problem of problems) view.note(problem);
  return { run: path, report: out, step, stopped, ...measured, unreadable: unreadable.length, problems };
}

/** The training images; undefined where the manifest that the run names is not there any more. */
async function recordsOf(
  { manifest, run, imageRoot }: ReportStageOptions,
  named: string | undefined,
  view: StageView,
): Promise<ImageRecord[] | undefined> {
  if (manifest !== undefined) return readManifest(manifest, { imageRoot });
  if (named === undefined) return undefined;
  const file = join(run, named);
  if (existsSync(file)) return readManifest(file, { imageRoot });
  view.note(`${file}, the manifest of the run, is missing; --manifest FILE shows pictures.`);
  return undefined;
}

async function describeNeurons(
  init: string,
  folder: RunFolder,
  { records, contents }: { records: ImageRecord[] | undefined; contents: RunContents },
  { neurons = 4, images = 200, ...options }: ReportStageOptions,
  context: StageContext,
): Promise<ReportBlock[]> {
  const { view = silentView } = context;
  if (records === undefined) throw new InputError('--init needs the training images too: --manifest FILE.');
  const trained = trainedModel(folder, '--init');
  await openEngine(options);
  const before = await loadModel(init);
  try {
    const after = await loadModel(trained);
    try {
      const { stride } = after;
      const size = imageSizeOf(contents.config, after.meta.imageSize);
      const searched = evenly(records, images);
      const progress = view.progress('search images', searched.length);
      const changes = await changedNeurons({ before, after }, searched, {
        imageSize: size,
        neurons,
        signal: context.signal,
        onProgress: (done) => progress.update(done),
      }).finally(() => progress.stop());
      return await neuronBlocks(changes, searched, { imageSize: size, stride });
    } finally {
      after.dispose();
    }
  } finally {
    before.dispose();
  }
}

/** Maps of the hardest triplets of the last mining, by the model of before the training, where it is named, and by the trained one. */
async function drawPlaces(
  heatMaps: number,
  folder: RunFolder,
  { records, contents }: { records: ImageRecord[] | undefined; contents: RunContents },
  { init, ...options }: ReportStageOptions,
): Promise<ReportBlock[]> {
  if (records === undefined) throw new InputError('--heat-maps needs the training images too: --manifest FILE.');
  const mined = lastMining(contents.records);
  if (mined === undefined) throw new InputError(`${folder.path} has mined no triplets; leave --heat-maps out.`);
  const pathOf = new Map(records.map(({ id, path }) => [id, path]));
  await openEngine(options);
  const blocks: ReportBlock[] = [{ kind: 'text', text: placesText }];
  const models = [
    ...(init === undefined ? [] : [['before training', init]]),
    ['trained', trainedModel(folder, '--heat-maps')],
  ];
  for (const [name, file] of models) {
    const model = await loadModel(file);
    try {
      if (!showsPlaces(model)) throw new InputError(`${file} pools proposals, of which --heat-maps shows nothing.`);
      const pictures: ReportPicture[] = [];
      for (const { query, positive } of mined.hardest.slice(0, heatMaps)) {
        const paths = [pathOf.get(query), pathOf.get(positive)];
        if (paths[0] === undefined || paths[1] === undefined) continue;
        const pair = await similarPair(model, [paths[0], paths[1]], {
          imageSize: imageSizeOf(contents.config, model.meta.imageSize),
        });
        if (pair !== undefined) append(pictures, await pairPictures(pair, [query, positive]));
      }
      blocks.push({ kind: 'text', text: name }, { kind: 'pictures', pictures });
    } finally {
      model.dispose();
    }
  }
  return blocks;
}

function trainedModel(folder: RunFolder, option: string): string {
  const trained = [folder.best, folder.model].find((file) => existsSync(file));
  if (trained === undefined) throw new InputError(`${folder.path} has no model yet; leave ${option} out.`);
  return trained;
}

/** Longest side of the run's images, px. */
function imageSizeOf({ cropSize, imageSize = cropSize }: Record<string, unknown>, stored: number | undefined): number {
  return typeof imageSize === 'number' ? imageSize : (stored ?? 320);
}
