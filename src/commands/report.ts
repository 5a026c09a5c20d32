/** @file `rmac report`: one HTML page of a training run. */
import type { Command } from 'commander';
import type { ReportStageOptions } from '../stages/report.js';
import { loadStage } from '../stages/load-stage.js';
import { addCommonOptions, type CommonOptions, positiveInteger, printResult, terminalContext } from './console.js';
import { imageRootOption } from './image-root-option.js';

export function register(program: Command): void {
  const command = program
    .command('report')
    .argument('<run>', 'run folder of "rmac train"; it may be unfinished')
    .option('--out <file>', 'the page (default: report.html in the run folder)')
    .option('--overwrite', 'replace an existing page')
    .option('--manifest <file>', 'manifest of the training images, for pictures (default: the one the run names)')
    .option(...imageRootOption)
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

async function run(path: string, options: Omit<ReportStageOptions, 'run'> & CommonOptions): Promise<void> {
  const { reportRun } = await loadStage.report();
  const result = await reportRun({ ...options, run: path }, terminalContext);
  printResult(result, result.report, options);
}
