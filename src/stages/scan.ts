/** @file Photographs in folders, or a table of them, become a manifest. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertWritable } from '../data/files.js';
import { isTableName } from '../data/image-table.js';
import { labelByDepth, labelByPattern, scanFolder, type ScanResult, scanTable } from '../data/scan.js';
import { type ImageLink, writeManifests } from '../data/write-manifests.js';
import { InputError, UsageError } from '../errors.js';
import { silentView, type StageContext, type StageView } from './context.js';
import { lateProgress } from './late-progress.js';

/** Which photographs become a manifest, and what their landmarks are. */
export interface ScanStageOptions {
  /** A folder with a folder per landmark, or a .csv or .tsv file. */
  source: string;
  /** The manifest to write. */
  out: string;
  /** Landmarks with fewer usable photographs are left out. Default 1. */
  minImages?: number;
  /** The first folders that are the landmark. Default 1; not for a table. */
  labelDepth?: number;
  /** In place of it: the landmark is what the first group matches in a path below the folder. */
  labelPattern?: RegExp;
  /** Replace an existing manifest. */
  overwrite?: boolean;
}

/** What is in the manifest, and what was left out. */
export interface ScanReport extends Omit<ScanResult, 'records'> {
  manifest: string;
  /** To the photographs, where they are not below the manifest. */
  link?: ImageLink;
  /** Photographs in the manifest. */
  images: number;
}

/** Lines of a list that a person is shown. */
const listedLines = 20;

/**
 * Decodes every image once and writes the manifest of those that can be used.
 * @throws UsageError where labels are asked for in two ways; InputError where no image can be used, or on the signal.
 */
export async function scan(options: ScanStageOptions, context: StageContext = {}): Promise<ScanReport> {
  const { source, out, minImages = 1, labelDepth, labelPattern: pattern } = options;
  const { signal, view = silentView } = context;
  if (labelDepth !== undefined && pattern !== undefined) {
    throw new UsageError('Give --label-depth or --label-pattern, not both.');
  }
  const isTable = isTableName(source) && !(statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false);
  if (isTable && (labelDepth !== undefined || pattern !== undefined)) {
    throw new UsageError(`--label-depth and --label-pattern are for folders; ${source} has a column for the label.`);
  }
  assertWritable(out, options);
  const progress = lateProgress(view, 'decoding');
  const { records, ...found } = await (isTable ? scanTable : scanFolder)(source, {
    minImages,
    label: pattern === undefined ? labelByDepth(labelDepth ?? 1) : labelByPattern(pattern),
    signal,
    onProgress: progress.update,
  }).finally(progress.stop);

  noteLeftOut(view, found, minImages);
  if (records.length === 0) throw new InputError(nothingUsable(source, found));
  const link = await writeManifests([{ file: out, records }], isTable ? dirname(source) : source, options);
  noteLink(view, link);
  if (found.unlabelled > 0) {
    view.note(
      `${found.unlabelled} images have no label in ${source}: each is a landmark of its own that nothing else matches.`,
    );
  }
  const alone = found.landmarks.filter(({ images }) => images === 1).length - found.unlabelled;
  if (alone > 0) {
    view.note(`Warning: ${alone} landmarks have a single photograph, which can be no positive for another.`);
  }
  return { manifest: out, ...(link && { link }), images: records.length, ...found };
}

/** Says where the photographs of a manifest are, if elsewhere. */
export function noteLink(view: StageView, link: ImageLink | undefined): void {
  if (link !== undefined) view.note(`The images are not below the manifest: ${link.path} links to ${link.target}.`);
}

function noteLeftOut(view: StageView, found: Omit<ScanResult, 'records'>, minImages: number): void {
  const lists: [what: string, lines: string[]][] = [
    ['broken, left out', found.broken.map(({ path, reason }) => `${path}: ${reason}`)],
    ['copies, left out', found.duplicates.map(({ path, of }) => `${path} is ${of}`)],
    [
      'photographs in several landmarks, kept in the first: one of the labels is wrong',
      found.conflicts.map(({ paths }) => paths.join(' = ')),
    ],
    [`landmarks with fewer than ${minImages} photographs, left out`, found.tooFew.map(({ landmark }) => landmark)],
  ];
  for (const [what, lines] of lists) {
    if (lines.length > 0) view.note(`${lines.length} ${what}:`);
    for (const line of lines.slice(0, listedLines)) view.note(`  ${line}`);
    if (lines.length > listedLines) view.note(`  ... ${lines.length - listedLines} more (--json lists all)`);
  }
}

function nothingUsable(source: string, { broken, tooFew, skipped }: Omit<ScanResult, 'records'>): string {
  const counts = `${broken.length} broken, ${tooFew.length} landmarks too small, ${skipped} other files`;
  return `${source} has no usable image (${counts}); expected a folder of photographs per landmark.`;
}
