/** @file `rmac regions`: how well a model's grid and proposals find the boxes of a manifest. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { mostProposals } from '../models/region-source.js';
import { recallTable } from '../report/regions-report.js';
import { measureModelRegions, type RegionsStageOptions } from '../stages/regions.js';
import {
  addCommonOptions,
  alignedLines,
  type CommonOptions,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';

export function register(program: Command): void {
  const command = program
    .command('regions')
    .requiredOption('--manifest <file>', '.jsonl manifest with boxes, of photographs the proposals were not trained on')
    .requiredOption('--model <file>', 'model of "rmac train rpn"; of any other the grid alone is measured')
    .option('--proposals <list>', 'numbers of proposals', proposalList, [16, 32, 64, 128, 256])
    .option(
      '--size <px>',
      'longest side of an image (default: the size stored in the model, else 320)',
      positiveInteger,
    )
    .option('--report <file>', 'write one HTML page: recall curves, coverage maps, photographs with their regions')
    .option('--examples <n>', 'photographs shown in it, evenly from the manifest', nonNegativeInteger, 6)
    .option('--overwrite', 'replace an existing page');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
recall: share of the boxes that one region overlaps by so much (intersection over union); average: over 0.5, 0.55 ... 0.95.
cover the box, around it: mean share of an image's regions that cover a place of the box, and one up to half a side off it.
--json has the whole curve, by the overlaps 0.1, 0.15 ... 1.

Example:
  rmac regions --manifest boxes.jsonl --model runs/rpn/best.safetensors --report regions.html`,
    )
    .action(run);
}

/** commander parser: "16,64", ascending without repetition. */
export function proposalList(text: string): number[] {
  const values = text.split(',').map(Number);
  if (!values.every((value) => Number.isSafeInteger(value) && value >= 1 && value <= mostProposals)) {
    throw new UsageError(
      `--proposals: expected whole numbers from 1 to ${mostProposals} such as 16,64,256, got "${text}".`,
    );
  }
  return [...new Set(values)].toSorted((a, b) => a - b);
}

async function run(options: RegionsStageOptions & CommonOptions): Promise<void> {
  const result = await measureModelRegions(options, terminalContext);
  const { photographs, imageSize, boxShare, regions, report } = result;
  const lines = [
    `${photographs} photographs of ${imageSize} px; the median box takes ${(100 * boxShare).toFixed(0)} % of its image`,
    '',
    ...alignedLines(recallTable(regions)),
    ...(report === undefined ? [] : ['', `Report: ${report}`]),
  ];
  printResult(result, lines.join('\n'), options);
}
