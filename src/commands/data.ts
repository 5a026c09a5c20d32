/** @file `rmac data ...`: folders of photographs and manifests. */
import { realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { countBy } from '../data/group-by.js';
import type { ImageRecord } from '../data/manifest.js';
import type { ScanResult } from '../data/scan.js';
import type { SplitKind } from '../data/split.js';
import { InputError, messageOf, UsageError } from '../errors.js';
import { interruptSignal, nonNegativeInteger, positiveInteger, printResult, say, startProgress } from './console.js';
import { registerDownload } from './data-download.js';
import { registerSynthesize } from './data-synthesize.js';
import { largest } from '../extremes.js';

/** How many lines of a list go to the terminal; `--json` has them all. */
const listedLines = 20;

export function register(program: Command): void {
  const data = program.command('data');
  registerScan(data);
  registerSplit(data);
  registerSynthesize(data);
  registerDownload(data);
}

interface ScanFlags {
  out: string;
  minImages: number;
  labelDepth?: number;
  labelPattern?: RegExp;
  overwrite?: boolean;
  json?: boolean;
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
    .action(scan);
}

async function scan(source: string, flags: ScanFlags): Promise<void> {
  const { labelDepth, labelPattern: pattern } = flags;
  if (labelDepth !== undefined && pattern !== undefined) {
    throw new UsageError('Give --label-depth or --label-pattern, not both.');
  }
  const { labelByDepth, labelByPattern, scanFolder, scanTable } = await import('../data/scan.js');
  const { isTableName } = await import('../data/image-table.js');
  const { assertWritable } = await import('../data/files.js');
  const isTable = isTableName(source) && !(statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false);
  if (isTable && (labelDepth !== undefined || pattern !== undefined)) {
    throw new UsageError(`--label-depth and --label-pattern are for folders; ${source} has a column for the label.`);
  }
  assertWritable(flags.out, flags);
  let progress: ReturnType<typeof startProgress> | undefined;
  const found = await (isTable ? scanTable : scanFolder)(source, {
    minImages: flags.minImages,
    label: pattern === undefined ? labelByDepth(labelDepth ?? 1) : labelByPattern(pattern),
    signal: interruptSignal(),
    onProgress(done, total) {
      progress ??= startProgress('decoding', total);
      progress.update(done);
    },
  }).finally(() => progress?.stop());

  list(found.broken, 'broken, left out', ({ path, reason }) => `${path}: ${reason}`);
  list(found.duplicates, 'copies, left out', ({ path, of }) => `${path} is ${of}`);
  list(
    found.conflicts,
    'photographs in several landmarks, kept in the first: one of the labels is wrong',
    ({ paths }) => paths.join(' = '),
  );
  list(found.tooFew, `landmarks with fewer than ${flags.minImages} photographs, left out`, ({ landmark }) => landmark);
  if (found.records.length === 0) throw new InputError(nothingUsable(source, found));

  const root = isTable ? dirname(source) : source;
  const link = await writeRecords([{ file: flags.out, records: found.records }], root, flags);
  if (found.unlabelled > 0) {
    say(
      `${found.unlabelled} images have no label in ${source}: each is a landmark of its own that nothing else matches.`,
    );
  }
  const alone = found.landmarks.filter(({ images }) => images === 1).length - found.unlabelled;
  if (alone > 0) say(`Warning: ${alone} landmarks have a single photograph, which can be no positive for another.`);
  const { records, ...report } = found;
  printResult({ manifest: flags.out, ...link, images: records.length, ...report }, scanText(flags.out, found), flags);
}

function nothingUsable(source: string, { broken, tooFew, skipped }: ScanResult): string {
  const counts = `${broken.length} broken, ${tooFew.length} landmarks too small, ${skipped} other files`;
  return `${source} has no usable image (${counts}); expected a folder of photographs per landmark.`;
}

function scanText(
  manifest: string,
  { records, landmarks, broken, duplicates, conflicts, skipped }: ScanResult,
): string {
  const rows = landmarks.map((row) => [row.landmark, row.images, row.broken, row.duplicates, row.conflicts]);
  const shown = rows.length > 2 * listedLines ? rows.slice(0, listedLines) : rows;
  const more = rows.length > shown.length ? [[`... ${rows.length - shown.length} more`, '', '', '', '']] : [];
  const kept = landmarks.filter(({ images }) => images > 0).length;
  const inSeveral = conflicts.reduce((sum, { paths }) => sum + paths.length, 0);
  const total = [`${kept} landmarks`, records.length, broken.length, duplicates.length, inSeveral];
  const head = ['landmark', 'images', 'broken', 'copies', 'in several'];
  return `${table([head, ...shown, ...more, total])}\n${skipped} other files skipped. Wrote ${manifest}.`;
}

interface SplitFlags {
  val: number;
  by: SplitKind;
  seed: number;
  out?: string;
  overwrite?: boolean;
  json?: boolean;
}

function registerSplit(data: Command): void {
  data
    .command('split')
    .description('a manifest -> train.jsonl and val.jsonl')
    .argument('<manifest>', 'JSON lines, as `data scan` writes them')
    .requiredOption('--val <share>', 'share to hold back, above 0 and below 1', share)
    .addOption(
      new Option('--by <unit>', 'what is held back: photographs of every landmark, or whole landmarks or groups')
        .choices(['photo', 'landmark', 'group'])
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
    .action(split);
}

async function split(manifest: string, flags: SplitFlags): Promise<void> {
  const { readManifest } = await import('../data/manifest.js');
  const { splitRecords } = await import('../data/split.js');
  const folder = flags.out ?? dirname(manifest);
  const [train, val] = [join(folder, 'train.jsonl'), join(folder, 'val.jsonl')];
  for (const file of [train, val]) {
    if (isSameFile(file, manifest)) {
      throw new UsageError(`${manifest} would be replaced by its own split; give another folder with --out.`);
    }
  }
  const records = await readManifest(manifest);
  const halves = splitRecords(records, { by: flags.by, validation: flags.val, seed: flags.seed });
  const outputs = [
    { file: val, records: halves.validation },
    { file: train, records: halves.train },
  ];
  const link = await writeRecords(outputs, dirname(manifest), flags);

  const counts = {
    train: { manifest: train, ...countsOf(halves.train) },
    val: { manifest: val, ...countsOf(halves.validation) },
  };
  const rows = Object.values(counts).map((half) => [half.manifest, half.images, half.landmarks, half.single]);
  const text = table([['', 'images', 'landmarks', 'with one image'], ...rows]);
  if (counts.val.single > 0) {
    say(
      `Warning: ${counts.val.single} landmarks have one image in ${val}; alone they are queries without a right answer.`,
    );
  }
  printResult({ by: flags.by, seed: flags.seed, ...link, ...counts }, text, flags);
}

/** Writes manifests of one folder; where the images under `root` are outside of it, a link to them comes first. */
async function writeRecords(
  outputs: { file: string; records: ImageRecord[] }[],
  root: string,
  options: { overwrite?: boolean },
): Promise<{ link?: { path: string; target: string } }> {
  const { assertWritable, writeFileSet } = await import('../data/files.js');
  const { withFolderLock } = await import('../data/folder-lock.js');
  const { linkImages } = await import('../data/image-link.js');
  const { manifestText } = await import('../data/manifest.js');
  for (const { file } of outputs) assertWritable(file, options);
  let link: { path: string; target: string } | undefined;
  await withFolderLock(dirname(outputs[0].file), async () => {
    const files: [string, string][] = [];
    for (const { file, records } of outputs) {
      const linked = await linkImages(dirname(file), root, records);
      link ??= linked.link;
      files.push([file, manifestText(file, linked.records)]);
    }
    await writeFileSet(files, options);
  });
  if (link !== undefined) say(`The images are not below the manifest: ${link.path} links to ${link.target}.`);
  return { link };
}

function countsOf(records: readonly ImageRecord[]): { images: number; landmarks: number; single: number } {
  const sizes = countBy(records, ({ landmark }) => landmark);
  return {
    images: records.length,
    landmarks: sizes.size,
    single: [...sizes.values()].filter((size) => size === 1).length,
  };
}

function isSameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false; // one of them is not there yet
  }
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

function list<T>(items: readonly T[], what: string, line: (item: T) => string): void {
  if (items.length === 0) return;
  say(`${items.length} ${what}:`);
  for (const item of items.slice(0, listedLines)) say(`  ${line(item)}`);
  if (items.length > listedLines) say(`  ... ${items.length - listedLines} more (--json lists all)`);
}

/** Columns aligned: the first to the left, numbers to the right. */
function table(rows: (string | number)[][]): string {
  const widths = rows[0].map((_, column) => largest(rows.map((row) => String(row[column]).length)));
  const cell = (value: string | number, column: number) =>
    column === 0 ? String(value).padEnd(widths[0]) : String(value).padStart(widths[column]);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
