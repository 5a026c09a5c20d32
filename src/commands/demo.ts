/** @file `rmac demo`: the whole pipeline on generated landmark photographs, or on yours. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { DemoResult } from '../demo/run-demo.js';
import { InputError } from '../errors.js';
import {
  addCommonOptions,
  type CommonOptions,
  formatSeconds,
  interruptSignal,
  nonNegativeInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { openEngine } from './open-model.js';
import { packageTrunk } from '../run/run-start.js';
import { largest } from '../extremes.js';

interface DemoCommandOptions extends CommonOptions {
  out: string;
  images?: string;
  init?: string;
  seed: number;
  overwrite?: boolean;
}

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
small-triplet and take longer.

Examples:
  rmac demo
  rmac demo --images photos --init densenet121.safetensors --out photos-demo`,
    )
    .action(run);
}

async function run(options: DemoCommandOptions): Promise<void> {
  const { runDemo } = await import('../demo/run-demo.js');
  const { compareQueries, resultRows } = await import('../demo/demo-report.js');
  const { out, images, seed, overwrite } = options;
  const startedAt = performance.now();
  const signal = interruptSignal();
  await openEngine(options);
  let result: DemoResult;
  try {
    result = await runDemo(
      { out, images, init: initialWeights(options), seed, overwrite, signal },
      {
        stage: say,
        note: (line) => say(`      ${line}`),
        progress: (label, total) => startProgress(`      ${label}`, total),
      },
    );
  } catch (error) {
    // Whatever was cut short; the stages that were finished are kept.
    if (signal.aborted) throw new InputError('Interrupted; the same command continues where it stopped.');
    throw error;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { columns, rows } = resultRows(result);
  const lines = [
    alignedTable([columns, ...rows]),
    '',
    compareQueries(result),
    `Report: ${result.report}   (${formatSeconds(seconds)})`,
  ];
  printResult(resultJson(result, seconds), lines.join('\n'), options);
}

function initialWeights({ init }: DemoCommandOptions): string {
  if (init !== undefined) return init;
  if (existsSync(packageTrunk)) return packageTrunk;
  throw new InputError(`${packageTrunk} is missing; name a network with --init FILE.`);
}

/** What `--json` prints. */
export function resultJson(result: DemoResult, seconds: number) {
  const figures = ({ map, precisionAt1, recallAt }: DemoResult['fineTuned']) => ({
    map,
    precisionAt1,
    recallAt10: recallAt.get(10),
  });
  const { offTheShelf, whitened, fineTuned, report, steps } = result;
  return {
    offTheShelf: { ...figures(offTheShelf), ...(whitened && { whitened: figures(whitened) }) },
    fineTuned: { ...figures(fineTuned), steps },
    report,
    queries: fineTuned.queries.length,
    database: fineTuned.databaseSize,
    seconds: Math.round(seconds),
    stages: result.seconds,
  };
}

/** Columns aligned: the first to the left, figures to the right. */
function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => largest(rows.map((row) => row[column].length)));
  const cell = (value: string, column: number) =>
    column === 0 ? value.padEnd(widths[column]) : value.padStart(widths[column] + 2);
  return rows.map((row) => row.map(cell).join('')).join('\n');
}
