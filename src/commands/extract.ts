/** @file `rmac extract`: descriptors of a folder, a manifest or a list of images. */
import { type Command } from 'commander';
import type { ImageSizing } from '../data/images.js';
import { UsageError } from '../errors.js';
import { type RegionSource, regionsText } from '../models/region-source.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import type { Extraction } from '../retrieval/extract.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  type Progress,
  printResult,
  say,
  startProgress,
} from './console.js';
import { addModelOptions, type ModelOptions, openEngine, openModel } from './open-model.js';
import { addPresetOptions, checkPresetUsage, type PresetOptions, presetJson, readyPreset } from './preset-options.js';
import { addRegionsOption, describerFor } from './regions-option.js';

interface ExtractCommandOptions extends CommonOptions, ModelOptions, PresetOptions {
  model?: string;
  images: string;
  out: string;
  regions?: RegionSource;
  shard?: Shard;
  crop?: boolean;
  overwrite?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('extract')
    .description('Compute the descriptors of images.')
    .option('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--images <source>', 'folder, .jsonl manifest, or text file with one path per line')
    .requiredOption('--out <dir>', 'folder for descriptors.npy, ids.txt and meta.json');
  addPresetOptions(addRegionsOption(addModelOptions(command)))
    .option('--crop', "describe each record's box instead of its whole image")
    .option(
      '--shard <i/n>',
      'only part i of n (1/4 to 4/4), for several machines; evaluate reads the parts together',
      shardOption,
    )
    .option('--overwrite', 'replace existing results');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
An interrupted run continues when the same command is given again. Images that cannot be read are listed in meta.json
and left out. Ids are paths relative to the folder or list, without extension; a manifest has its own.

Example:
  rmac extract --model model.safetensors --images photos/ --size 512 --out descriptors/`,
    )
    .action(run);
}

/** commander parser: "2/4" is part 2 of 4. */
export function shardOption(text: string): Shard {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || count < 1 || index < 1 || index > count) {
    throw new UsageError(`--shard: expected i/n with i from 1 to n, such as 1/4, got "${text}".`);
  }
  return { index, count };
}

async function run(options: ExtractCommandOptions): Promise<void> {
  const { out, shard, crop = false, overwrite } = options;
  checkUsage(options);
  const { listImages } = await import('../retrieval/image-list.js');
  const { extractDescriptors } = await import('../retrieval/extract.js');
  const { shardOf } = await import('../retrieval/descriptor-folder.js');

  const listed = await listImages(options.images);
  const items = (shard === undefined ? listed : shardOf(listed, shard)).map(({ id, path, box }) => ({
    id,
    path,
    crop: crop ? box : undefined,
  }));
  const source = options.preset === undefined ? await modelSource(options) : await presetSource(options, items);
  let progress: Progress | undefined;
  const startedAt = performance.now();
  let failed = 0;
  let extraction: Extraction;
  try {
    extraction = await extractDescriptors(source.describer, items, {
      folder: out,
      sizing: source.sizing,
      settings: { ...source.settings, snap: `${options.snap ?? 1}`, crop: crop ? 'box' : 'none' },
      shard,
      meta: source.meta,
      overwrite,
      signal: source.signal,
      onStart: (resumed, waiting) => {
        progress = startProgress(resumed === 0 ? 'extract' : `extract (${resumed} kept)`, waiting);
      },
      onProgress: (done) => progress?.update(done),
      onFailure: ({ id, error }) => {
        failed++;
        if (failed <= 10) say(`skipped ${id}: ${error}`);
        if (failed === 11) say('skipped more images; all are listed in meta.json.');
      },
    });
  } finally {
    progress?.stop();
    source.dispose();
  }
  const { images, dimension, resumed, failures } = extraction;
  const seconds = (performance.now() - startedAt) / 1000;
  const result = { out, images, dimension, resumed, failures, seconds };
  const skipped = failures.length === 0 ? '' : `, ${failures.length} skipped`;
  const before = resumed === 0 ? '' : `, ${resumed} of them from an earlier run`;
  printResult(result, `${images} descriptors of ${dimension} values in ${out}${before}${skipped}`, options);
}

function checkUsage(options: ExtractCommandOptions): void {
  const { model, preset, pooling, regions } = options;
  if ((model === undefined) === (preset === undefined)) {
    throw new UsageError('Give either --model FILE or --preset NAME with --weights FILE.');
  }
  checkPresetUsage(options);
  if (preset !== undefined && (pooling !== undefined || regions !== undefined)) {
    throw new UsageError('--pooling and --regions do not go with --preset, which sets them.');
  }
}

/** What describes the images, and what its descriptors depend on. */
interface DescriptorSource {
  describer: Parameters<typeof import('../retrieval/extract.js').extractDescriptors>[0];
  sizing?: ImageSizing;
  settings: Record<string, string>;
  /** For meta.json. */
  meta: Record<string, unknown>;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  dispose: () => void;
}

async function modelSource(options: ExtractCommandOptions): Promise<DescriptorSource> {
  const { model: modelFile = '', regions } = options;
  const { checksum } = await import('../retrieval/extract.js');
  const { sizingFor } = await import('../retrieval/describe.js');
  const modelChecksum = await checksum(modelFile);
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const { meta } = model;
  const describer = await describerFor(model, modelFile, regions);
  const sizing = sizingFor(meta, options);
  return {
    describer,
    sizing,
    settings: {
      model: modelChecksum,
      pooling: JSON.stringify(meta.pooling),
      size: `${sizing.upscale === false ? 'at most ' : ''}${sizing.longest}`,
      regions: regionsText(regions ?? meta.regions),
    },
    meta: { model: meta },
    signal: interruptSignal(),
    dispose: () => {
      describer.dispose();
      model.dispose();
    },
  };
}

async function presetSource(
  options: ExtractCommandOptions,
  items: readonly { path: string }[],
): Promise<DescriptorSource> {
  const { weights = '', fit, classifier } = options;
  const { checksum } = await import('../retrieval/extract.js');
  const { describeFilesBySystem } = await import('../systems/describe-for-system.js');
  const ready = await readyPreset(
    options,
    items.map(({ path }) => path),
  );
  const { system } = ready;
  if (system.vectors('database') !== 1) {
    const count = system.vectors('database');
    system.dispose();
    throw new UsageError(
      `${system.name} keeps ${count} vectors per image; extract writes one. Use rmac evaluate --preset.`,
    );
  }
  const { distance } = system.settings;
  if (distance === 'manhattan' || distance === 'layers') {
    say(
      `${system.name} is searched by another distance (${distance}) than the dot product of rmac evaluate --descriptors.`,
    );
  }
  const sum = async (file: string | undefined) => (file === undefined ? 'none' : checksum(file));
  return {
    describer: {
      dimension: system.dimension,
      describeFiles: (waiting, work) => describeFilesBySystem(system, waiting, work),
    },
    settings: {
      system: system.name,
      systemSettings: JSON.stringify(system.settings),
      weights: await checksum(weights),
      fit: `${await sum(fit)} ${options.fitImages ?? 'all'} ${options.fitSeed}`,
      classifier: await sum(classifier),
    },
    meta: { system: presetJson(ready) },
    signal: ready.signal,
    dispose: () => system.dispose(),
  };
}
