/** @file `rmac data ...`: folders of photographs and manifests. */
import { type Command, Option } from 'commander';
import { splitKinds } from '../data/split.js';
import { messageOf, UsageError } from '../errors.js';
import { scan, type ScanReport, type ScanStageOptions } from '../stages/scan.js';
import { split, type SplitStageOptions } from '../stages/split.js';
import {
  alignedLines,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalContext,
  terminalView,
} from './console.js';
import { registerDownload } from './data-download.js';
import { registerSynthesize } from './data-synthesize.js';
import { registerViews } from './data-views.js';

/** How many lines of a list go to the terminal; `--json` has them all. */
const listedLines = 20;

export function register(program: Command): void {
  const data = program.command('data');
  registerScan(data);
  registerSplit(data);
  registerSynthesize(data);
  registerViews(data);
  registerDownload(data);
}

function registerScan(data: Command): void {
  data
    .command('scan')
    .description('a folder per landmark -> manifest; broken images and copies are left out, counted and listed')
    .argument(
      '<source>',
      'folder with one folder per landmark (images directly in it are landmarks of their own), or a .csv file',
    )
    .requiredOption('--out <file>', 'manifest to write (JSON lines)')
    .option('--min-images <n>', 'leave out landmarks with fewer usable photographs', positiveInteger, 1)
    .option('--label-depth <n>', 'the first n folders are the landmark: 2 for city/landmark/photo.jpg', positiveInteger)
    .option(
      '--label-pattern <regex>',
      'the landmark is what the first group matches in a path below the folder',
      labelPattern,
    )
    .option('--overwrite', 'replace an existing manifest')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  $ rmac data scan photos --out photos/manifest.jsonl
  $ rmac data scan travels --label-depth 2 --out travels/manifest.jsonl
  $ rmac data scan inbox --label-pattern '([a-z]+)_[0-9]+\\.jpg$' --out inbox/manifest.jsonl
  $ rmac data scan photos.csv --out manifest.jsonl
Every image is decoded once. Of copies the first is kept; where they lie in several landmarks, those are listed.
A CSV file has a line of names and a photograph a line: path (relative to the file) and label; id and group are the
manifest's, and every other column is kept in it. Commas, semicolons or tabs separate cells.
A manifest never names a path outside its own folder: where the photographs are elsewhere, a link to them is made beside it.`,
    )
    .action(async (source: string, { json, ...flags }: Omit<ScanStageOptions, 'source'> & { json?: boolean }) => {
      const report = await scan({ source, ...flags }, terminalContext);
      printResult(report, scanText(report), { json });
    });
}

function scanText({ manifest, images, landmarks, broken, duplicates, conflicts, skipped }: ScanReport): string {
  const rows = landmarks.map((row) => [row.landmark, row.images, row.broken, row.duplicates, row.conflicts]);
  const shown = rows.length > 2 * listedLines ? rows.slice(0, listedLines) : rows;
  const more = rows.length > shown.length ? [[`... ${rows.length - shown.length} more`, '', '', '', '']] : [];
  const kept = landmarks.filter((row) => row.images > 0).length;
  const inSeveral = conflicts.reduce((sum, { paths }) => sum + paths.length, 0);
  const total = [`${kept} landmarks`, images, broken.length, duplicates.length, inSeveral];
  const head = ['landmark', 'images', 'broken', 'copies', 'in several'];
  return `${table([head, ...shown, ...more, total])}\n${skipped} other files skipped. Wrote ${manifest}.`;
}

function registerSplit(data: Command): void {
  data
    .command('split')
    .description('a manifest -> train.jsonl and val.jsonl')
    .argument('<manifest>', 'JSON lines, as `data scan` writes them')
    .requiredOption('--val <share>', 'share to hold back, above 0 and below 1', share)
    .addOption(
      new Option('--by <unit>', 'what is held back: photographs of every landmark, or whole landmarks or groups')
        .choices(splitKinds)
        .makeOptionMandatory(),
    )
    .option('--seed <n>', 'which ones', nonNegativeInteger, 0)
    .option('--out <dir>', 'folder for both files (default: beside the manifest)')
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Example:
  $ rmac data split photos/manifest.jsonl --val 0.2 --by photo --seed 1
--by photo keeps at least one photograph of each landmark in training. --by group also keeps apart what shares a "group".
The order of the lines does not matter; both files are sorted by id.`,
    )
    .action(async (manifest: string, { json, ...flags }: Omit<SplitStageOptions, 'manifest'> & { json?: boolean }) => {
      const report = await split({ manifest, ...flags }, { view: terminalView });
      const rows = [report.train, report.val].map((half) => [half.manifest, half.images, half.landmarks, half.single]);
      printResult(report, table([['', 'images', 'landmarks', 'with one image'], ...rows]), { json });
    });
}

function labelPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw new UsageError(`--label-pattern: ${messageOf(error)}.`);
  }
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new UsageError(`--val: expected a share above 0 and below 1, got "${text}".`);
  return value;
}

function table([columns, ...rows]: (string | number)[][]): string {
  const lines = alignedLines({ columns: columns.map(String), rows: rows.map((row) => row.map(String)) });
  return lines.map((line) => line.trimEnd()).join('\n');
}
