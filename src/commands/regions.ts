/** @file `rmac regions`: how well a model's grid and proposals find the boxes of a manifest. */
import type { Command } from 'commander';
import { InputError, UsageError } from '../errors.js';
import { mostProposals } from '../models/region-source.js';
import type { RegionExample } from '../report/regions-report.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { openEngine, openModel } from './open-model.js';
import { largest } from '../extremes.js';

interface RegionsOptions extends CommonOptions {
  manifest: string;
  model: string;
  proposals: number[];
  size?: number;
  report?: string;
  examples: number;
  overwrite?: boolean;
}

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

async function run(options: RegionsOptions): Promise<void> {
  const { assertWritable, writeFileAtomic } = await import('../data/files.js');
  const { readManifest } = await import('../data/manifest.js');
  const { boxedRecords } = await import('../train/proposals/boxed-images.js');
  const { measureRegions } = await import('../rpn/measure-regions.js');
  const { curveOverlaps } = await import('../rpn/region-statistics.js');
  const { recallTable, regionsReport } = await import('../report/regions-report.js');
  const { manifest, proposals: counts, report } = options;
  if (report !== undefined) assertWritable(report, options);
  const all = await readManifest(manifest);
  const records = boxedRecords(all, manifest);
  await openEngine(options);
  const model = await openModel(options.model, {});
  const imageSize = options.size ?? model.meta.imageSize ?? 320;
  const proposes = model.meta.rpn !== undefined;
  if (!proposes) say(`${options.model} has no region proposals; the grid alone is measured.`);
  const shown = new Set(evenly(records.length, report === undefined ? 0 : options.examples).map((i) => records[i].id));
  const examples: RegionExample[] = [];
  const progress = startProgress('measure', records.length);
  const signal = interruptSignal();
  const measured = await measureRegions(model, records, {
    imageSize,
    counts,
    signal,
    onProgress: (done) => progress.update(done),
    onImage: ({ id, path }, regions, box, image) => {
      if (shown.has(id)) examples.push({ id, path, regions, box, image });
    },
  }).finally(() => {
    progress.stop();
    model.dispose();
  });
  if (signal.aborted) throw new InputError('Interrupted; nothing was written.');
  for (const { error } of measured.failures.slice(0, 10)) say(`skipped ${error}`);
  const figures = measured.kinds.map((kind) => kind.figures());
  if (report !== undefined) {
    const title = proposes ? 'Region proposals against the rigid grid' : 'The rigid grid';
    await writeFileAtomic(report, await regionsReport(measured, { title, figures, examples }), options);
  }
  const { photographs, boxShare, failures } = measured;
  const result = {
    photographs,
    withoutBox: all.length - records.length,
    failures,
    imageSize,
    boxShare,
    overlaps: curveOverlaps,
    regions: figures,
    ...(report !== undefined && { report }),
  };
  const lines = [
    `${photographs} photographs of ${imageSize} px; the median box takes ${(100 * boxShare).toFixed(0)} % of its image`,
    '',
    ...columnsOf(recallTable(figures)),
    ...(report === undefined ? [] : ['', `Report: ${report}`]),
  ];
  printResult(result, lines.join('\n'), options);
}

/** The table's lines, columns aligned. */
function columnsOf({ columns, rows }: { columns: string[]; rows: string[][] }): string[] {
  const lines = [columns, ...rows];
  const widths = columns.map((_, i) => largest(lines.map((cells) => cells[i].length)));
  return lines.map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
}

/** At most `count` positions of 0 .. length - 1, spread over all. */
function evenly(length: number, count: number): number[] {
  const wanted = Math.min(count, length);
  return Array.from({ length: wanted }, (_, i) => Math.floor((i * length) / wanted));
}
