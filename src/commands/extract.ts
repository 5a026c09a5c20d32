/** @file `rmac extract`: descriptors of a folder, a manifest or a list of images. */
import { type Command } from 'commander';
import { UsageError } from '../errors.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import type { Extraction } from '../retrieval/extract.js';
import { addCommonOptions, printResult, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';
import { modelSource, presetSource, type SourceOptions } from './descriptor-source.js';
import { addModelOptions } from './open-model.js';
import { addPresetOptions, checkPresetUsage } from './preset-options.js';
import { addRegionsOption } from './regions-option.js';

interface ExtractCommandOptions extends SourceOptions {
  images: string;
  out: string;
  shard?: Shard;
  crop?: boolean;
  overwrite?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('extract')
    .option('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--images <source>', 'folder, .jsonl manifest, .csv table, or text file with one path per line')
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
  const { listImages } = await import('../data/image-list.js');
  const { extractDescriptors } = await import('../retrieval/extract.js');
  const { shardOf } = await import('../retrieval/descriptor-folder.js');

  const listed = await listImages(options.images);
  const items = (shard === undefined ? listed : shardOf(listed, shard)).map(({ id, path, box }) => ({
    id,
    path,
    crop: crop ? box : undefined,
  }));
  const source = options.preset === undefined ? await modelSource(options) : await presetSource(options, items);
  let progress: StageProgress | undefined;
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
