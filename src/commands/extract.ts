/** @file `rmac extract`: descriptors of a folder, a manifest or a list of images. */
import { type Command } from 'commander';
import { UsageError } from '../errors.js';
import type { ExtractStageOptions } from '../stages/extract.js';
import { loadStage } from '../stages/load-stage.js';
import { addCommonOptions, type CommonOptions, printResult, terminalContext } from './console.js';
import { addModelOptions } from './model-options.js';
import { addPresetOptions } from './preset-options.js';
import { addRegionsOption } from './regions-option.js';
import { shardOption } from './shard-option.js';

export function register(program: Command): void {
  const command = program
    .command('extract')
    .option('--model <file>', 'model weights (.safetensors)')
    .option('--images <source>', 'folder, .jsonl manifest, .csv table, or text file with one path per line')
    .requiredOption('--out <dir>', 'folder for descriptors.npy, ids.txt and meta.json');
  addPresetOptions(addRegionsOption(addModelOptions(command)))
    .option('--crop', "describe each record's box instead of its whole image")
    .option(
      '--shard <i/n>',
      'only part i of n (1/4 to 4/4), for several machines; slurm: of the job array; evaluate reads the parts together',
      shardOption,
    )
    .option('--merge', 'make one whole set of the parts in --out, and remove them')
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

async function run({ merge, ...options }: ExtractStageOptions & CommonOptions & { merge?: boolean }): Promise<void> {
  if (merge === true) {
    const { model, images, shard, out, overwrite = false } = options;
    if ((model ?? images ?? shard) !== undefined) throw new UsageError('--merge needs --out alone.');
    const { mergeShards } = await loadStage.mergeShards();
    const merged = await mergeShards(out, { overwrite });
    const text = `${merged.images} descriptors of ${merged.dimension} values in ${out}, of ${merged.shards} shards`;
    printResult({ out, ...merged }, text, options);
    return;
  }
  if (options.images === undefined) throw new UsageError('Give --images SOURCE.');
  const { extract } = await loadStage.extract();
  const result = await extract(options, terminalContext);
  const { out, images, dimension, resumed, failures } = result;
  const skipped = failures.length === 0 ? '' : `, ${failures.length} skipped`;
  const before = resumed === 0 ? '' : `, ${resumed} of them from an earlier run`;
  printResult(result, `${images} descriptors of ${dimension} values in ${out}${before}${skipped}`, options);
}
