/** @file `rmac compare`: models and published systems side by side on one benchmark, as a table and a page. */
import { type Command, Option } from 'commander';
import { averagePrecisionRules } from '../retrieval/average-precision.js';
import type { CompareStageOptions } from '../stages/compare.js';
import { loadStage } from '../stages/load-stage.js';
import { addBenchmarkOptions, protocolsHelp } from './benchmark-options.js';
import {
  addCommonOptions,
  alignedLines,
  type CommonOptions,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';
import { sizeOption } from './model-options.js';
import { addFitOptions } from './preset-options.js';

const list = (text: string): string[] => text.split(',').filter((name) => name !== '');

export function register(program: Command): void {
  const command = program.command('compare');
  addBenchmarkOptions(command)
    .option(
      '--models <list>',
      'model files and presets (rmac evaluate --presets), comma-separated; the first is the reference',
      list,
    )
    .option('--table <name>', 'systems of a publication: a file of recipes/tables, or a path')
    .option('--weights <list>', 'model files whose networks the presets run on', list, []);
  addFitOptions(command)
    .option('--size <px>', 'longest side of all (default: each its own)', sizeOption)
    .option('--snap <px>', 'round both sides to multiples of this', positiveInteger)
    .addOption(
      new Option('--ap <rule>', 'trapezoid (Oxford/Paris) or finite-sum')
        .choices(averagePrecisionRules)
        .default('trapezoid'),
    )
    .option('--seed <n>', 'of the intervals and tests', nonNegativeInteger, 0)
    .requiredOption('--out <dir>', 'folder of the page; a comparison that was stopped goes on there');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Each system is measured once and kept in DIR/systems; one whose files or settings changed is measured again.
${protocolsHelp}

Examples:
  rmac compare --protocol groundtruth --groundtruth gt.json --models densenet121.safetensors,runs/a/model.safetensors --out compared
  rmac compare --protocol roxford5k --data roxford5k --models runs/a/model.safetensors,rmac-plus,os-rmac --weights resnet50.safetensors --fit train.jsonl --out compared
  rmac compare --protocol oxford5k --data oxford5k --table tolias-2016 --weights vgg16.safetensors --fit paris.jsonl --out compared`,
    )
    .action(run);
}

async function run(options: CompareStageOptions & CommonOptions): Promise<void> {
  const { compare } = await loadStage.compare();
  const { table, ...result } = await compare(options, terminalContext);
  const text = [...alignedLines(table), '', ...result.notes, `Wrote ${result.report}.`].join('\n');
  printResult(result, text, options);
}
