/** @file `rmac index build|add|remove|info`: a collection that can be searched. */
import type { Command } from 'commander';
import { columnMeanings, type ColumnNames } from '../collection/collect-photographs.js';
import { parseStoreAddress, storeAddressForms } from '../collection/stores/store-address.js';
import { UsageError } from '../errors.js';
import {
  addToIndex,
  buildIndex,
  type IndexAddOptions,
  type IndexBuildOptions,
  type IndexUpdateResult,
  removeFromIndex,
} from '../stages/index-update.js';
import { type CollectionInfo, indexInfo } from '../stages/collection-info.js';
import { addCommonOptions, type CommonOptions, printResult, say, terminalContext } from './console.js';
import { addModelOptions } from './model-options.js';

const sourceHelp = 'folder, .jsonl manifest, .csv table, or text file with one path per line';
/** Failures that are told one by one. */
const toldFailures = 10;

export function register(program: Command): void {
  const index = program.command('index').description('collections of photographs that can be searched');
  const build = index
    .command('build')
    .description('Make an index of photographs, or bring it up to date with them.')
    .argument('<source>', sourceHelp)
    .requiredOption('--model <file>', 'model weights (.safetensors); a copy is kept in the index')
    .requiredOption('--out <dir>', 'folder of the index');
  addColumnOption(addModelOptions(build))
    .option(
      '--distractors <source>',
      'photographs of other things, to learn from when a query is not in the collection',
    )
    .option('--name <text>', 'of the collection (default: the name of the folder)')
    .option('--store <address>', `a database for vectors and records: ${storeAddressForms}`, storeOption)
    .option('--overwrite', 'replace an index of another model or other settings, and what its table has');
  addCommonOptions(build)
    .addHelpText(
      'after',
      `
Only photographs that are new or have changed are described; those that are no longer listed leave. An interrupted run continues when the
same command is given again.

Example:
  rmac index build photos.csv --column id=inventory --column title=name --model model.safetensors --out collection/`,
    )
    .action(
      async (source: string, options: Omit<IndexBuildOptions, 'source' | 'columns'> & ColumnFlags & CommonOptions) => {
        const { column, ...rest } = options;
        printUpdate(await buildIndex({ ...rest, source, columns: column }, terminalContext), options);
      },
    );

  const add = index
    .command('add')
    .description('Add photographs to an index, or describe again those that have changed.')
    .argument('<source>', sourceHelp)
    .requiredOption('--index <dir>', 'folder of the index')
    .option('--model <file>', 'refused where it is not the model of the index');
  addCommonOptions(addColumnOption(add))
    .addHelpText('after', `\nExample:\n  rmac index add new-photos/ --index collection/`)
    .action(
      async (source: string, options: Omit<IndexAddOptions, 'source' | 'columns'> & ColumnFlags & CommonOptions) => {
        const { column, ...rest } = options;
        printUpdate(await addToIndex({ ...rest, source, columns: column }, terminalContext), options);
      },
    );

  index
    .command('remove')
    .description('Take photographs out of an index.')
    .argument('<id...>', 'ids of the photographs')
    .requiredOption('--index <dir>', 'folder of the index')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\nExample:\n  rmac index remove lighthouse/003 --index collection/`)
    .action(async (ids: string[], options: { index: string; json?: boolean }) => {
      printUpdate(await removeFromIndex({ ids, index: options.index }), options);
    });

  index
    .command('info')
    .description('Say what an index holds.')
    .argument('<index>', 'folder of the index')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\nExample:\n  rmac index info collection/`)
    .action(async (folder: string, options: { json?: boolean }) => {
      const info = await indexInfo(folder);
      printResult(info, infoText(info), options);
    });
}

/** commander parser: the text of an address that can be used. */
function storeOption(text: string): string {
  return parseStoreAddress(text).text;
}

export interface ColumnFlags {
  column?: ColumnNames;
}

/** Adds `--column`. */
export function addColumnOption(command: Command): Command {
  return command.option(
    '--column <meaning=name>',
    `a column of the table that is meant by ${columnMeanings.join(', ')}; several times`,
    columnOption,
  );
}

/** commander parser: "title=Titel", after what was given before. */
export function columnOption(text: string, before: ColumnNames = {}): ColumnNames {
  const at = text.indexOf('=');
  const meaning = columnMeanings.find((each) => each === text.slice(0, at));
  if (meaning === undefined || at === text.length - 1) {
    throw new UsageError(
      `--column: expected meaning=name with one of ${columnMeanings.join(', ')}, such as title=Name, got "${text}".`,
    );
  }
  return { ...before, [meaning]: text.slice(at + 1) };
}

function printUpdate(result: IndexUpdateResult, options: { json?: boolean }): void {
  const { index, photographs, added, changed, removed, unchanged, resumed, failures } = result;
  for (const { id, error } of failures.slice(0, toldFailures)) say(`skipped ${id}: ${error}`);
  if (failures.length > toldFailures) say(`skipped ${failures.length - toldFailures} more.`);
  const before = resumed === 0 ? '' : ` (${resumed} described in an earlier run)`;
  printResult(
    result,
    `${index}: ${photographs} photographs; ${added} added${before}, ${changed} changed, ${unchanged} unchanged, ${removed} removed, ${failures.length} skipped.`,
    options,
  );
}

function infoText({
  name,
  photographs,
  objects,
  columns,
  model,
  store,
  threshold,
  thresholdProbability,
  thresholdHow,
}: CollectionInfo): string {
  const similarity = threshold === undefined ? 'none' : threshold.toFixed(4);
  const limit = thresholdProbability === undefined ? similarity : `probability ${thresholdProbability.toFixed(2)}`;
  return [
    `${name}: ${photographs} photographs${objects === 0 ? '' : ` of ${objects} objects`}`,
    `model ${model.file}, ${model.dimension} values, sha256 ${model.sha256}`,
    ...(store === undefined ? [] : [`vectors in ${store}`]),
    ...(columns.length === 0 ? [] : [`columns ${columns.join(', ')}`]),
    `threshold ${limit}${thresholdHow === undefined ? '' : `: ${thresholdHow}`}`,
  ].join('\n');
}
