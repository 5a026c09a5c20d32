/** @file `rmac group`: which photographs show the same thing, without labels. */
import type { Command } from 'commander';
import { group, type GroupStageOptions, type GroupStageResult } from '../stages/group.js';
import {
  addCommonOptions,
  type CommonOptions,
  fraction,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';
import { addColumnOption, type ColumnFlags } from './index-collection.js';
import { addModelOptions } from './model-options.js';

export function register(program: Command): void {
  const command = program
    .command('group')
    .argument('<source>', 'folder, .jsonl manifest, .csv table, or text file with one path per line')
    .requiredOption('--model <file>', 'model weights (.safetensors), by whose descriptors candidates are chosen')
    .requiredOption('--out <dir>', 'folder for groups.jsonl, groups.csv, copies.jsonl and report.html');
  addColumnOption(addModelOptions(command))
    .option(
      '--neighbours <n>',
      'nearest photographs that each is compared with, half as many by local features',
      positiveInteger,
      20,
    )
    .option('--min-inliers <n>', 'keypoints on one affine map that make a pair', positiveInteger, 15)
    .option(
      '--overlap <share>',
      "of the cells that a pair lies on in common with a photograph's best pair where it connects",
      fraction,
      0.3,
    )
    .option('--no-report', 'write no report.html')
    .option('--overwrite', 'replace existing results');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
groups.jsonl is a manifest to train on: photographs in groups, the group as their landmark, copies left out. An interrupted run continues
when the same command is given again.

Example:
  rmac group photographs/ --model model.safetensors --out groups/
  rmac train triplet --manifest groups/groups.jsonl --run run/`,
    )
    .action(run);
}

async function run(source: string, flags: Omit<GroupStageOptions, 'source' | 'columns'> & ColumnFlags & CommonOptions) {
  const { column, ...options } = flags;
  const result = await group({ ...options, source, columns: column }, terminalContext);
  printResult(result, groupText(result), flags);
}

function groupText({ photographs, groups, grouped, copies, pairs, failures, files }: GroupStageResult): string {
  return [
    `${groups} groups with ${grouped} of ${photographs} photographs; ${copies} copies; ${failures.length} skipped.`,
    `${pairs.compared} pairs compared, ${pairs.verified} verified.`,
    `Wrote ${files.manifest}.`,
  ].join('\n');
}
