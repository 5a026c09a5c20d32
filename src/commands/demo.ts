/** @file `rmac demo`: the whole pipeline on generated landmark photographs, or on yours. */
import type { Command } from 'commander';
import { compareQueries, resultJson, resultRows } from '../demo/demo-result.js';
import type { DemoOptions } from '../stages/demo.js';
import { loadStage } from '../stages/load-stage.js';
import {
  addCommonOptions,
  alignedLines,
  formatSeconds,
  nonNegativeInteger,
  printResult,
  terminalContext,
} from './console.js';

export function register(program: Command): void {
  const command = program
    .command('demo')
    .option('--out <dir>', 'folder for everything the demo makes', 'rmac-demo')
    .option('--images <dir>', 'your photographs, a folder per landmark (default: generated ones)')
    .option('--init <file>', 'network to start from (.safetensors; default: the small trunk of this package)')
    .option('--seed <n>', 'seed of photographs, split and training', nonNegativeInteger, 1)
    .option('--overwrite', 'replace an earlier demo in --out');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Stopped by Ctrl-C, the same command continues. With --images, six or more landmarks are split by landmark (a third is
never trained on and makes the test), fewer by photograph. Other networks than the small trunk train by the recipe
small-classify-triplet and take longer.

Examples:
  rmac demo
  rmac demo --images photos --init densenet121.safetensors --out photos-demo`,
    )
    .action(run);
}

async function run(options: DemoOptions & { json?: boolean }): Promise<void> {
  const { demo } = await loadStage.demo();
  const startedAt = performance.now();
  const result = await demo(options, terminalContext);
  const seconds = (performance.now() - startedAt) / 1000;
  const lines = [
    ...alignedLines(resultRows(result)),
    '',
    compareQueries(result),
    `Report: ${result.report}   (${formatSeconds(seconds)})`,
  ];
  printResult(resultJson(result, seconds), lines.join('\n'), options);
}
