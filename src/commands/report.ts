/** @file `rmac report`: one HTML page of a training run. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../errors.js';
import type { ImageRecord } from '../data/manifest.js';
import type { ReportBlock, ReportPicture } from '../report/page.js';
import type { RunContents } from '../report/run-report.js';
import type { RunFolder } from '../run/run-folder.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { openEngine } from './open-model.js';
import { append } from '../extremes.js';

interface ReportOptions extends CommonOptions {
  out?: string;
  overwrite?: boolean;
  manifest?: string;
  init?: string;
  neurons: number;
  images: number;
  heatMaps?: number;
}

export function register(program: Command): void {
  const command = program
    .command('report')
    .argument('<run>', 'run folder of "rmac train"; it may be unfinished')
    .option('--out <file>', 'the page (default: report.html in the run folder)')
    .option('--overwrite', 'replace an existing page')
    .option('--manifest <file>', 'manifest of the training images, for pictures (default: the one the run names)')
    .option('--init <file>', 'the model that training started from: shows what excites single neurons before and after')
    .option(
      '--heat-maps <n>',
      'of so many of the hardest triplets, show which places make query and positive similar; with --init before and after',
      positiveInteger,
    )
    .option('--neurons <n>', 'neurons to show with --init', positiveInteger, 4)
    .option('--images <n>', 'images that are searched for them, evenly from the manifest', positiveInteger, 200);
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  rmac report runs/first
  rmac report runs/first --heat-maps 4 --overwrite
  rmac report runs/first --init densenet121.safetensors --out first.html --overwrite`,
    )
    .action(run);
}

async function run(path: string, options: ReportOptions): Promise<void> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { readRun, runReport } = await import('../report/run-report.js');
  const { assertWritable, writeFileAtomic } = await import('../data/files.js');
  const folder = new RunFolder(path);
  const contents = await readRun(folder);
  const out = options.out ?? join(path, 'report.html');
  assertWritable(out, options);
  const records = await recordsOf(options, path, contents.manifest);
  const neurons =
    options.init === undefined ? undefined : await describeNeurons(options, folder, { records, contents });
  const places = options.heatMaps === undefined ? undefined : await drawPlaces(options, folder, { records, contents });
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
  const result = { run: path, report: out, step, stopped, ...measured, unreadable: unreadable.length, problems };
  for (const problem of problems) say(problem);
  printResult(result, out, options);
}

/** The training images; undefined where the manifest that the run names is not there any more. */
async function recordsOf(
  { manifest }: ReportOptions,
  folder: string,
  named: string | undefined,
): Promise<ImageRecord[] | undefined> {
  const { readManifest } = await import('../data/manifest.js');
  if (manifest !== undefined) return readManifest(manifest);
  if (named === undefined) return undefined;
  const file = join(folder, named);
  if (existsSync(file)) return readManifest(file);
  say(`${file}, the manifest of the run, is missing; --manifest FILE shows pictures.`);
  return undefined;
}

async function describeNeurons(
  { init, neurons, images, ...options }: ReportOptions,
  folder: RunFolder,
  { records, contents }: { records: ImageRecord[] | undefined; contents: { config: Record<string, unknown> } },
): Promise<ReportBlock[]> {
  if (records === undefined) throw new InputError('--init needs the training images too: --manifest FILE.');
  const trained = trainedModel(folder, '--init');
  const { loadModel } = await import('../data/model-file.js');
  const { changedNeurons, neuronBlocks } = await import('../report/neuron-patches.js');
  await openEngine(options);
  const before = await loadModel(init as string);
  try {
    const after = await loadModel(trained);
    try {
      const { stride } = after;
      const size = sizeOf(contents.config, after.meta.imageSize);
      const searched = evenly(records, images);
      const progress = startProgress('search images', searched.length);
      const changes = await changedNeurons({ before, after }, searched, {
        imageSize: size,
        neurons,
        signal: interruptSignal(),
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
  { init, heatMaps, ...options }: ReportOptions,
  folder: RunFolder,
  { records, contents }: { records: ImageRecord[] | undefined; contents: RunContents },
): Promise<ReportBlock[]> {
  if (records === undefined) throw new InputError('--heat-maps needs the training images too: --manifest FILE.');
  const { lastMining } = await import('../report/run-report.js');
  const { loadModel } = await import('../data/model-file.js');
  const { pairPictures, placesText, showsPlaces, similarPair } = await import('../report/similarity-pictures.js');
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
          imageSize: sizeOf(contents.config, model.meta.imageSize),
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
function sizeOf({ cropSize, imageSize = cropSize }: Record<string, unknown>, stored: number | undefined): number {
  return typeof imageSize === 'number' ? imageSize : (stored ?? 320);
}

/** At most `count` of the items, spread over all. */
function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}
